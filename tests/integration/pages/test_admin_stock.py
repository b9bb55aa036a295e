"""Stock on the staff's pages: looked at, corrected, and followed through the ledger."""

from typing import Any

import pytest

from app.models import AuditEvent, StockMovement, Variant
from tests import factories
from tests.integration.browsing import Browser, links
from tests.integration.conftest import signed_in
from tests.integration.people import inside, only_row, rows
from tests.integration.shopping import order
from tests.integration.staff import fields_of, signed_in_staff


@pytest.fixture
def clerk(app) -> Browser:
    """A browser in which a member of staff is signed in."""
    return signed_in_staff(app)


@pytest.fixture
def mug(app) -> Any:
    return inside(app, factories.product, name="Mug", sku="MUG", stock=5)


def path(product: Any) -> str:
    """Where its stock is."""
    return f"/admin/products/{product.id}/stock"


def correct(clerk: Browser, where: str, **changed: str) -> Any:
    """Send the form as it is shown, but for these fields."""
    sent = {**fields_of(clerk.get(where).text, where), "reason": "delivery", **changed}
    return clerk.client.post(where, data=sent)


def test_the_figures_and_the_ledger_are_shown(app, clerk, mug):
    number = order(signed_in(app), mug, 2).json["number"]

    html = clerk.get(path(mug)).text

    for figure in ("5", "2", "3"):
        assert f'<td class="figure">{figure}</td>' in html
    assert f"/admin/orders/{number}" in links(html)
    assert "initial stock" in html
    assert "+2" in html


@pytest.mark.parametrize(
    ("sent", "on_hand"),
    [({"number": "7"}, 12), ({"number": "-5"}, 0), ({"number": " +1 "}, 6),
     ({"way": "on_hand", "number": "3"}, 3), ({"way": "on_hand", "number": "5"}, 5)],
)  # fmt: skip
def test_stock_is_corrected_by_a_difference_or_to_a_count(app, clerk, mug, sent, on_hand):
    response = correct(clerk, path(mug), **sent)

    assert f"{on_hand} of MUG are on hand now." in clerk.follow(response).text
    assert only_row(app, Variant).on_hand == on_hand
    if on_hand != 5:
        assert rows(app, StockMovement)[-1].reason == "delivery"
        assert only_row(app, AuditEvent).door == "pages"


@pytest.mark.parametrize(
    ("sent", "field", "told"),
    [
        ({"number": ""}, "number", "This is needed."),
        ({"number": "many"}, "number", "Not a whole number."),
        ({"number": "9999999999"}, "number", "From -1000000000 to 1000000000."),
        ({"number": "1000000000"}, "number", "At most 1000000000 on hand."),
        ({"number": "-1", "way": "on_hand"}, "number", "From 0 to 1000000000."),
        ({"number": "1", "reason": " "}, "reason", "Between 1 and 200 characters."),
        ({"number": "1", "reason": ""}, "reason", "This is needed."),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(app, clerk, mug, sent, field, told):
    response = correct(clerk, path(mug), **sent)

    assert response.status_code == 422
    assert f'<small id="{field}-said">{told}' in response.text
    assert only_row(app, Variant).on_hand == 5


def test_what_is_promised_to_orders_stays(app, clerk, mug):
    order(signed_in(app), mug, 2)

    response = correct(clerk, path(mug), number="1", way="on_hand")

    assert response.status_code == 409
    assert "2 of MUG are promised to orders" in response.text


def test_a_second_click_counts_nothing_twice(app, clerk, mug):
    sent = {**fields_of(clerk.get(path(mug)).text, path(mug)), "number": "10", "reason": "delivery"}

    answers = [clerk.client.post(path(mug), data=sent) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert "15 of MUG are on hand now." in clerk.follow(answers[1]).text
    assert only_row(app, Variant).on_hand == 15


def test_two_who_count_the_same_delivery_do_not_add_it_twice(app, clerk, mug):
    delivery = {"number": "10", "reason": "delivery"}
    forms = [{**fields_of(clerk.get(path(mug)).text, path(mug)), **delivery} for _ in range(2)]

    first, second = (clerk.client.post(path(mug), data=sent) for sent in forms)

    assert (first.status_code, second.status_code) == (303, 409)
    assert "15 of MUG are on hand by now. Nothing was changed" in second.text
    assert only_row(app, Variant).on_hand == 15
    again = clerk.client.post(path(mug), data=fields_of(second.text, path(mug)))
    assert again.status_code == 303
    assert only_row(app, Variant).on_hand == 25


def test_of_several_variants_one_is_chosen(app, clerk):
    variants = [{"sku": f"SHIRT-{s}", "options": {"Size": s}, "stock": 1} for s in "SM"]
    shirt = inside(app, factories.product_with_variants, variants)
    _small, medium = shirt.variants

    nothing = correct(clerk, path(shirt), number="1")
    other = correct(clerk, path(shirt), number="1", variant_id="77")
    chosen = correct(clerk, path(shirt), number="1", variant_id=str(medium.id))

    assert 'id="variant_id-said">This product comes in several variants' in nothing.text
    assert 'id="variant_id-said">This product has no such variant.' in other.text
    assert chosen.status_code == 303
    assert [variant.on_hand for variant in rows(app, Variant)] == [1, 2]
    only_its_own = clerk.get(f"{path(shirt)}?variant_id={medium.id}").text
    assert "Ledger of SHIRT-M" in only_its_own
    assert fields_of(only_its_own, path(shirt))["variant_id"] == str(medium.id)
    assert only_its_own.count(">SHIRT-S</td>") == 0


def test_the_ledger_has_pages(app, clerk, mug):
    for number in range(30):
        correct(clerk, path(mug), number="1", reason=f"delivery {number}")

    first, second = (clerk.get(f"{path(mug)}?page={page}").text for page in (1, 2))

    assert "delivery 29" in first
    assert "initial stock" not in first
    assert "initial stock" in second
    assert f"{path(mug)}?page=2" in links(first)


@pytest.mark.parametrize(
    "query", ["page=x", "page=0", "variant_id=x", "variant_id=77", "page=99999999"]
)
def test_odd_addresses_are_answered(clerk, mug, query):
    assert clerk.get(f"{path(mug)}?{query}").status_code == 200
