"""What mails say about the shop."""

from collections.abc import Sequence
from typing import NamedTuple

from flask import current_app

from app.domain.store_settings import StoreSettings
from app.services.operations import store_service


class MailShop(NamedTuple):
    """The shop as its mails show it."""

    name: str
    url: str
    reply_to: str
    foot: Sequence[str]
    """The lines below each mail: who sells, where, and what the law demands."""


def mail_shop() -> MailShop:
    """The shop with its present settings."""
    settings, config = store_service.settings(), current_app.config
    reply_to = settings.email or config["MAIL_FROM"]
    return MailShop(settings.name, config["SHOP_URL"], reply_to, _foot(settings))


def _foot(settings: StoreSettings) -> list[str]:
    vat_id = f"VAT ID {settings.vat_id}" if settings.vat_id else ""
    contact = " · ".join(part for part in (settings.email, vat_id) if part)
    address = ", ".join(settings.address_lines)
    return [line for line in (settings.seller, address, contact) if line]
