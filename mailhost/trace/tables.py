"""The table of events. Migrations are free of it."""

from sqlalchemy import Column, Index, Table

from mailhost.database.types import METADATA, Identifier, Moment, Number, String

event = Table(
    "event",
    METADATA,
    Column("id", Identifier, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("kind", String, nullable=False),
    Column("journey", Identifier),
    Column("account_id", Identifier),
    Column("mailbox_id", Identifier),
    Column("first_uid", Number),
    Column("last_uid", Number),
    Column("uids", String),  # a set, as IMAP writes it
    Column("about", String),  # addresses of what was refused, in lower case
    Column("data", String, nullable=False),  # JSON
    Index("ix_event_mailbox_id", "mailbox_id", "id"),
)
Index(
    "ix_event_journey",
    event.c.journey,
    sqlite_where=event.c.journey.is_not(None),
    postgresql_where=event.c.journey.is_not(None),
)
Index(
    "ix_event_about",
    event.c.id,
    sqlite_where=event.c.about.is_not(None),
    postgresql_where=event.c.about.is_not(None),
)
