"""The mail queue, which is the ledger: one row per accepted recipient, in one final state in the end."""
