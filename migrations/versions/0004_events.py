"""Events for `mailhost trace`, and in the ledger what people ask by: subject and Message-ID."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0004", "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WITH_ADDRESSES = sa.text("about IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("account_id", NUMBER),
        sa.Column("mailbox_id", NUMBER),
        sa.Column("first_uid", NUMBER),
        sa.Column("last_uid", NUMBER),
        sa.Column("uids", sa.Text),
        sa.Column("about", sa.Text),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_index("ix_event_mailbox_id", "event", ["mailbox_id", "id"])
    op.create_index("ix_event_about", "event", ["id"], sqlite_where=WITH_ADDRESSES, postgresql_where=WITH_ADDRESSES)
    for name in ("subject", "message_id"):
        op.add_column("acceptance", sa.Column(name, sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    for name in ("subject", "message_id"):
        op.drop_column("acceptance", name)
    op.drop_table("event")
