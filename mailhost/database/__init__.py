"""The one database engine, and the two ways into it: `read` sees what is committed, `write` joins the next durable commit.

Read in this order: `errors`, `transaction` (what an operation sees), `marks` (what an operation says of itself), `batch`
(how a batch runs), `database` (group commit), then `sqlite` with `sqlite_files` and `lock`, and `postgresql` (how one
transaction is made durable), `hints` with `hints_unix` and `hints_postgresql` (what other processes hear), `migrate`, `node`
(whose identifiers are whose), `open` (all of it together).
"""
