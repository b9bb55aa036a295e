"""The shop's settings over HTTP: what everybody sees, what staff see and change, and what is refused."""

import pytest

from app.models import AuditEvent, Store
from app.services.operations import store_service
from tests.integration.people import at_once, inside, only_row, rows, statuses
from tests.sql import watched

URL = "/api/settings"
PUBLIC = {
    "name": "ShopSwift",
    "currency": "USD",
    "locale": "en_US",
    "country": None,
    "prices_include_tax": True,
    "payment_methods": [
        {"id": "prepayment", "name": "Bank transfer in advance", "kind": "offline"},
        {"id": "invoice", "name": "Invoice", "kind": "offline"},
    ],
}
ADDRESS = {"line1": "Weidenweg 4", "postal_code": "10249", "city": "Berlin"}
NO_LINES = {"name": "", "line2": "", "region": "", "phone": ""}
ALL = {
    "name": "Osier",
    "legal_name": "Osier GmbH",
    "email": "hallo@osier.example",
    "address": {**ADDRESS, "phone": "+49 30 1234"},
    "country": "DE",
    "vat_id": "DE136695976",
    "prices_include_tax": False,
    "hold_minutes": 45,
    "prepayment_days": 10,
    "return_days": 14,
    "invoice_days": 0,
}


def changed(app):
    """The changes in the audit trail, without times."""
    return [(event.action, event.door, event.changes) for event in rows(app, AuditEvent)]


def test_everybody_sees_exactly_what_the_contract_names(anyone, customer):
    assert anyone.get(URL).json == customer.get(URL).json == PUBLIC


def test_staff_see_all_of_it(admin):
    assert admin.get(URL).json == {
        **PUBLIC, "legal_name": None, "email": None, "address": None, "vat_id": None,
        "hold_minutes": 30, "prepayment_days": 7, "return_days": 30, "invoice_days": 14,
        "version": 1,
    }  # fmt: skip


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_staff_change_what_they_send_and_everybody_sees_it(admin, anyone, method):
    response = admin.call(method, URL, json=ALL)

    assert response.status_code == 200
    address = {**NO_LINES, **ALL["address"], "country": "DE"}
    assert response.json == {**PUBLIC, **ALL, "address": address, "version": 2}
    assert admin.get(URL).json == response.json
    public = {**PUBLIC, "name": "Osier", "country": "DE", "prices_include_tax": False}
    assert anyone.get(URL).json == public
    assert admin.patch(URL, json={"hold_minutes": 1}).json == {
        **response.json, "hold_minutes": 1, "version": 3,
    }  # fmt: skip


def test_what_was_answered_can_be_sent_back(admin):
    admin.patch(URL, json=ALL)
    settings = admin.get(URL).json
    read_only = ("currency", "locale", "payment_methods", "version")

    response = admin.patch(URL, json={n: v for n, v in settings.items() if n not in read_only})

    assert (response.status_code, response.json) == (200, settings)


@pytest.mark.parametrize("name", ["legal_name", "email", "address", "country", "vat_id"])
def test_null_removes_a_setting(admin, name):
    admin.patch(URL, json=ALL)

    assert admin.patch(URL, json={name: None}).json[name] is None
    assert admin.get(URL).json[name] is None


def test_values_are_stored_in_their_usual_spelling(admin):
    sent = {
        "name": "  Osier ",
        "country": "gr",
        "email": "Hello@OSIER.example",
        "vat_id": "gr 094259216",
    }

    answer = admin.patch(URL, json=sent).json

    assert (answer["name"], answer["country"], answer["vat_id"]) == ("Osier", "GR", "EL094259216")
    assert answer["email"] == "Hello@osier.example"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"legal_name": " "}, "legal_name"),
        ({"email": "nobody"}, "email"),
        ({"country": "XX"}, "country"),
        ({"country": "EL"}, "country"),
        ({"vat_id": "DE136695977"}, "vat_id"),
        ({"vat_id": "GB980780685"}, "vat_id"),
        ({"vat_id": "US12345"}, "vat_id"),
        ({"vat_id": "9" * 100_000}, "vat_id"),
        ({"hold_minutes": 0}, "hold_minutes"),
        ({"hold_minutes": "30"}, "hold_minutes"),
        ({"hold_minutes": None}, "hold_minutes"),
        ({"prepayment_days": 0}, "prepayment_days"),
        ({"return_days": -1}, "return_days"),
        ({"invoice_days": 3651}, "invoice_days"),
        ({"prices_include_tax": 1}, "prices_include_tax"),
        ({"address": "Weidenweg 4"}, "address"),
        ({"address": {"line1": "Weidenweg 4"}}, "address.city"),
        ({"address": {**ADDRESS, "planet": "Earth"}}, "address.planet"),
        ({"address": {**ADDRESS, "country": "FR"}}, "address.country"),
        ({"country": "FR", "address": {**ADDRESS, "country": "DE"}}, "address.country"),
        ({"currency": "EUR"}, "currency"),
        ({"locale": "de_DE"}, "locale"),
        ({"payment_methods": []}, "payment_methods"),
        ({"version": 7}, "version"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(app, admin, body, field):
    admin.patch(URL, json={"country": "DE"})
    before = admin.get(URL).json

    response = admin.patch(URL, json={"return_days": 99, **body})

    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]
    assert admin.get(URL).json == before
    assert len(changed(app)) == 1


