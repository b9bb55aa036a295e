"""Shipping zones and methods over HTTP."""

import pytest

ZONES, METHODS = "/api/shipping-zones", "/api/shipping-methods"


def zone(admin, *places, **fields):
    named = [dict(zip(("country", "region"), place.split("-"), strict=False)) for place in places]
    return admin.post(ZONES, json={"name": "Zone", "places": named, **fields})


def method(admin, zone_id, *rates, **fields):
    rows = [{"price": rate} if isinstance(rate, str) else rate for rate in rates or ("4.95",)]
    return admin.post(METHODS, json={"zone_id": zone_id, "name": "Parcel", "rates": rows, **fields})


def test_a_zone_is_created_changed_and_removed(admin):
    created = zone(admin, "DE", "CA-QC").json
    assert created["places"] == [
        {"country": "CA", "region": "QC"}, {"country": "DE", "region": ""},
    ]  # fmt: skip
    places = [{"country": "DE"}, {"country": "AT"}]
    edited = admin.patch(f"{ZONES}/{created['id']}", json={"places": places}).json
    assert [place["country"] for place in edited["places"]] == ["AT", "DE"]
    assert admin.get(ZONES).json["items"] == [edited]

    parcel = method(admin, created["id"]).json
    refused = admin.delete(f"{ZONES}/{created['id']}")
    assert (refused.status_code, refused.json["code"]) == (409, "zone_not_empty")
    assert admin.delete(f"{METHODS}/{parcel['id']}").status_code == 204
    assert admin.delete(f"{ZONES}/{created['id']}").status_code == 204
    assert zone(admin, "DE").status_code == 201


def test_a_place_is_in_one_zone_and_one_zone_is_the_rest_of_the_world(admin):
    zone(admin, "CA", rest_of_world=True)
    for refused in (zone(admin, "CA"), zone(admin, rest_of_world=True)):
        assert (refused.status_code, refused.json["code"]) == (409, "place_taken")
    assert zone(admin, "CA-QC").status_code == 201


def test_methods_of_a_region_come_before_those_of_its_country_and_of_the_rest(admin, anyone):
    for name, *places in (("region", "CA-QC"), ("country", "CA"), ("rest",)):
        made = zone(admin, *places, rest_of_world=name == "rest").json
        method(admin, made["id"], name=name)
        method(admin, made["id"], name="hidden", is_active=False)

    def names(**place):
        answer = anyone.get(METHODS, query_string=place)
        assert answer.status_code == 200, answer.text
        items = answer.json["items"]
        return [item["name"] for item in items]

    assert names(country="CA", region="QC") == names(country="CA", region="ca-qc") == ["region"]
    assert names(country="CA") == names(country="CA", region="ON") == ["country"]
    assert names(country="DE") == ["rest"]
    assert names() == ["region", "country", "rest"]
    assert len(admin.get(METHODS).json["items"]) == 6


def test_a_table_by_weight_and_one_by_subtotal(admin):
    zone_id = zone(admin, "DE").json["id"]
    rows = [
        {"from": 1000, "price": "9.90", "until": 5000},
        {"from": 0, "price": "4.90"},
    ]
    by_weight = method(admin, zone_id, *rows, basis="weight").json
    assert by_weight["rates"] == [
        {"from": 0, "price": "4.90", "until": None},
        {"from": 1000, "price": "9.90", "until": 5000},
    ]
    rows = [{"from": "0", "price": "4.90"}, {"from": "50.00", "price": "0"}]
    by_subtotal = method(admin, zone_id, *rows, basis="subtotal", free_from="100").json
    assert [row["from"] for row in by_subtotal["rates"]] == ["0.00", "50.00"]
    assert by_subtotal["free_from"] == "100.00"
    edited = admin.patch(f"{METHODS}/{by_subtotal['id']}", json={"basis": "weight"})
    assert (edited.status_code, list(edited.json["errors"])) == (422, ["rates"])


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"rates": []}, "rates"),
        ({"rates": [{"from": 1, "price": "1"}]}, "rates.0.from"),
        ({"basis": "weight", "rates": [{"from": 1.5, "price": "1"}]}, "rates.0.from"),
        ({"basis": "weight", "rates": [{"from": [], "price": "1"}]}, "rates.0.from"),
        ({"basis": "weight", "rates": [{"from": True, "price": "1"}]}, "rates.0.from"),
        ({"basis": "weight", "rates": [{"from": "1" * 10**5, "price": "1"}]}, "rates.0.from"),
        ({"basis": "weight", "rates": [{"from": 5, "price": "1", "until": 4}]}, "rates.0.until"),
        ({"basis": "subtotal", "rates": [{"from": "1.005", "price": "1"}]}, "rates.0.from"),
        ({"basis": "subtotal", "rates": [{"from": 1, "price": "1"}] * 2}, "rates.1.from"),
        ({"rates": [{"from": 0}]}, "rates.0.price"),
        ({"rates": [{"price": "1", "until": 3}]}, "rates.0.until"),
        ({"basis": "moon"}, "basis"),
        ({"min_days": 3, "max_days": 2}, "max_days"),
        ({"min_days": 3}, "max_days"),
        ({"zone_id": 10**15}, "zone_id"),
        ({"free_from": "-1"}, "free_from"),
    ],
)
def test_what_is_no_method_is_refused(admin, fields, error):
    zone_id = zone(admin, "DE").json["id"]
    body = {"zone_id": zone_id, "name": "Parcel", "rates": [{"price": "1"}], **fields}
    answer = admin.post(METHODS, json=body)
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [error]
