"""The first tables: users, mailbox store, ledger."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OCTETS = sa.LargeBinary()


def upgrade() -> None:
    users()
    store()
    ledger()


def downgrade() -> None:
    for table in (
        "delivery", "acceptance", "keyword", "expunged_message", "mailbox_message", "message", "blob_chunk", "blob",
        "mailbox", "alias", "credential", "account", "domain",
    ):  # fmt: skip
        op.drop_table(table)


def users() -> None:
    op.create_table(
        "domain",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", NUMBER, nullable=False),
    )
    op.create_table(
        "account",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("domain_id", NUMBER, sa.ForeignKey("domain.id"), nullable=False),
        sa.Column("local_part", sa.Text, nullable=False),
        sa.Column("disabled", sa.SmallInteger, nullable=False),
        sa.Column("auth_version", NUMBER, nullable=False),
        sa.Column("last_uid_validity", NUMBER, nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.UniqueConstraint("domain_id", "local_part"),
    )
    op.create_table(
        "credential",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("account_id", NUMBER, sa.ForeignKey("account.id"), nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
    )
    op.create_table(
        "alias",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("domain_id", NUMBER, sa.ForeignKey("domain.id"), nullable=False),
        sa.Column("local_part", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
    )
    op.create_index("ix_alias_domain_id_local_part", "alias", ["domain_id", "local_part"])


def store() -> None:
    op.create_table(
        "mailbox",
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("uid_validity", NUMBER, nullable=False),
        sa.Column("uid_next", NUMBER, nullable=False),
        sa.Column("highest_mod_seq", NUMBER, nullable=False),
        sa.Column("recent_uid", NUMBER, nullable=False),
        sa.Column("special_use", sa.Text),
        sa.Column("subscribed", sa.SmallInteger, nullable=False),
        sa.Column("messages", NUMBER, nullable=False),
        sa.Column("unseen", NUMBER, nullable=False),
        sa.Column("octets", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "id"),
        sa.UniqueConstraint("account_id", "name"),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "blob",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("sha256", OCTETS, nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("stored_size", NUMBER, nullable=False),
        sa.Column("codec", sa.SmallInteger, nullable=False),
        sa.Column("place", sa.SmallInteger, nullable=False),
        sa.Column("data", OCTETS),
    )
    op.create_table(
        "blob_chunk",
        sa.Column("blob_id", NUMBER, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("data", OCTETS, nullable=False),
        sa.PrimaryKeyConstraint("blob_id", "seq"),
    )
    message()
    op.create_table(
        "mailbox_message",
        *placed_columns(),
        sa.Column("flags", NUMBER, nullable=False),
        sa.Column("mod_seq", NUMBER, nullable=False),
        sa.Column("saved_at", NUMBER, nullable=False),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "expunged_message",
        *placed_columns(),
        sa.Column("mod_seq", NUMBER, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "keyword",
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("mailbox_id", NUMBER, nullable=False),
        sa.Column("bit", sa.SmallInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "mailbox_id", "bit"),
        sa.UniqueConstraint("account_id", "mailbox_id", "name"),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":  # compressed by us already
        op.execute("ALTER TABLE blob ALTER COLUMN data SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE blob_chunk ALTER COLUMN data SET STORAGE EXTERNAL")


def placed_columns() -> tuple[sa.Column[int] | sa.PrimaryKeyConstraint, ...]:
    return (
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("mailbox_id", NUMBER, nullable=False),
        sa.Column("uid", NUMBER, nullable=False),
        sa.Column("message_id", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "mailbox_id", "uid"),
    )


def message() -> None:
    """On SQLite the id alone is the key, so that it is the rowid: rows of 1 KiB would spill from a clustered table."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    key = sa.PrimaryKeyConstraint("id") if on_sqlite else sa.PrimaryKeyConstraint("account_id", "id")
    op.create_table(
        "message",
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("id", NUMBER, nullable=False, autoincrement=False),
        sa.Column("blob_id", NUMBER, nullable=False),
        sa.Column("prefix", OCTETS, nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("crlf_size", NUMBER, nullable=False),
        sa.Column("internal_date", NUMBER, nullable=False),
        sa.Column("sent_date", NUMBER),
        sa.Column("message_id_hash", NUMBER, nullable=False),
        sa.Column("header_octets", sa.Integer, nullable=False),
        sa.Column("begins_with_field", sa.SmallInteger, nullable=False),
        sa.Column("envelope", OCTETS, nullable=False),
        sa.Column("body", OCTETS, nullable=False),
        sa.Column("body_structure", OCTETS, nullable=False),
        sa.Column("parts", OCTETS, nullable=False),
        sa.Column("header_cache", OCTETS, nullable=False),
        key,
    )
    op.create_index("ix_message_blob_id", "message", ["blob_id"])


def ledger() -> None:
    op.create_table(
        "acceptance",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("helo", sa.Text, nullable=False),
        sa.Column("account_id", NUMBER),
        sa.Column("reverse_path", sa.Text, nullable=False),
        sa.Column("blob_id", NUMBER, nullable=False),
        sa.Column("prefix", OCTETS, nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("smtputf8", sa.SmallInteger, nullable=False),
        sa.Column("envid", sa.Text),
        sa.Column("ret", sa.Text),
        sa.Column("release_at", NUMBER),
    )
    op.create_index("ix_acceptance_blob_id", "acceptance", ["blob_id"])
    op.create_table(
        "delivery",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("acceptance_id", NUMBER, nullable=False),
        sa.Column("parent_id", NUMBER),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("original", sa.Text, nullable=False),
        sa.Column("notify", sa.Text),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("hold", sa.SmallInteger, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("account_id", NUMBER),
        sa.Column("mailbox_id", NUMBER),
        sa.Column("uid", NUMBER),
        sa.Column("next_try", NUMBER),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("leased_by", sa.Text),
        sa.Column("leased_until", NUMBER),
        sa.Column("last_reply", sa.Text),
        sa.Column("finished_at", NUMBER),
    )
    op.create_index("ix_delivery_acceptance_id", "delivery", ["acceptance_id"])
    op.create_index("ix_delivery_state_next_try", "delivery", ["state", "next_try"])
    op.create_index("ix_delivery_destination_next_try", "delivery", ["destination", "next_try"])
