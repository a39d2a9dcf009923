"""How Alembic runs here: on the caller's connection and inside its transaction. No URL, no log set-up."""

from alembic import context

from securewatch.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
)
context.run_migrations()
