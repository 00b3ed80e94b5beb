"""The loop that all three protocols share: read a command, look it up, check the state, parse, run, tell what others did.

Read `command` (what a command is), `session` (what a session is), `loop` (the loop itself), then `login` and `services`.
"""
