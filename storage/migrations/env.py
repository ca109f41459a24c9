"""Alembic reads this file to learn which connection to migrate: the one `storage.schema` gives it.

The caller owns the transaction, so a migration that stops half way leaves nothing behind.
"""

from alembic import context

from storage.base import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
