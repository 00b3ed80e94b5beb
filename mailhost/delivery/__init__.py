"""Accepting mail: where each recipient's copy goes, and the one transaction that stores or queues all of them.

Read `route` (where to), `arrival` (the octets on their way in), `surrogate` (their other form, where a client may need one),
`accept` (the transaction), `waiting` (local rows that could not be stored at once), `agent` (what a program here hands over).
"""
