"""`mailhost quickstart`, which `scripts/run` calls: a server that is ready to try, in one folder.

Read `command` first (what happens in which order), then `settings`, `certificates`, `sample` and `greeting`.
"""
