"""Commands: each parses its arguments and calls one operation of a service in a transaction."""

from flask import Flask

from app.cli import catalogue, encryption, purge, schema, search_keys, seed, upkeep, users, work

COMMANDS = (
    seed.seed_db,
    users.create_admin,
    users.remove_second_factor,
    catalogue.import_products,
    catalogue.export_products,
    catalogue.undo_import,
    upkeep.audit,
    upkeep.doctor,
    purge.purge,
    work.work,
    search_keys.renew_search_keys,
    encryption.renew_encryption,
    schema.schema_state,
    upkeep.export_openapi,
)


def register(app: Flask) -> None:
    """Register the commands."""
    for command in COMMANDS:
        app.cli.add_command(command)
