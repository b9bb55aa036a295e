"""Mails as text and HTML: which templates there are, what they show, and how they become messages."""

from flask import Flask

from app.web.mails import account_mails as account_mails  # each module adds its templates
from app.web.mails import order_mails as order_mails
from app.web.mails import rendering
from app.web.mails import staff_mails as staff_mails


def register(app: Flask) -> None:
    """Prepare an app for making mails."""
    rendering.register(app)
