"""Alembic's way in: `mailhost.database.migrate` hands over an open connection."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], transaction_per_migration=True, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
