"""Address books over HTTP."""

import pytest

from app.models import Address
from app.services.accounts import address_service
from tests.integration.people import rows

BOOK = "/api/users/me/addresses"
SHORT = {"name": "Ann Lee", "line1": "Main Street 1", "city": "Springfield", "country": "US"}
FULL = {
    "name": "Zoë Łukasz", "line1": "Straße 5", "line2": "c/o Böll", "city": "Köln", "region": "NRW",
    "postal_code": "50667", "country": "DE", "phone": "+49 221 123456",
}  # fmt: skip


@pytest.fixture
def address(customer):
    """An address of the customer's."""
    return customer.post(BOOK, json=FULL).json


def test_an_address_is_added(customer):
    response = customer.post(BOOK, json=FULL)

    assert response.status_code == 201
    assert response.json == {"id": response.json["id"], **FULL}
    assert response.headers["Location"] == f"{BOOK}/{response.json['id']}"
    assert response.headers["Cache-Control"] == "no-store"
    assert customer.get(response.headers["Location"]).json == response.json


def test_what_may_be_left_out_is_empty(customer):
    response = customer.post(BOOK, json=SHORT)

    empty = dict.fromkeys(("line2", "region", "postal_code", "phone"), "")
    assert response.json == {"id": response.json["id"], **SHORT, **empty}


def test_countries_in_small_letters_are_understood(customer):
    assert customer.post(BOOK, json={**SHORT, "country": " de "}).json["country"] == "DE"


@pytest.mark.parametrize(
    ("field", "value"),
    [("country", "XX"), ("country", "UK"), ("country", "DEU"), ("country", ""), ("country", 49), ("country", "ıN"),
     ("name", ""), ("name", "  "), ("name", None), ("name", "x" * 201), ("line1", "a\0b"), ("line1", ["x"]),
     ("city", "a\nb"), ("postal_code", "1" * 21), ("phone", 123), ("phone", "1" * 41), ("id", 7), ("user_id", 1)],
)  # fmt: skip
def test_a_wrong_field_is_refused(app, customer, field, value):
    response = customer.post(BOOK, json={**SHORT, field: value})

    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]
    assert rows(app, Address) == []


def test_the_missing_fields_are_named_together(customer):
    response = customer.post(BOOK, json={})

    assert set(response.json["errors"]) == {"name", "line1", "city", "country"}


def test_the_book_is_read_by_page(customer, other_customer):
    added = [customer.post(BOOK, json={**SHORT, "name": f"N{n}"}).json for n in range(3)]
    other_customer.post(BOOK, json=SHORT)

    first, second = customer.get(f"{BOOK}?per_page=2"), customer.get(f"{BOOK}?per_page=2&page=2")

    assert first.json["items"] == added[:2]
    assert second.json["items"] == added[2:]
    assert (first.json["total"], first.json["pages"]) == (3, 2)
    assert 'rel="next"' in first.headers["Link"]
    assert customer.get(f"{BOOK}?per_page=101").status_code == 422


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_the_fields_sent_are_changed(customer, address, method):
    response = customer.call(
        method, f"{BOOK}/{address['id']}", json={"city": "Bonn", "line2": "", "country": "at"}
    )

    assert response.status_code == 200
    assert response.json == {**address, "city": "Bonn", "line2": "", "country": "AT"}


@pytest.mark.parametrize(
    "change", [{"city": ""}, {"country": "XX"}, {"id": 5}, {"user_id": 5}, {"name": None}]
)
def test_a_wrong_change_is_refused_whole(customer, address, change):
    response = customer.patch(f"{BOOK}/{address['id']}", json={"line1": "New", **change})

    assert response.status_code == 422
    assert customer.get(f"{BOOK}/{address['id']}").json == address


def test_an_address_is_removed(customer, address):
    response = customer.delete(f"{BOOK}/{address['id']}")

    assert response.status_code == 204
    assert customer.get(f"{BOOK}/{address['id']}").status_code == 404
    assert customer.delete(f"{BOOK}/{address['id']}").status_code == 404


def calls_to(caller, address_id):
    path = f"{BOOK}/{address_id}"
    return [
        caller.get(path),
        caller.patch(path, json={"city": "Rome"}),
        caller.put(path, json={}),
        caller.delete(path),
    ]


def test_other_peoples_addresses_are_not_found_by_staff_neither(
    app, customer, other_customer, admin, address
):
    for caller in (other_customer, admin):
        assert [answer.status_code for answer in calls_to(caller, address["id"])] == [404] * 4

    assert customer.get(f"{BOOK}/{address['id']}").json == address


@pytest.mark.parametrize(
    "address_id", ["0", "-1", "x", "%00", str(2**63 - 1), str(2**63), "9" * 40]
)
def test_what_is_no_address_is_not_found(customer, address_id):
    assert [answer.status_code for answer in calls_to(customer, address_id)] == [404] * 4


def test_an_id_has_one_spelling(customer, address):
    padded = f"00{address['id']}"
    arabic = "".join(chr(0x0660 + int(digit)) for digit in str(address["id"]))

    for spelling in (padded, arabic):
        assert [answer.status_code for answer in calls_to(customer, spelling)] == [404] * 4

    assert customer.get(f"{BOOK}/{address['id']}").json == address


def test_the_book_needs_a_sign_in(anyone):
    answers = [anyone.get(BOOK), anyone.post(BOOK, data="{"), *calls_to(anyone, 1)]

    assert [answer.status_code for answer in answers] == [401] * 6


def test_a_book_has_an_end(app, customer, monkeypatch):
    monkeypatch.setattr(address_service, "MAX_ADDRESSES", 2)
    for _ in range(2):
        customer.post(BOOK, json=SHORT)

    response = customer.post(BOOK, json=SHORT)

    assert response.status_code == 409
    assert response.json["code"] == "too_many_addresses"
    assert len(rows(app, Address)) == 2
