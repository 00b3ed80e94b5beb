"""Mail for other hosts: which host, a connection to it, one transaction, and what its answer means (RFC 5321 sections 4.5.4, 5).

Read `worker` (claims what is due) with `agenda` (when) and `turns` (who first), `lane` (one destination: jobs and connections), `attempt` (one try to connect) with `routes`, `mx` over
`dns` (the next hop) and `handshake` (EHLO, TLS, login), `handover` (one message) with `envelope` and `contents` (what is sent), `outcome` (what came of it) with `notices` (who hears of it),
`trouble` (why nothing did), `reach` (whether port 25 leads anywhere), `schedule` (when to come again).
"""
