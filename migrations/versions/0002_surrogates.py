"""A message may have a surrogate: another form of it for clients that cannot take it as it came."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = ("requires", "surrogate_id", "surrogate_size")


def upgrade() -> None:
    """No row is rewritten: on both engines a column with a constant default takes no time."""
    op.add_column("message", sa.Column("requires", sa.SmallInteger, nullable=False, server_default="0"))
    op.add_column("message", sa.Column("surrogate_id", NUMBER))
    op.add_column("message", sa.Column("surrogate_size", NUMBER))


def downgrade() -> None:
    """What was accepted stays, its other forms go; the octets of a mailbox are again those of its messages."""
    op.execute(
        "UPDATE mailbox SET octets = octets - (SELECT coalesce(sum(surrogate_size - size), 0) FROM mailbox_message"
        " JOIN message ON message.account_id = mailbox_message.account_id AND message.id = mailbox_message.message_id"
        " WHERE mailbox_message.account_id = mailbox.account_id AND mailbox_message.mailbox_id = mailbox.id"
        " AND surrogate_size > size)"
    )
    op.execute(
        "DELETE FROM message WHERE (account_id, id) IN"
        " (SELECT account_id, surrogate_id FROM message WHERE surrogate_id IS NOT NULL)"
    )
    for column in reversed(COLUMNS):
        op.drop_column("message", column)
