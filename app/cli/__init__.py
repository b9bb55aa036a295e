"""Commands: parse, one transaction, one verb of a service."""

from flask import Flask

from app.cli import catalogue, purge, schema, seed, upkeep, users

COMMANDS = (
    seed.seed_db,
    users.create_admin,
    catalogue.import_products,
    catalogue.export_products,
    catalogue.undo_import,
    upkeep.audit,
    upkeep.doctor,
    purge.purge,
    schema.schema_state,
    upkeep.export_openapi,
)


def register(app: Flask) -> None:
    """Hang the commands into the app."""
    for command in COMMANDS:
        app.cli.add_command(command)
