"""The shop's settings on the staff's pages, the reminder of what is missing, and the names on pages."""

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy.exc import OperationalError

from app.domain.clock import utc_now
from app.models import AuditEvent, Store
from app.services.operations import store_service
from tests.integration.browsing import Browser
from tests.integration.people import change, inside, make_user, only_row, rows
from tests.integration.staff import fields_of, signed_in_staff
from tests.sql import watched

SETTINGS, TODAY, LATER = "/admin/settings", "/admin", "/admin/settings/later"
COMPANY = {
    "name": "Osier",
    "legal_name": "Osier GmbH",
    "email": "hallo@osier.example",
    "country": "DE",
    "vat_id": "de 136 695 976",
    "address.line1": "Weidenweg 4",
    "address.postal_code": "10249",
    "address.city": "Berlin",
    "hold_minutes": "45",
}


@pytest.fixture
def clerk(app) -> Browser:
    """A browser in which a member of staff is signed in."""
    return signed_in_staff(app)


def save(clerk: Browser, **changed: str):
    """Send the form as it is shown, but for these fields."""
    fields = {**fields_of(clerk.get(SETTINGS).text, SETTINGS), **changed}
    return clerk.client.post(SETTINGS, data=fields)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


def footer_of(html: str) -> str:
    return text_of(html[html.index("<footer") :])


def test_only_staff_get_in(app):
    make_user(app)
    customer = Browser(app)

    assert customer.get(SETTINGS).headers["Location"] == f"/login?next={SETTINGS}"
    customer.sign_in("ann@example.com")
    assert customer.get(SETTINGS).status_code == 403


def test_what_is_saved_is_shown_and_recorded(app, clerk):
    response = save(clerk, **COMPANY)

    assert (response.status_code, response.headers["Location"]) == (303, SETTINGS)
    html = clerk.get(SETTINGS).text
    assert "The settings are saved." in html
    shown = fields_of(html, SETTINGS)
    assert shown == {**shown, **COMPANY, "vat_id": "DE136695976", "version": "2"}
    assert "prices_include_tax" in shown
    store = only_row(app, Store)
    assert store.address == {
        "name": "", "line1": "Weidenweg 4", "line2": "", "city": "Berlin", "region": "",
        "postal_code": "10249", "phone": "",
    }  # fmt: skip
    assert (store.hold_minutes, store.prices_include_tax) == (45, True)
    event = only_row(app, AuditEvent)
    assert (event.action, event.door) == ("settings.edited", "pages")


def test_a_form_that_is_sent_as_shown_changes_nothing(app, clerk):
    save(clerk, **COMPANY)

    assert save(clerk).status_code == 303
    assert only_row(app, Store).version == 2
    assert len(rows(app, AuditEvent)) == 1


def test_a_box_that_is_not_ticked_is_no(app, clerk):
    fields = fields_of(clerk.get(SETTINGS).text, SETTINGS)
    del fields["prices_include_tax"]
    clerk.client.post(SETTINGS, data=fields)

    assert only_row(app, Store).prices_include_tax is False
    assert "prices_include_tax" not in fields_of(clerk.get(SETTINGS).text, SETTINGS)


def test_empty_fields_remove_settings(app, clerk):
    save(clerk, **COMPANY)
    empty = dict.fromkeys(
        ("legal_name", "email", "country", "vat_id", "address.line1", "address.postal_code", "address.city"),
        " ",
    )  # fmt: skip

    assert save(clerk, **empty).status_code == 303
    store = only_row(app, Store)
    nothing = (store.legal_name, store.email, store.country, store.vat_id, store.address)
    assert nothing == (None,) * 5


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("name", " ", "This is needed."),
        ("email", "nobody", "An email address must have an @-sign."),
        (
            "vat_id",
            "DE136695977",
            "This is no VAT id of that country: compare each letter and digit.",
        ),
        ("country", "XX", "Not a country code of ISO 3166-1, such as DE."),
        ("hold_minutes", "0", "From 1 to 525600."),
        ("return_days", "many", "Not a whole number."),
        ("address.city", " ", "This is needed."),
    ],
)
def test_mistakes_are_shown_beside_their_fields_with_what_was_written(
    app, clerk, field, text, words
):
    response = save(clerk, **{**COMPANY, field: text})

    assert response.status_code == 422
    assert f'<small id="{field}-said">{words}</small>' in unescape(response.text)
    assert "Osier GmbH" in response.text
    assert only_row(app, Store).version == 1


