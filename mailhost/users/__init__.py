"""The user database: domains, accounts, aliases, passwords. Read `values`, `tables`, `addresses`, `accounts`,
`passwords`, `aliases` (with `postmaster`), `removal`.
"""
