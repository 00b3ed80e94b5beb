"""Mail for other hosts: which host, a connection to it, one transaction, and what its answer means (RFC 5321 sections 4.5.4, 5).

Read `worker` (claims what is due, by destination), `lane` (one destination), `attempt` (one connection), `outcome` (what came of it), `mx` over `dns` (the next hop), `verdict` (what a failure
means), `schedule` (when to come again), `bounce` (what the sender hears).
"""
