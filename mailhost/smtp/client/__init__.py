"""SMTP as a client speaks it: to the next host (RFC 5321 section 3.3).

Read `heard` (a reply), `hello` (what the server can), `client` (the dialogue), `outgoing` (what is sent).
"""
