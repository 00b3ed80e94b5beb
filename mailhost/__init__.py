"""mailhost: a full mailbox server. Read `service.py` first: it is the design on one screen.

The layers, from the top: cli, service, smtp | pop3 | imap, conversation, delivery | administration, sasl,
users | store | queue | trace, database, message | transport | events, config | ids.
A package imports from the rows under it only; `docs/architecture.md` draws the picture.
"""

__version__ = "0.1.0"
