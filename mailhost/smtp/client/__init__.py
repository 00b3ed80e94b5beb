"""The other end of SMTP: our own client (RFC 5321), and that of LMTP (RFC 2033). Over the same channel as the server's sessions.

Read `client` (greeting, EHLO, STARTTLS, AUTH, QUIT), `transaction` (one message), `dialogue` (commands out, replies in), `heard` (a reply), `hello` (what a server can), `outgoing` (what is
sent), `parameters` (of MAIL and RCPT), `login` (AUTH).
"""
