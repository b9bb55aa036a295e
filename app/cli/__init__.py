"""Commands: parse, one transaction, one verb of a service."""

from flask import Flask

from app.cli import catalogue, seed


def register(app: Flask) -> None:
    """Hang the commands into the app."""
    for made in (catalogue.import_products, catalogue.export_products, seed.seed_db):
        app.cli.add_command(made)
