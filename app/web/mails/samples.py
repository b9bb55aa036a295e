"""Sample mails, for previews and tests."""

from app.web.mails.rendering import RenderedMail, render
from app.web.mails.shop import MailShop
from app.web.mails.templates import find_template


def render_sample(name: str, shop: MailShop) -> RenderedMail:
    """A template with made-up values, for previews by staff.

    Raises:
        KeyError: there is no such template.
    """
    return render(name, {**find_template(name).sample(), "shop": shop})


def sample_shop() -> MailShop:
    """A shop in which everything is set."""
    foot = (
        "Nordlicht Handels GmbH", "Hafenstraße 12, 20457 Hamburg, Germany",
        "hello@nordlicht.example · VAT ID DE136695976",
    )  # fmt: skip
    return MailShop("Nordlicht", "https://nordlicht.example", "hello@nordlicht.example", foot)
