"""What a try to relay came to: status, host, when the sender was told of the delay; events of a whole journey."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0005", "0004"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OF_MESSAGE = sa.text("journey IS NOT NULL")


def upgrade() -> None:
    op.add_column("delivery", sa.Column("status", sa.Text))
    op.add_column("delivery", sa.Column("host", sa.Text))
    op.add_column("delivery", sa.Column("told_at", NUMBER))
    op.add_column("event", sa.Column("journey", NUMBER))
    op.create_index("ix_event_journey", "event", ["journey"], sqlite_where=OF_MESSAGE, postgresql_where=OF_MESSAGE)


def downgrade() -> None:
    op.drop_index("ix_event_journey", "event")
    op.drop_column("event", "journey")
    for name in ("told_at", "host", "status"):
        op.drop_column("delivery", name)
