"""POP3: a client fetches its mail and, mostly, takes it away (RFC 1939; CAPA: RFC 2449; STLS: RFC 2595; AUTH: RFC 5034; UTF8: RFC 6856).

The maildrop is the INBOX, as it was at the login: one client at a time, and nothing leaves it before QUIT.

Read `grammar` (how a command reads) and `responses` (all that the server can say, and how a message is written), then
`maildrop` (the snapshot and the lock), `session`, and the commands, one file per state: `authorization`, `transaction`, `update`.
What CAPA announces beyond them is a file in `extensions`. `dialect` sums them up; `factory` accepts connections.
"""
