"""Tax rates on the staff's pages, and the sets of rates to start with."""

import pytest

from app.domain.pricing.percent import MAX_PERCENT
from app.domain.pricing.starter_rates import STARTER_SETS
from app.models import TaxRate
from tests import factories
from tests.integration.people import rows
from tests.integration.pricing.shop import rate, settings
from tests.integration.shopping import fill
from tests.integration.staff import fields_of, signed_in_staff

TAXES = "/admin/settings/taxes"


@pytest.fixture
def clerk(app):
    return signed_in_staff(app)


def test_a_rate_is_added_changed_and_deleted(clerk, app):
    clerk.get(f"{TAXES}/new")
    sent = {"name": "VAT", "country": "CH", "rate": "8.1 %", "is_active": "1"}
    page = clerk.follow(clerk.send(f"{TAXES}/new", **sent)).text
    assert "Switzerland" in page
    assert "8.1 %" in page
    (row,) = rows(app, TaxRate)
    assert (row.tax_class, row.rate, row.is_active) == ("standard", 8100, True)

    path = f"{TAXES}/{row.id}"
    fields = fields_of(clerk.get(path).text, path)
    assert fields["rate"] == "8.1"
    clerk.follow(clerk.client.post(path, data={**fields, "rate": "8.2", "is_active": ""}))
    (row,) = rows(app, TaxRate)
    assert (row.rate, row.is_active) == (8200, False)

    clerk.get(path)
    clerk.follow(clerk.send(f"{path}/delete"))
    assert rows(app, TaxRate) == []


def test_what_is_wrong_stands_beside_its_field(clerk, app):
    clerk.get(f"{TAXES}/new")
    answer = clerk.send(
        f"{TAXES}/new", name="VAT", country="CH", rate="eight", region="much too long"
    )
    assert answer.status_code == 422
    assert "with at most three decimal places, such as 19" in answer.text
    assert "between 0 and 10 characters" in answer.text.casefold()
    assert rows(app, TaxRate) == []


def test_a_second_rate_of_a_name_and_class_is_refused(clerk, admin, app):
    rate(admin, "CH", "8.1")
    clerk.get(f"{TAXES}/new")
    answer = clerk.send(f"{TAXES}/new", name="VAT", country="CH", rate="9")
    assert answer.status_code == 409
    assert "has a rate of this name for the class already" in answer.text
    assert len(rows(app, TaxRate)) == 1


@pytest.mark.parametrize("starter", STARTER_SETS, ids=lambda starter: starter.key)
def test_a_set_adds_what_the_shop_has_not_yet(clerk, admin, app, starter):
    first = starter.rates[0]
    rate(admin, first.country, "1", name=first.name, region=first.region)
    for added in (len(starter.rates) - 1, 0):
        clerk.get(TAXES)
        page = clerk.follow(clerk.send(f"{TAXES}/starter-set", set=starter.key)).text
        assert f"{added} rates are added" in page
    kept, *others = rows(app, TaxRate)
    assert kept.rate == 1000
    assert len(others) == len(starter.rates) - 1
    assert {row.is_active for row in others} <= {starter.is_active}


def test_no_set_has_a_rate_twice_or_one_that_cannot_be():
    for starter in STARTER_SETS:
        keys = [rate[:4] for rate in starter.rates]
        assert len(set(keys)) == len(keys)
        assert all(0 <= rate.rate <= MAX_PERCENT // 10 for rate in starter.rates)


def test_a_set_that_is_not_there_is_not_found(clerk):
    clerk.get(TAXES)
    assert clerk.send(f"{TAXES}/starter-set", set="atlantis").status_code == 404


def test_in_canada_each_province_has_its_own_taxes(clerk, admin, customer, app):
    """Ontario has HST in place of GST, Quebec has QST beside it."""
    settings(admin, country="CA", prices_include_tax=False)
    clerk.get(TAXES)
    clerk.send(f"{TAXES}/starter-set", set="ca")
    with app.app_context():
        fill(customer, factories.product(price=10000, stock=3))
    taxes = {}
    for region in ("ON", "QC", "AB"):
        place = {"shipping_address": {"country": "CA", "region": region}}
        quote = customer.post("/api/cart/quote", json=place).json
        taxes[region] = {tax["name"]: tax["amount"] for tax in quote["taxes"]}
    assert taxes == {
        "ON": {"HST": "13.00"},
        "QC": {"GST": "5.00", "QST": "9.98"},
        "AB": {"GST": "5.00"},
    }
