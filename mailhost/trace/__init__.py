"""What happened to messages after they were accepted, and what was never accepted: events, kept some days for who asks.

Acceptance, storing and bounces are the ledger's (`mailhost.queue`) and never lost; these are written apart from mail, a
moment later, so a crash may cost the last of them. Read `values`, `recorder` (the sink that writes), `entries` (the SQL).
"""
