"""`mailhost try`: one message through all three protocols, as a user's client would send and fetch it.

Read `command` for the order of the steps, `clients` for how each protocol does its own, `problems` for what may go wrong.
"""
