"""What an administrator does: accounts with their mailboxes, domains, the audit; the same from the command line and from within.

Read `opening` (the database, for a program that is not the server), `accounts`, `removal`, `domains`,
`aliases`, `mailboxes`, `refusals` (what is said when something cannot be done), `audit` (with `surrogates`).
"""
