"""What mails say about the shop."""

from collections.abc import Sequence
from typing import NamedTuple

from flask import current_app


class MailShop(NamedTuple):
    """The shop as its mails show it."""

    name: str
    url: str
    reply_to: str
    foot: Sequence[str]
    """The lines below each mail: name, address, and what the law demands."""


def mail_shop() -> MailShop:
    """The shop with its present settings."""
    config = current_app.config
    name: str = config["STORE_NAME"]
    return MailShop(name, config["SHOP_URL"], config["MAIL_FROM"], (name,))
