"""Tax rates over HTTP."""

import pytest

PATH = "/api/tax-rates"
VAT = {"name": "VAT", "country": "DE", "rate": "19"}


def test_a_rate_is_created_changed_and_removed(admin):
    created = admin.post(PATH, json=VAT)
    rate = created.json
    assert created.status_code == 201
    assert created.headers["Location"] == f"{PATH}/{rate['id']}"
    assert rate == {
        "id": rate["id"], "name": "VAT", "country": "DE", "region": "", "tax_class": "standard",
        "rate": "19", "is_active": True,
    }  # fmt: skip

    edited = admin.patch(f"{PATH}/{rate['id']}", json={"rate": "9.975", "is_active": False})
    assert edited.json == {**rate, "rate": "9.975", "is_active": False}
    assert admin.get(PATH).json["items"] == [edited.json]
    assert admin.delete(f"{PATH}/{rate['id']}").status_code == 204
    assert admin.get(f"{PATH}/{rate['id']}").status_code == 404


def test_a_place_has_one_rate_of_a_name_and_class(admin):
    first = admin.post(PATH, json=VAT).json
    again = admin.post(PATH, json={**VAT, "country": "de", "rate": "7"})
    assert (again.status_code, again.json["code"]) == (409, "tax_rate_taken")
    reduced = admin.post(PATH, json={**VAT, "tax_class": "Reduced", "rate": "7"})
    assert (reduced.status_code, reduced.json["tax_class"]) == (201, "reduced")

    taken = admin.patch(f"{PATH}/{reduced.json['id']}", json={"tax_class": "standard"})
    assert (taken.status_code, taken.json["code"]) == (409, "tax_rate_taken")
    assert admin.patch(f"{PATH}/{first['id']}", json={"name": "VAT"}).status_code == 200


@pytest.mark.parametrize("region", ["QC", "qc", "CA-QC", "ca-qc"])
def test_a_region_is_understood_with_and_without_its_country(admin, region):
    qst = {"name": "QST", "country": "CA", "region": region, "rate": "9.975"}
    assert admin.post(PATH, json=qst).json["region"] == "QC"


@pytest.mark.parametrize(
    "fields",
    [
        {"rate": "-1"}, {"rate": "1.2345"}, {"rate": 19}, {"rate": "1001"}, {"rate": ""}, {"rate": None},
        {"country": "XX"}, {"region": "US-QC"}, {"region": "Quebec"}, {"name": ""}, {"tax_class": ""},
    ],
)  # fmt: skip
def test_what_is_no_rate_is_refused(admin, fields):
    answer = admin.post(PATH, json={**VAT, "country": "CA", **fields})
    assert answer.status_code == 422
    assert set(answer.json["errors"]) == set(fields)
