"""Mails as text and HTML: which templates there are, what they show, and how they become messages."""

from flask import Flask

from app.web.mails import order_mails as order_mails  # adds its templates
from app.web.mails import rendering


def register(app: Flask) -> None:
    """Prepare an app for making mails."""
    rendering.register(app)
