"""Alembic's entry: runs on the connection that ``engine.store.migrating`` opened, inside its transaction."""

from alembic import context

from engine.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
