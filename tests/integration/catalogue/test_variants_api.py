"""Products with several variants: options, matching by id, what may be said of which."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import SYSTEM
from app.extensions import db
from app.models import AuditEvent, Product, StockMovement, Variant
from app.services import product_service
from tests import factories
from tests.integration.db.test_query_counts import counted
from tests.integration.people import at_once, only_row

URL = "/api/products"
SIZE = {"name": "Size", "values": ["S", "M", "L"]}
COLOUR = {"name": "Colour", "values": ["Red", "Blue"]}


@pytest.fixture
def shirt(admin):
    """A shirt in S (10.00, 3 in stock) and M (8.00, 4)."""
    variants = [
        {"options": {"Size": "S"}, "price": "10.00", "stock": 3, "sku": "T-S"},
        {"options": {"Size": "M"}, "price": "8.00", "stock": 4},
    ]
    body = {"name": "Shirt", "options": [SIZE], "variants": variants}
    response = admin.post(URL, json=body)
    assert response.status_code == 201, response.json
    return response.json


def edit(admin, **changes):
    return admin.patch(f"{URL}/shirt", json=changes)


def test_price_is_the_lowest_and_stock_the_sum_of_active_variants(shirt, admin, anyone):
    small, medium = shirt["variants"]

    without_medium = edit(admin, variants=[{"id": small["id"]}]).json

    assert (shirt["price"], shirt["stock"], shirt["sku"]) == ("8.00", 7, None)
    assert shirt["options"] == [SIZE]
    assert (medium["sku"], medium["options"]) == ("SHIRT-M", {"Size": "M"})
    assert (without_medium["price"], without_medium["stock"]) == ("10.00", 3)
    assert without_medium["sku"] == "T-S"


def test_tabs_in_names_of_products_categories_options_and_values_become_spaces(admin):
    category = admin.post("/api/categories", json={"name": "Home\tware"}).json
    option = {"name": "Si\tze", "values": ["Extra\tlarge"]}
    variants = [{"options": {"Si\tze": "Extra\tlarge"}, "price": "1.00"}]
    body = {"name": "Tea\tshirt", "options": [option], "variants": variants}

    product = admin.post(URL, json=body).json

    assert (category["name"], product["name"]) == ("Home ware", "Tea shirt")
    assert product["options"] == [{"name": "Si ze", "values": ["Extra large"]}]
    assert product["variants"][0]["options"] == {"Si ze": "Extra large"}
    twice = {"name": "Size", "values": ["Extra\tlarge", "Extra large"]}
    assert admin.post(URL, json={**body, "options": [twice]}).status_code == 422


def test_variants_match_by_id_are_new_without_and_inactive_when_left_out(shirt, admin, anyone):
    small, medium = shirt["variants"]
    wishes = [
        {"options": {"Size": "L"}, "price": "12.00", "stock": 1},
        {"id": small["id"], "price": "11.00"},
    ]

    edited = edit(admin, variants=wishes).json

    states = {
        v["sku"]: (v["id"], v["price"], v["stock"], v["is_active"]) for v in edited["variants"]
    }
    large = next(v for v in edited["variants"] if v["sku"] == "SHIRT-L")
    assert states == {
        "SHIRT-L": (large["id"], "12.00", 1, True),
        "T-S": (small["id"], "11.00", 3, True),
        "SHIRT-M": (medium["id"], "8.00", 4, False),
    }
    assert [v["sku"] for v in anyone.get(f"{URL}/shirt").json["variants"]] == ["SHIRT-L", "T-S"]
    assert edited == admin.get(f"{URL}/shirt").json


def test_a_variant_that_was_left_out_comes_back_when_it_is_named(shirt, admin):
    small, medium = shirt["variants"]
    edit(admin, variants=[{"id": small["id"]}])

    edited = edit(admin, variants=[{"id": medium["id"]}, {"id": small["id"]}]).json

    assert edited["variants"] == [medium, small]


def test_a_variant_can_be_switched_off_where_another_stays(shirt, admin):
    small, medium = shirt["variants"]
    off = {"id": small["id"], "is_active": False}

    edited = edit(admin, variants=[off, {"id": medium["id"]}])
    all_off = edit(admin, variants=[off, {"id": medium["id"], "is_active": False}])

    assert [v["is_active"] for v in edited.json["variants"]] == [False, True]
    assert (all_off.status_code, list(all_off.json["errors"])) == (422, ["variants"])


def test_two_variants_can_swap_skus_and_options(shirt, admin):
    small, medium = shirt["variants"]
    wishes = [
        {"id": small["id"], "sku": "SHIRT-M", "options": {"Size": "M"}},
        {"id": medium["id"], "sku": "T-S", "options": {"Size": "S"}},
    ]

    edited = edit(admin, variants=wishes)

    assert edited.status_code == 200
    shown = [(v["id"], v["sku"], v["options"]["Size"]) for v in edited.json["variants"]]
    assert shown == [(small["id"], "SHIRT-M", "M"), (medium["id"], "T-S", "S")]


def test_a_simple_product_becomes_one_with_options(admin):
    simple = admin.post(URL, json={"name": "Shirt", "price": "5", "stock": 2}).json
    wishes = [
        {"id": simple["variants"][0]["id"], "options": {"Size": "S"}},
        {"options": {"Size": "M"}, "price": "6"},
    ]

    edited = edit(admin, options=[SIZE], variants=wishes).json

    assert [(v["options"], v["price"], v["stock"]) for v in edited["variants"]] == [
        ({"Size": "S"}, "5.00", 2),
        ({"Size": "M"}, "6.00", 0),
    ]


def test_options_may_be_declared_anew_as_long_as_the_variants_fit(shirt, admin):
    wider = {"name": "Size", "values": ["M", "S", "XL"]}

    assert edit(admin, options=[wider]).json["options"] == [wider]
    for options in ([], [{"name": "Size", "values": ["S"]}], [SIZE, COLOUR]):
        refused = edit(admin, options=options)
        assert refused.status_code == 422
        assert set(refused.json["errors"]) <= {"variants.0.options", "variants.1.options"}


def test_stock_of_each_variant_goes_through_the_ledger(app, shirt, admin):
    small, medium = shirt["variants"]

    edit(admin, variants=[{"id": small["id"], "stock": 1}, {"id": medium["id"], "stock": 4}])

    with app.app_context():
        rows = db.session.query(StockMovement).order_by(StockMovement.id)
        moved = [(row.variant_id, row.on_hand_delta) for row in rows]
        figures = {v.id: v.on_hand for v in db.session.query(Variant)}
    assert moved == [(small["id"], 3), (medium["id"], 4), (small["id"], -2)]
    assert figures == {small["id"]: 1, medium["id"]: 4}


def test_a_new_products_price_holds_for_variants_that_name_none(admin):
    variants = [{"options": {"Size": "S"}}, {"options": {"Size": "M"}, "price": "7.00"}]
    body = {"name": "Shirt", "price": "5.00", "options": [SIZE], "variants": variants}

    made = admin.post(URL, json=body).json

    assert [v["price"] for v in made["variants"]] == ["5.00", "7.00"]


def test_what_is_said_of_a_product_holds_for_its_only_variant(admin):
    body = {"name": "Shirt", "price": "5.00", "sku": "T", "stock": 3, "options": [SIZE],
            "variants": [{"options": {"Size": "S"}}]}  # fmt: skip

    made = admin.post(URL, json=body).json

    assert (made["sku"], made["price"], made["stock"]) == ("T", "5.00", 3)


def test_a_price_beside_variants_holds_for_new_ones_in_an_edit_too(shirt, admin):
    told = [{"id": v["id"], "price": v["price"]} for v in shirt["variants"]]
    body = {"price": "9.00", "variants": [*told, {"options": {"Size": "L"}}]}

    edited = admin.put(f"{URL}/{shirt['id']}", json=body).json

    assert [v["price"] for v in edited["variants"]] == ["10.00", "8.00", "9.00"]


def test_a_price_beside_variants_that_are_there_and_say_none_is_refused(shirt, admin):
    body = {"price": "9.00", "variants": [{"id": v["id"]} for v in shirt["variants"]]}

    refused = admin.put(f"{URL}/{shirt['id']}", json=body)

    assert (refused.status_code, list(refused.json["errors"])) == (422, ["price"])


@pytest.mark.parametrize("change", [{"price": "1.00"}, {"sku": "X"}, {"stock": 5}])
def test_what_cannot_be_said_of_several_variants_is_refused(shirt, admin, change):
    ids = [{"id": v["id"]} for v in shirt["variants"]]

    for refused in (edit(admin, **change), edit(admin, variants=ids, **change)):
        assert (refused.status_code, list(refused.json["errors"])) == (422, list(change))
    assert admin.get(f"{URL}/shirt").json == shirt


def test_made_up_skus_stay_apart_and_short(admin):
    options = [{"name": "Size", "values": ["!", "?", "Extra"]}]
    variants = [{"options": {"Size": value}, "price": 1} for value in options[0]["values"]]

    body = {"name": "Shirt " * 30, "options": options, "variants": variants}
    made = admin.post(URL, json=body)

    skus = [v["sku"] for v in made.json["variants"]]
    assert made.status_code == 201
    assert len(set(skus)) == 3
    assert all(len(sku) <= 64 and sku.startswith("SHIRT-SHIRT") for sku in skus)


def test_a_sku_of_another_product_is_refused(shirt, admin):
    factory_sku = admin.post(URL, json={"name": "X", "price": 1, "sku": "MINE"}).json["sku"]

    refused = edit(admin, variants=[{"id": shirt["variants"][0]["id"], "sku": factory_sku}])

    assert (refused.status_code, refused.json["code"]) == (409, "sku_taken")
    assert admin.get(f"{URL}/shirt").json == shirt


def test_a_hundred_variants_in_five_options_are_made_at_once(admin):
    options = [{"name": f"O{n}", "values": [str(v) for v in range(50)]} for n in range(5)]
    variants = [
        {"options": {f"O{n}": str((place >> n) % 50) for n in range(5)}, "price": 1, "stock": place}
        for place in range(100)
    ]

    response = admin.post(URL, json={"name": "X", "options": options, "variants": variants})
    unique = {tuple(v["options"].items()) for v in variants}

    assert response.status_code == (201 if len(unique) == 100 else 422)


def test_a_product_cannot_collect_variants_without_end(app, admin):
    with app.app_context():
        row = factories.product_with_variants(
            [{"is_active": n == 0, "options": {"N": str(n)}, "stock": 0} for n in range(1000)],
            slug="old",
            options=[{"name": "N", "values": ["0", "1"]}],
        )
        id_ = row.variants[0].id

    wishes = [{"id": id_}, {"options": {"N": "1"}, "price": 1}]
    refused = admin.patch(f"{URL}/old", json={"variants": wishes})

    assert (refused.status_code, list(refused.json["errors"])) == (422, ["variants"])


def variant(**wishes):
    return {"options": {"Size": "S"}, "price": "1.00", **wishes}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"variants": []}, "variants"),
        ({"variants": [variant()] * 101}, "variants"),
        ({"variants": [variant(), variant()]}, "variants.1.options"),
        ({"variants": [variant(options={})]}, "variants.0.options"),
        ({"variants": [variant(options={"Size": "XXL"})]}, "variants.0.options"),
        ({"variants": [variant(options={"Size": "S", "Cut": "A"})]}, "variants.0.options"),
        ({"variants": [variant(options={"Size": 5})]}, "variants.0.options.Size.value"),
        ({"variants": [variant(options=["S"])]}, "variants.0.options"),
        ({"variants": [{"options": {"Size": "S"}}]}, "variants.0.price"),
        ({"variants": [variant(price="x")]}, "variants.0.price"),
        ({"variants": [variant(stock=-1)]}, "variants.0.stock"),
        ({"variants": [variant(stock=1.5)]}, "variants.0.stock"),
        ({"variants": [variant(stock=2**63)]}, "variants.0.stock"),
        ({"variants": [variant(sku=" ")]}, "variants.0.sku"),
        ({"variants": [variant(in_stock=True)]}, "variants.0.in_stock"),
        ({"variants": [variant(id=999_999)]}, "variants.0.id"),
        ({"variants": [variant(id="1")]}, "variants.0.id"),
        ({"variants": [variant(sku="A"), variant(options={"Size": "M"}, sku="A")]}, "variants.1.sku"),
        ({"variants": ["x"]}, "variants.0"),
        ({"variants": {}}, "variants"),
        ({"options": [SIZE, SIZE]}, "options"),
        ({"options": [{"name": "Size", "values": []}]}, "options.0.values"),
        ({"options": [{"name": "Size", "values": ["S", "S"]}]}, "options.0.values"),
        ({"options": [{"name": "", "values": ["S"]}]}, "options.0.name"),
        ({"options": [{"name": "N", "values": [str(n) for n in range(51)]}]}, "options.0.values"),
        ({"options": [{"name": str(n), "values": ["S"]} for n in range(6)]}, "options"),
    ],
)  # fmt: skip
def test_a_wrong_variant_is_named_and_nothing_changes(shirt, admin, changes, field):
    refused = edit(admin, **changes)

    assert refused.status_code == 422
    assert list(refused.json["errors"]) == [field]
    assert admin.get(f"{URL}/shirt").json == shirt


def test_a_variant_cannot_be_named_twice(shirt, admin):
    id_ = shirt["variants"][0]["id"]

    refused = edit(admin, variants=[{"id": id_}, {"id": id_}])

    assert set(refused.json["errors"]) == {"variants.0.id", "variants.1.id"}


def test_options_need_variants(admin):
    body = {"name": "Shirt", "price": 1, "options": [SIZE]}

    refused = admin.post(URL, json=body)

    assert (refused.status_code, list(refused.json["errors"])) == (422, ["variants"])


@pytest.fixture(params=[1, 50])
def many(app, request):
    """A product with one variant, and one with fifty: its id and theirs."""
    count = request.param
    options = [{"name": "N", "values": [str(n) for n in range(count)]}] if count > 1 else []
    variants = [{"options": {"N": str(n)} if count > 1 else {}} for n in range(count)]
    with app.app_context():
        product = factories.product_with_variants(variants, slug="many", options=options)
        return product.id, [variant.id for variant in product.variants]


def with_price(ids, changed_id, price):
    """The whole list of variants, with one price."""
    return {"variants": [{"id": i, **({"price": price} if i == changed_id else {})} for i in ids]}


def test_a_price_costs_the_same_statements_however_many_variants_there_are(app, many, admin):
    _product_id, ids = many
    admin.patch(f"{URL}/many", json=with_price(ids, ids[-1], "1.00"))

    with counted(app) as run:
        edited = admin.patch(f"{URL}/many", json=with_price(ids, ids[-1], "2.00"))

    assert edited.json["variants"][-1]["price"] == "2.00"
    assert [statement.partition(" ")[0] for statement in run] == [
        *["SELECT"] * 4, "UPDATE", "UPDATE", "INSERT"
    ]  # fmt: skip


def test_a_price_is_told_by_the_trail_as_the_one_field_that_changed(app, many, admin):
    product_id, ids = many

    admin.patch(f"{URL}/many", json=with_price(ids, ids[-1], "2.00"))

    event = only_row(app, AuditEvent)
    assert (event.action, event.subject_id) == ("product.edited", product_id)
    assert event.changes == {f"variants.{ids[-1]}.price": [1000, 200]}


@pytest.mark.only_on("postgresql")
def test_a_price_locks_its_product_and_its_variant_and_no_other(app, many):
    product_id, ids = many

    def is_free(row):
        with db.engine.connect() as other:
            query = select(type(row).id).where(type(row).id == row.id)
            try:
                other.execute(query.with_for_update(key_share=True, nowait=True))
            except OperationalError:
                return False
            return True

    def edit_and_look():
        changes = with_price(ids, ids[-1], 200)
        product = product_service.edit_product(SYSTEM, "many", changes)
        return is_free(product), [is_free(variant) for variant in product.variants]

    with app.app_context():
        assert in_transaction(edit_and_look) == (False, [*[True] * (len(ids) - 1), False])
        assert is_free(db.session.get(Product, product_id))


@pytest.mark.races
def test_prices_of_two_variants_that_are_edited_at_once_both_hold(shirt, admin):
    ids = [variant["id"] for variant in shirt["variants"]]

    answers = at_once(
        lambda i=i, price=price: admin.patch(f"{URL}/shirt", json=with_price(ids, i, price))
        for i, price in zip(ids, ("3.00", "4.00"), strict=True)
    )

    assert [answer.status_code for answer in answers] == [200, 200]
    assert sorted(answer.json["version"] for answer in answers) == [2, 3]
    edited = admin.get(f"{URL}/shirt").json
    assert [v["price"] for v in edited["variants"]] == ["3.00", "4.00"]
    assert edited["price"] == "3.00"


def test_what_a_whole_list_repeats_is_no_change(app, shirt, admin):
    fields = ("id", "sku", "options", "price", "stock", "is_active")
    variants = [{name: variant[name] for name in fields} for variant in shirt["variants"]]
    variants[0]["price"] = "9.00"

    with counted(app) as run:
        edited = edit(admin, variants=variants)

    small, medium = shirt["variants"]
    assert edited.json["variants"] == [{**small, "price": "9.00"}, medium]
    assert sum(statement.startswith("UPDATE variants") for statement in run) == 1
    assert len(run) == 7
