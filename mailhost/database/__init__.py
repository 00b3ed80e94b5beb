"""The one database engine, and the two ways into it: `read` sees what is committed, `write` joins the next durable commit.

Read in this order: `errors`, `transaction` (what an operation sees), `marks` (what an operation says of itself), `batch`
(how a batch runs), `database` (group commit), then `sqlite` and `postgresql` (how one transaction is made durable),
`hints` (what other processes hear), `migrate`.
"""
