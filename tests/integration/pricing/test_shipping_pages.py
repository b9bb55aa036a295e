"""Shipping zones and methods on the staff's pages, and the try-out."""

import pytest

from app.models import ShippingMethod, ShippingPlace, ShippingZone
from tests.integration.people import only_row, rows
from tests.integration.pricing.shop import method, rate, settings
from tests.integration.staff import fields_of, signed_in_staff

SHIPPING = "/admin/settings/shipping"
ZONES, METHODS = f"{SHIPPING}/zones", f"{SHIPPING}/methods"


@pytest.fixture
def clerk(app):
    return signed_in_staff(app)


def test_a_zone_has_countries_and_regions(clerk, app):
    clerk.get(f"{ZONES}/new")
    sent = {"name": "North", "countries": ["DE", "DK"], "regions": "ca-qc\r\n\r\n CA-ON "}
    page = clerk.follow(clerk.send(f"{ZONES}/new", **sent)).text
    assert "Canada (ON), Canada (QC), Germany, Denmark" in page
    places = {(place.country, place.region) for place in rows(app, ShippingPlace)}
    assert places == {("DE", ""), ("DK", ""), ("CA", "QC"), ("CA", "ON")}

    path = f"{ZONES}/{only_row(app, ShippingZone).id}"
    fields = fields_of(clerk.get(path).text, path)
    assert fields["regions"].splitlines() == ["CA-ON", "CA-QC"]
    fields |= {"countries": ["DE"], "regions": "", "rest_of_world": "1"}
    clerk.follow(clerk.client.post(path, data=fields))
    assert [place.country for place in rows(app, ShippingPlace)] == ["DE"]
    assert only_row(app, ShippingZone).rest_of_world


@pytest.mark.parametrize("regions", ["zz top", "CA-QUEBEC", "CAX", "-", "CA-QC-1", "CA-QC\nx"])
def test_a_region_that_is_none_is_marked(clerk, app, regions):
    clerk.get(f"{ZONES}/new")
    answer = clerk.send(f"{ZONES}/new", name="North", regions=regions)
    assert answer.status_code == 422
    assert "One code of ISO 3166-2 in each line" in answer.text
    assert rows(app, ShippingZone) == []


def test_a_place_of_another_zone_is_refused(clerk, admin, app):
    method(admin, "DE")
    clerk.get(f"{ZONES}/new")
    answer = clerk.send(f"{ZONES}/new", name="Second", countries="DE")
    assert answer.status_code == 409
    assert "DE belongs to Zone." in answer.text
    assert len(rows(app, ShippingZone)) == 1


def test_a_zone_is_deleted_once_it_has_no_methods(clerk, admin, app):
    offered = method(admin, "DE")
    path = f"{ZONES}/{offered['zone_id']}"
    clerk.get(path)
    assert clerk.send(f"{path}/delete").status_code == 409
    clerk.get(f"{METHODS}/{offered['id']}")
    clerk.follow(clerk.send(f"{METHODS}/{offered['id']}/delete"))
    clerk.get(path)
    clerk.follow(clerk.send(f"{path}/delete"))
    assert rows(app, ShippingZone) == []


def test_a_method_has_a_table_of_prices(clerk, admin, app):
    zone_id = method(admin, "DE")["zone_id"]
    page = clerk.get(f"{METHODS}/new?zone={zone_id}")
    fields = fields_of(page.text, f"{METHODS}/new")
    assert fields["zone_id"] == str(zone_id)
    fields |= {
        "name": "Freight", "basis": "weight", "min_days": "0", "max_days": "2",
        "rates.1.price": "9.90", "rates.2.from": "5000", "rates.2.until": "30000",
        "rates.2.price": "19.90", "free_from": "200",
    }  # fmt: skip
    clerk.follow(clerk.client.post(f"{METHODS}/new", data=fields))
    stored = rows(app, ShippingMethod)[-1]
    assert stored.rates == [
        {"from": 0, "price": 990, "until": None},
        {"from": 5000, "price": 1990, "until": 30000},
    ]
    assert (stored.min_days, stored.max_days, stored.free_from) == (0, 2, 20000)

    path = f"{METHODS}/{stored.id}"
    shown = fields_of(clerk.get(path).text, path)
    clerk.follow(clerk.client.post(path, data=shown))
    again = rows(app, ShippingMethod)[-1]
    assert (again.rates, again.free_from) == (stored.rates, stored.free_from)


def test_what_is_wrong_in_a_row_stands_beside_it(clerk, admin, app):
    zone_id = method(admin, "DE")["zone_id"]
    clerk.get(f"{METHODS}/new")
    answer = clerk.send(
        f"{METHODS}/new",
        **{"name": "Freight", "zone_id": str(zone_id), "basis": "subtotal", "rates.2.price": "4.90",
           "rates.4.from": "50", "rates.4.until": "10", "rates.4.price": "1"},
    )  # fmt: skip
    assert answer.status_code == 422
    row = answer.text[answer.text.index('name="rates.1.until"') :]
    assert "At least `from`." in row[: row.index("</td>")]
    assert len(rows(app, ShippingMethod)) == 1


def test_an_order_is_tried_out_without_being_placed(clerk, admin):
    settings(admin, country="DE", prices_include_tax=True)
    rate(admin, "DE", "19")
    method(admin, "DE", price="4.95", free_from="100")
    near = clerk.get(f"{SHIPPING}?country=DE&goods=49&weight=100").text
    assert "$4.95" in near
    assert "VAT 19 % $7.82" in near
    assert "$0.00" in clerk.get(f"{SHIPPING}?country=DE&goods=100&weight=100").text
    far = clerk.get(f"{SHIPPING}?country=US&goods=49").text
    assert "No method ships this order there." in far
    assert "Exported without tax." in far


@pytest.mark.parametrize(
    "query",
    ["country=DE", "country=XX&goods=1", "country=DE&goods=x", "country=CA&goods=1&region=QUEBEC"],
)
def test_what_cannot_be_tried_out_is_told(clerk, query):
    answer = clerk.get(f"{SHIPPING}?{query}")
    assert answer.status_code == 422
    assert "Please look at the fields that are marked." in answer.text
