"""Mails in the staff's browser: addresses and states always, texts in development alone."""

import pytest

from app.config import Production
from app.db.unit_of_work import in_transaction
from app.jobs import KINDS, RELAYS
from app.jobs.worker import Worker
from app.models import Mail
from app.services.messages import mail_service
from app.web.mails.templates import all_templates
from tests import factories
from tests.integration.conftest import Caller
from tests.integration.people import inside, rows
from tests.integration.shopping import guest_order
from tests.integration.staff import signed_in_staff

MAIL = "/admin/mail"


@pytest.fixture
def staff(app):
    return signed_in_staff(app)


@pytest.fixture
def sent(app):
    """The mail about a guest's order, which was sent."""
    guest_order(Caller(app), inside(app, factories.product))
    Worker(app, KINDS, (), relays=RELAYS).drain()
    return next(row for row in rows(app, Mail) if row.template == "order_placed")


def test_the_page_shows_what_became_of_each_mail(app, staff, sent):
    inside(app, lambda: in_transaction(lambda: mail_service.queue_mail(
        "order_shipped", "<b>@example.com", "1", {"order": "none"}
    )))  # fmt: skip
    Worker(app, KINDS, ()).drain()
    page = staff.get(MAIL).text
    for text in (
        "guest@example.com",
        "Order received",
        "&lt;b&gt;@example.com",
        "Staff: new sign-in",
    ):
        assert text in page
    assert "person is erased" in page
    failed = staff.get(f"{MAIL}?status=failed").text
    assert "guest@example.com" not in failed
    assert "1 mail" in failed
    assert staff.get(f"{MAIL}?status=nonsense").status_code == 200
    assert "a page of its own" in staff.get("/admin/jobs").text


def test_in_development_staff_read_a_mail(staff, sent):
    page = staff.get(f"{MAIL}/{sent.id}").text
    for text in ("Thank you for your order", "?token=", "Auto-Submitted", "Message-ID"):
        assert text in page
    html = staff.get(f"{MAIL}/{sent.id}/html")
    assert "Thank you for your order</h1>" in html.text
    assert "default-src 'none'" in html.headers["Content-Security-Policy"]
    assert "sandbox" in html.headers["Content-Security-Policy"]


def test_in_production_they_read_none(app, staff, sent, monkeypatch):
    monkeypatch.setattr(app.extensions["settings"], "NAME", Production.NAME)
    page = staff.get(f"{MAIL}/{sent.id}").text
    assert "guest@example.com" in page
    assert "token=" not in page
    assert "Thank you" not in page
    assert staff.get(f"{MAIL}/{sent.id}/html").status_code == 404


def test_what_is_not_there_is_not_found(staff):
    for path in ("0", "999", "9" * 30, "999/html", "templates/none", "templates/none/html"):
        assert staff.get(f"{MAIL}/{path}").status_code == 404


@pytest.mark.parametrize("template", [template.name for template in all_templates()])
def test_each_template_has_a_preview(staff, template):
    page = staff.get(f"{MAIL}/templates/{template}")
    assert page.status_code == 200
    assert "ShopSwift" in page.text
    html = staff.get(f"{MAIL}/templates/{template}/html")
    assert html.status_code == 200
    assert "prefers-color-scheme" in html.text
