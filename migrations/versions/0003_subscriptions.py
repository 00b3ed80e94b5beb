"""Subscriptions are names on a list of their own: they outlive their mailbox (RFC 3501 section 6.3.6)."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO subscription SELECT account_id, name FROM mailbox WHERE subscribed <> 0")
    op.drop_column("mailbox", "subscribed")


def downgrade() -> None:
    """A name without a mailbox has no place to be kept in."""
    op.add_column("mailbox", sa.Column("subscribed", sa.SmallInteger, nullable=False, server_default="0"))
    op.execute(
        "UPDATE mailbox SET subscribed = 1 WHERE EXISTS (SELECT 1 FROM subscription"
        " WHERE subscription.account_id = mailbox.account_id AND subscription.name = mailbox.name)"
    )
    op.drop_table("subscription")