def test_an_address_may_name_the_country_and_sets_it_where_there_is_none(admin):
    with_country = {**ADDRESS, "country": "de"}

    assert admin.patch(URL, json={"address": with_country}).json["country"] == "DE"
    assert admin.patch(URL, json={"address": with_country}).json["address"]["country"] == "DE"
    # The address lies in the shop's country, so it moves with it.
    assert admin.patch(URL, json={"country": "AT"}).json["address"]["country"] == "AT"


def test_an_edit_raises_the_version_unless_it_changes_nothing(app, admin):
    etag = admin.patch(URL, json={"name": "Osier"}).headers["ETag"]
    again = admin.patch(URL, json={"name": "Osier"})

    assert (again.json["version"], again.headers["ETag"]) == (2, etag)
    assert len(changed(app)) == 1


def test_a_stale_etag_is_refused_and_changes_nothing(app, admin):
    etag = admin.get(URL).headers["ETag"]
    assert admin.patch(URL, json={"name": "A"}, headers={"If-Match": etag}).status_code == 200

    refused = admin.patch(URL, json={"name": "B"}, headers={"If-Match": etag})

    assert (refused.status_code, refused.json["code"]) == (412, "precondition_failed")
    assert only_row(app, Store).name == "A"
    newest = admin.get(URL).headers["ETag"]
    assert admin.patch(URL, json={"name": "B"}, headers={"If-Match": newest}).status_code == 200


def test_of_those_who_edit_one_version_at_once_one_wins(app, admin):
    def edit(name):
        return admin.patch(URL, json={"name": name}, headers={"If-Match": '"1"'})

    answers = at_once(lambda name=name: edit(name) for name in "ABCD")

    assert sorted(statuses(answers)) == [200, 412, 412, 412]
    assert only_row(app, Store).version == 2
    assert len(changed(app)) == 1


def test_the_same_answer_is_not_sent_twice_and_staffs_is_another(anyone, admin):
    etag = anyone.get(URL).headers["ETag"]

    assert anyone.get(URL, headers={"If-None-Match": etag}).status_code == 304
    assert admin.get(URL, headers={"If-None-Match": etag}).status_code == 200
    assert admin.get(URL).headers["Cache-Control"] == "no-store"


def test_the_trail_names_what_changed_and_no_person(app, admin):
    admin.patch(URL, json={"name": "Osier", "legal_name": "Lea Baum", "vat_id": "DE136695976"})
    admin.patch(URL, json={"legal_name": "Lea Weide", "vat_id": None, "hold_minutes": 5})

    assert changed(app) == [
        (
            "settings.edited",
            "api",
            {"name": [None, "Osier"], "legal_name": [None, "set"], "vat_id": [None, "set"]},
        ),
        (
            "settings.edited",
            "api",
            {"legal_name": ["set", "changed"], "vat_id": ["set", None], "hold_minutes": [30, 5]},
        ),
    ]
    assert "Lea" not in str(changed(app))


def test_a_shop_whose_row_is_missing_gets_one(app, admin):
    with app.app_context():
        from app.extensions import db

        db.session.execute(db.delete(Store))
        db.session.commit()

    assert admin.patch(URL, json={"name": "Osier"}).status_code == 200
    assert only_row(app, Store).currency == "USD"


def test_what_pages_show_is_read_once_in_a_while_and_changes_at_once_here(app, admin):
    statements = []

    def details():
        return inside(app, store_service.details)

    details()
    with watched(app, lambda statement, _values: statements.append(statement)):
        for _ in range(5):
            details()
    assert len(statements) <= 2  # the second, where the first entry was older than a second

    admin.patch(URL, json=ALL)

    assert details().name == "Osier"
    assert details().address_lines == ["Weidenweg 4", "10249 Berlin", "Germany"]
    assert inside(app, store_service.known_details).seller == "Osier GmbH"


def test_another_process_shows_a_change_within_a_second(app, admin, shops):
    other = shops()
    inside(other, store_service.details)
    admin.patch(URL, json={"name": "Osier"})

    assert inside(other, lambda: other.test_client().get(URL).json["name"]) == "Osier"
    other.extensions["catalogue_cache"].lists.clear()  # as after LIST_SECONDS
    assert inside(other, store_service.details).name == "Osier"
