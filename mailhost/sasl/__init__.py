"""Login mechanisms (RFC 4422), one file each, shared by SMTP, POP3 and IMAP. `MECHANISMS` in `mechanism` lists them."""
