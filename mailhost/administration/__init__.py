"""What an administrator does: accounts with their mailboxes, domains; the same from the command line and from within.

Read `opening` (the database, for a program that is not the server), `accounts`, `domains`, `sweeper` (what is over its time goes).
"""
