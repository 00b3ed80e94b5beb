"""`mailhost setup`: from nothing to a server with its first domain and its administrator.

Read `command` first (what happens in which order, and what is refused), then `plan` and `advice`.
"""
