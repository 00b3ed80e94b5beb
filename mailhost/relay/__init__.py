"""Mail for other hosts: which host, a connection to it, one transaction, and what its answer means (RFC 5321 sections 4.5.4, 5).

Read `worker` (claims what is due, by destination), `lane` (one destination), `attempt` (one try at it) with `routes`, `mx` over `dns` (the next hop) and `handshake` (EHLO, TLS, login),
`envelope` and `contents` (what is sent), `outcome` (what came of it), `trouble` (why nothing did), `reach` (whether port 25 leads anywhere), `schedule` (when to come again).
"""
