"""Promotions and their codes on the staff's pages, and the preview on past orders."""

import csv
import io
from datetime import timedelta

import pytest

from app.domain.clock import utc_now
from app.models import Order, Promotion, PromotionCode
from app.services.pricing import promotion_preview
from tests import factories
from tests.integration.people import change, inside, only_row, rows
from tests.integration.pricing.shop import created, method, to
from tests.integration.pricing.test_promotions import code, enter
from tests.integration.pricing.test_promotions_api import promotion
from tests.integration.shopping import fill
from tests.integration.staff import fields_of, signed_in_staff

PROMOTIONS = "/admin/promotions"


@pytest.fixture
def clerk(app):
    return signed_in_staff(app)


@pytest.fixture
def mug(app):
    with app.app_context():
        return factories.product(price=1000, stock=1000, name="Mug", slug="mug")


def placed(customer, **sent):
    return customer.post("/api/orders", json=sent)


def add(clerk, **fields):
    fields = {"name": "Tenth", "kind": "percentage", "value": "10", "is_active": "1", **fields}
    clerk.get(f"{PROMOTIONS}/new")
    return clerk.send(f"{PROMOTIONS}/new", **fields)


def test_a_promotion_is_added_and_comes_back_unchanged(clerk, app, mug):
    sku = mug.variants[0].sku
    page = clerk.follow(
        add(clerk, value="12.5 %", products=f"{sku}\r\nmug\r\n", min_subtotal="50", limit_total="7",
            starts_at="2026-01-01T10:00", priority="-3", exclusive="1")
    ).text  # fmt: skip
    assert "12.5 % off 1 product, from $50.00, never with another promotion" in page
    row = only_row(app, Promotion)
    assert (row.value, row.min_subtotal, row.limit_total, row.priority) == (12500, 5000, 7, -3)
    assert row.starts_at.isoformat() == "2026-01-01T10:00:00+00:00"

    path = f"{PROMOTIONS}/{row.id}"
    fields = fields_of(clerk.get(path).text, path)
    assert fields["products"] == "mug"
    clerk.follow(clerk.client.post(path, data=fields))
    again = only_row(app, Promotion)
    names = ("value", "min_subtotal", "limit_total", "priority", "starts_at", "exclusive", "kind")
    assert [getattr(again, name) for name in names] == [getattr(row, name) for name in names]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"products": "nothing-like-it"}, "no product with the SKU or the address nothing-like-it"),
        ({"products": "a\x00b"}, "One SKU or address in each line."),
        ({"products": "x" * 300}, "One SKU or address in each line."),
        ({"products": "x\n" * 600}, "At most 500 products."),
        ({"categories": "987654"}, "There is none with the id 987654."),
        ({"value": ""}, "A decimal string"),
        ({"kind": "buy_x_get_y", "value": ""}, "At least 1."),
        ({"starts_at": "2026-01-02T00:00", "ends_at": "2026-01-01T00:00"}, "After starts_at."),
        ({"starts_at": "soon"}, "Not a date"),
    ],
)
def test_what_is_no_promotion_is_told_beside_its_field(clerk, app, fields, message):
    answer = add(clerk, **fields)
    assert answer.status_code == 422
    assert message in answer.text
    assert rows(app, Promotion) == []


def test_a_promotion_whose_articles_are_deleted_does_not_come_to_be_about_everything(
    clerk, admin, app, mug
):
    offer = promotion(admin, product_ids=[mug.id])
    admin.delete(f"/api/products/{mug.id}")
    path = f"{PROMOTIONS}/{offer['id']}"
    fields = fields_of(clerk.get(path).text, path)
    assert fields["products"] == ""
    answer = clerk.client.post(path, data={**fields, "name": "Another"})
    assert answer.status_code == 422
    assert "What it was about is deleted." in answer.text
    assert only_row(app, Promotion).name == "Tenth"


def test_codes_are_added_downloaded_and_withdrawn(clerk, app):
    clerk.follow(add(clerk, needs_code="1"))
    path = f"{PROMOTIONS}/{only_row(app, Promotion).id}"
    clerk.follow(clerk.send(f"{path}/codes", code="Welcome10"))
    page = clerk.follow(clerk.send(f"{path}/codes", code="WELCOME10")).text
    assert "The shop has this code already." in page
    page = clerk.follow(
        clerk.send(f"{path}/codes", count="60", prefix="VIP-", limit_total="1")
    ).text
    assert "61 codes; the first 50 are shown" in page

    answer = clerk.get(f"{path}/codes/export.csv")
    table = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert table[:2] == [["code", "limit_total", "used"], ["Welcome10", "", "0"]]
    assert len(table) == 62
    assert all(row[0].startswith("VIP-") and row[1] == "1" for row in table[2:])

    clerk.get(path)
    clerk.follow(clerk.send(f"{path}/codes/remove", code_id=str(rows(app, PromotionCode)[0].id)))
    assert len(rows(app, PromotionCode)) == 60