def test_somebody_elses_change_is_not_overwritten_unasked(app, clerk):
    mine = {**fields_of(clerk.get(SETTINGS).text, SETTINGS), "name": "Mine"}
    save(clerk, name="Theirs")

    refused = clerk.client.post(SETTINGS, data=mine)

    assert refused.status_code == 412
    assert "Somebody has changed the settings" in refused.text
    assert only_row(app, Store).name == "Theirs"
    again = fields_of(refused.text, SETTINGS)
    assert again["name"] == "Mine"
    assert clerk.client.post(SETTINGS, data=again).status_code == 303
    assert only_row(app, Store).name == "Mine"


def test_a_form_that_is_sent_twice_is_carried_out_once(app, clerk):
    fields = {**fields_of(clerk.get(SETTINGS).text, SETTINGS), "name": "Osier"}

    answers = [clerk.client.post(SETTINGS, data=fields).status_code for _ in range(2)]

    assert answers == [303, 303]
    assert only_row(app, Store).version == 2


# --- what is missing ---


def test_staff_are_asked_for_what_is_missing_until_it_is_there(clerk):
    before = text_of(clerk.get(TODAY).text)
    missing = "the legal name, the email address, the address and the country"
    assert f"Mails and invoices need {missing}." in before

    save(clerk, **{**COMPANY, "vat_id": ""})
    assert "Mails and invoices need the VAT id." in text_of(clerk.get(TODAY).text)

    save(clerk, vat_id="DE136695976")
    assert "Mails and invoices need" not in clerk.get(TODAY).text


def test_where_ids_cannot_be_checked_none_is_asked_for(clerk):
    save(clerk, **{**COMPANY, "country": "US", "vat_id": ""})

    assert "Mails and invoices need" not in clerk.get(TODAY).text


def test_it_can_be_put_off_for_a_month(app, clerk):
    fields = fields_of(clerk.get(TODAY).text, LATER)
    response = clerk.client.post(LATER, data=fields)

    assert (response.status_code, response.headers["Location"]) == (303, TODAY)
    assert "Mails and invoices need" not in clerk.get(TODAY).text

    change(app, only_row(app, Store), setup_postponed_until=utc_now() - timedelta(seconds=1))
    assert "Mails and invoices need" in clerk.get(TODAY).text


# --- names on pages ---


def test_pages_show_the_shops_name_and_who_sells_in_their_foot(app, anyone, clerk):
    assert footer_of(anyone.get("/").text).startswith("ShopSwift All products")
    save(clerk, **COMPANY)

    html = anyone.get("/").text

    assert "<title>Osier</title>" in html
    assert '<a class="brand" href="/">Osier</a>' in html
    foot = "Osier GmbH · Weidenweg 4 · 10249 Berlin · Germany · hallo@osier.example · VAT id DE136695976"
    assert footer_of(html).startswith(foot)
    assert "ShopSwift" not in html
    assert "Osier" in clerk.get(TODAY).text


def test_names_are_text_and_no_markup(anyone, clerk):
    save(clerk, **{**COMPANY, "name": "<b>Osier</b>", "email": "a?b&c@osier.example"})

    html = anyone.get("/").text

    assert "&lt;b&gt;Osier&lt;/b&gt;" in html
    assert "<b>Osier" not in html
    assert 'href="mailto:a%3Fb%26c@osier.example"' in html


def test_a_page_whose_parts_are_cached_needs_no_statement_for_the_settings(app, anyone):
    """Of pages one after the other at most one reads them, if a second begins meanwhile."""
    anyone.get("/search")
    reads = []
    for _ in range(4):
        statements: list[str] = []
        with watched(app, lambda statement, _values, said=statements: said.append(statement)):
            anyone.get("/search")
        reads.append(sum("FROM store" in one for one in statements))

    assert min(reads) == 0
    assert max(reads) <= 1


def test_an_error_page_shows_the_name_that_was_read_last_and_asks_nothing(
    app, anyone, clerk, monkeypatch
):
    save(clerk, name="Osier")
    anyone.get("/")

    def fail(*_arguments: object) -> None:
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(store_service, "run", fail)
    monkeypatch.setattr("app.web.catalogue_answers.category_service.branch", fail)
    app.extensions["catalogue_cache"].lists.clear()
    response = anyone.get("/")

    assert response.status_code == 503
    assert '<a class="brand" href="/">Osier</a>' in response.text
    missing = anyone.get("/nothing-here")
    assert missing.status_code == 404
    assert "Osier" in missing.text


def test_the_trail_shows_what_changed(clerk):
    save(clerk, **COMPANY)

    page = text_of(clerk.get("/admin/audit-trail?subject=settings").text)

    assert "hold minutes 30 → 45" in page
    assert "Osier GmbH" not in page


def test_a_password_like_the_shops_name_is_refused(app, anyone, clerk):
    save(clerk, name="Weidenkorb")
    inside(app, store_service.details)

    weak = {"email": "bo@example.com", "password": "weidenkorb1"}
    assert anyone.post("/api/auth/register", json=weak).status_code == 422
