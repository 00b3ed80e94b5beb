"""What a try to relay came to: status, host, and when the sender was told of the delay."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0005", "0004"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("delivery", sa.Column("status", sa.Text))
    op.add_column("delivery", sa.Column("host", sa.Text))
    op.add_column("delivery", sa.Column("told_at", NUMBER))


def downgrade() -> None:
    for name in ("told_at", "host", "status"):
        op.drop_column("delivery", name)