def test_the_list_tells_what_a_promotion_brought(clerk, admin, customer, mug):
    code(admin)
    for units in (1, 2):
        fill(customer, mug, units)
        enter(customer)
        order = created(placed(customer, shipping_address=to("DE")))
    admin.post(f"/api/orders/{order['number']}/cancel", json={})
    page = clerk.get(PROMOTIONS).text
    row = page[page.index("<tbody>") :]
    assert '<td class="figure">1</td>' in row
    assert "$1.00" in row
    assert "$9.00" in row


def test_a_promotion_ends_now_and_its_code_has_expired(clerk, admin, customer, mug, app):
    offer = code(admin)
    path = f"{PROMOTIONS}/{offer['id']}"
    clerk.get(path)
    assert "Ended" in clerk.follow(clerk.send(f"{path}/end")).text
    fill(customer, mug)
    assert enter(customer).json["code"] == "code_expired"
    later = promotion(admin, starts_at=(utc_now() + timedelta(days=1)).isoformat())
    clerk.get(f"{PROMOTIONS}/{later['id']}")
    clerk.send(f"{PROMOTIONS}/{later['id']}/end")
    assert not rows(app, Promotion)[-1].is_active


def test_a_duplicate_has_the_same_rule_and_is_switched_off(clerk, admin, app, mug):
    offer = code(admin, kind="fixed_amount", value="2.50", product_ids=[mug.id], limit_total=9)
    path = f"{PROMOTIONS}/{offer['id']}"
    clerk.get(path)
    assert "Copy of Tenth" in clerk.follow(clerk.send(f"{path}/duplicate")).text
    first, copy = rows(app, Promotion)
    assert (copy.value, copy.kind, copy.limit_total) == (250, "fixed_amount", 9)
    assert (first.is_active, copy.is_active) == (True, False)
    shown = admin.get(f"/api/promotions/{copy.id}").json
    assert shown["product_ids"] == [mug.id]
    assert len(rows(app, PromotionCode)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"value": "12.5"},
        {"kind": "fixed_amount", "value": "7"},
        {"kind": "buy_x_get_y", "value": None, "buy_quantity": 1, "get_quantity": 1},
        {"kind": "free_shipping", "value": None},
        {"value": "10", "min_quantity": 3},
    ],
    ids=str,
)
def test_the_preview_is_what_orders_would_have_been_given(app, admin, customer, mug, clerk, fields):
    """Orders are placed without the promotion, and priced again with it."""
    method_id = method(admin, "DE")["id"]
    numbers = []
    for units in (1, 2, 3):
        fill(customer, mug, units)
        sent = {"shipping_address": to("DE"), "shipping_method_id": method_id}
        numbers.append(created(placed(customer, **sent))["number"])
    offer = promotion(admin, **fields)
    expected = {}
    for number, units in zip(numbers, (1, 2, 3), strict=True):
        fill(customer, mug, units)
        quote = customer.post("/api/cart/quote", json=sent).json
        expected[number] = quote["discount_total"]
        created(placed(customer, **sent))

    preview = inside(app, promotion_preview.preview, offer["id"])

    previewed = {row.number: f"{row.taken_off / 100:.2f}" for row in preview.orders}
    assert {n: previewed.get(n, "0.00") for n in numbers} == expected
    assert preview.looked_at == 6
    page = clerk.get(f"{PROMOTIONS}/{offer['id']}/preview").text
    assert all((number in page) == (number in previewed) for number in numbers)


def test_the_preview_leaves_out_old_and_cancelled_orders(app, admin, customer, mug):
    old, cancelled = (_placed(customer, mug) for _ in range(2))
    admin.post(f"/api/orders/{cancelled}/cancel", json={})
    first = next(row for row in rows(app, Order) if row.number == old)
    change(app, first, placed_at=utc_now() - timedelta(days=8))
    offer = promotion(admin)
    assert inside(app, promotion_preview.preview, offer["id"]) == (0, [])


def _placed(customer, mug):
    fill(customer, mug)
    return created(placed(customer, shipping_address=to("DE")))["number"]
