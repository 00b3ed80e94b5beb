"""The queue by shares (destination, sender, priority); DELIVERBY and MT-PRIORITY; indexes of what waits hold what waits alone."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0006", "0005"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITS = sa.text("next_try IS NOT NULL")
OLD = "ix_delivery_destination_next_try"
IS_LEASED = sa.text("leased_by IS NOT NULL")
IS_TIMED = sa.text("deliver_by IS NOT NULL")
TIMED = "ix_acceptance_deliver_by"
SHARE = "ix_delivery_destination_sender_priority_next_try"


def upgrade() -> None:
    op.add_column("acceptance", sa.Column("deliver_by", NUMBER))
    op.add_column("acceptance", sa.Column("by_mode", sa.Text))
    op.add_column("acceptance", sa.Column("priority", sa.SmallInteger, nullable=False, server_default="0"))
    op.add_column("delivery", sa.Column("sender", NUMBER, nullable=False, server_default="0"))
    op.add_column("delivery", sa.Column("priority", sa.SmallInteger, nullable=False, server_default="0"))
    op.execute(
        "UPDATE delivery SET sender = COALESCE("
        "(SELECT account_id FROM acceptance WHERE acceptance.id = delivery.acceptance_id), 0) WHERE next_try IS NOT NULL"
    )
    op.execute(
        "UPDATE delivery SET told_at = finished_at WHERE state IN (4, 5)"
    )  # what failed till now was told at once
    op.drop_index(OLD, "delivery")
    columns = ["destination", "sender", "priority", "next_try"]
    op.create_index(OLD, "delivery", ["destination", "next_try"], sqlite_where=WAITS, postgresql_where=WAITS)
    op.create_index(SHARE, "delivery", columns, sqlite_where=WAITS, postgresql_where=WAITS)
    op.create_index(TIMED, "acceptance", ["deliver_by"], sqlite_where=IS_TIMED, postgresql_where=IS_TIMED)
    op.create_index(
        "ix_delivery_leased_by", "delivery", ["leased_by"], sqlite_where=IS_LEASED, postgresql_where=IS_LEASED
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_leased_by", "delivery")
    op.drop_index(SHARE, "delivery")
    op.drop_index(TIMED, "acceptance")
    op.drop_index(OLD, "delivery")
    op.create_index(OLD, "delivery", ["destination", "next_try"])
    for table, names in (("delivery", ("priority", "sender")), ("acceptance", ("priority", "by_mode", "deliver_by"))):
        for name in names:
            op.drop_column(table, name)
