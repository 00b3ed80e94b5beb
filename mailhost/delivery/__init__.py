"""Accepting mail: where each recipient's copy goes, and the one transaction that stores or queues all of them.

Read `route` (where to), `arrival` (the octets on their way in), `accept` (the transaction), `waiting` (local rows that could not
be stored at once).
"""
