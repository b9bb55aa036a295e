"""Commands."""

from flask import Flask


def register(app: Flask) -> None:
    """Hang the commands into the app."""
