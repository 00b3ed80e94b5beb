"""The ledger: what was accepted, and what became of it for each recipient. Migrations are free of these tables."""

from sqlalchemy import Column, Index, Integer, SmallInteger, Table, text

from mailhost.database.types import METADATA, Identifier, Moment, Number, Octets, String

WAITS = text("next_try IS NOT NULL")
IS_LEASED = text("leased_by IS NOT NULL")
IS_TIMED = text("deliver_by IS NOT NULL")

acceptance = Table(
    "acceptance",
    METADATA,
    Column("id", Identifier, primary_key=True),  # the journey
    Column("at", Moment, nullable=False),
    Column("peer", String, nullable=False),
    Column("helo", String, nullable=False),
    Column("account_id", Identifier),  # who had logged in
    Column("reverse_path", String, nullable=False),
    Column("blob_id", Identifier, nullable=False),
    Column("prefix", Octets, nullable=False),
    Column("size", Number, nullable=False),
    Column("body", String, nullable=False),  # 7BIT, 8BITMIME, BINARYMIME
    Column("smtputf8", SmallInteger, nullable=False),
    Column("envid", String),
    Column("ret", String),
    Column("release_at", Moment),
    Column("subject", String, nullable=False, server_default=""),  # decoded, cut to a line
    Column("message_id", String, nullable=False, server_default=""),  # with its angle brackets
    Column("deliver_by", Moment),  # RFC 2852
    Column("by_mode", String),  # R or N, and T for a trace
    Column("priority", SmallInteger, nullable=False, server_default="0"),  # RFC 6710
    Index(None, "blob_id"),
    Index(None, "deliver_by", sqlite_where=IS_TIMED, postgresql_where=IS_TIMED),
)

delivery = Table(
    "delivery",
    METADATA,
    Column("id", Identifier, primary_key=True),
    Column("acceptance_id", Identifier, nullable=False, index=True),
    Column("parent_id", Identifier),  # the row that was expanded into this one
    Column("recipient", String, nullable=False),
    Column("original", String, nullable=False),
    Column("notify", String),
    Column("destination", String, nullable=False),  # the domain; "" for a mailbox here
    Column("state", SmallInteger, nullable=False),
    Column("hold", SmallInteger, nullable=False),
    Column("reason", String),
    Column("account_id", Identifier),
    Column("mailbox_id", Identifier),
    Column("uid", Number),
    Column("next_try", Moment),
    Column("tries", Integer, nullable=False),
    Column("leased_by", String),
    Column("leased_until", Moment),
    Column("last_reply", String),
    Column("status", String),  # RFC 3463
    Column("host", String),  # the one that was tried last
    Column("told_at", Moment),  # when the sender heard of the delay
    Column("finished_at", Moment),
    Index(None, "state", "next_try"),
    Column(
        "sender", Number, nullable=False, server_default="0"
    ),  # the account that sends it; 0 for all that came from elsewhere
    Column(
        "priority", SmallInteger, nullable=False, server_default="0"
    ),  # the message's, beside what it is ordered with
    Index(None, "destination", "next_try", sqlite_where=WAITS, postgresql_where=WAITS),
    Index(None, "leased_by", sqlite_where=IS_LEASED, postgresql_where=IS_LEASED),
    Index(None, "destination", "sender", "priority", "next_try", sqlite_where=WAITS, postgresql_where=WAITS),
)
