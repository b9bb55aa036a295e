"""Products on the staff's pages: found, made, changed, offered, deleted."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.domain.catalogue.variant_rules import MAX_VARIANTS
from app.models import AuditEvent, Product, Variant
from tests import factories
from tests.integration.browsing import Browser, form_of, hidden_fields, links
from tests.integration.db.test_query_counts import counted
from tests.integration.people import at_once, inside, make_user, only_row, rows
from tests.integration.staff import fields_of, signed_in_staff

LIST, NEW = "/admin/products", "/admin/products/new"
SIZES = [{"name": "Size", "values": ["S", "M"]}]


@pytest.fixture
def clerk(app: Flask) -> Browser:
    """A browser in which a member of staff is signed in."""
    return signed_in_staff(app)


@pytest.fixture
def mug(app: Flask) -> Any:
    return inside(app, factories.product, name="Mug", sku="MUG", price=1400, stock=5, slug="mug")


@pytest.fixture
def shirt(app: Flask) -> Any:
    variants = [
        {"sku": f"SHIRT-{size}", "options": {"Size": size}, "price": 2000, "stock": 3}
        for size in ("S", "M")
    ]
    return inside(app, factories.product_with_variants, variants, name="Shirt", options=SIZES)


def save(clerk: Browser, path: str, *left_out: str, **changed: str) -> TestResponse:
    """Send the product's form as it is shown, but for these fields; dots are written as __."""
    wishes = {name.replace("__", "."): value for name, value in changed.items()}
    sent = {**fields_of(clerk.get(path).text, path), **wishes}
    return clerk.client.post(path, data={k: v for k, v in sent.items() if k not in left_out})


def names(response: TestResponse) -> list[str]:
    """The products of a list, by their links' ids."""
    start = f"{LIST}/"
    ids = [href.removeprefix(start) for href in links(response.text) if href.startswith(start)]
    return [id_ for id_ in ids if id_.isdigit()]


@pytest.mark.parametrize(
    "path", [LIST, NEW, f"{LIST}/1", f"{LIST}/1/delete", f"{LIST}/1/pictures", f"{LIST}/1/stock"]
)
def test_only_staff_get_in(app, path):
    make_user(app)
    customer = Browser(app)

    assert customer.get(path).headers["Location"].startswith("/login?next=")
    customer.sign_in("ann@example.com")
    assert customer.get(path).status_code == 403


def test_the_list_is_searched_and_sifted(app, clerk, mug, shirt):
    box = inside(app, factories.category, name="Boxes", slug="boxes")
    tin = inside(
        app, factories.product, name="Tin", stock=0, is_active=False, category_id=box.id, price=1
    )

    def found(query: str) -> list[str]:
        return names(clerk.get(f"{LIST}?{query}"))

    assert found("sort=name") == [str(p.id) for p in (mug, shirt, tin)]
    assert found("q=shirt-m") == [str(shirt.id)]
    assert found("category=boxes") == found("is_active=false") == found("in_stock=false")
    assert found("category=boxes") == [str(tin.id)]
    assert found("is_active=true&in_stock=true&sort=-price") == [str(shirt.id), str(mug.id)]
    assert found("q=nothing") == []
    assert "No product fits." in clerk.get(f"{LIST}?q=nothing").text


@pytest.mark.parametrize(
    "query",
    ["page=x", "page=0", "sort=relevance", "sort=x", "is_active=x", "category=%00", "q=%00"],
)
def test_what_cannot_be_understood_is_left_out(clerk, mug, query):
    assert names(clerk.get(f"{LIST}?{query}")) == [str(mug.id)]


def test_the_list_has_pages(app, clerk):
    for number in range(27):
        inside(app, factories.product, name=f"Cup {number}")

    first = clerk.get(f"{LIST}?q=cup&sort=name")
    second = clerk.get(f"{LIST}?q=cup&sort=name&page=2")

    assert (len(names(first)), len(names(second))) == (25, 2)
    assert f"{LIST}?q=cup&sort=name&page=2" in links(first.text)
    assert clerk.get(f"{LIST}?page={2**30}").status_code == 200


def test_pages_cost_the_same_few_statements_at_any_length(app, clerk, shirt):
    paths = (LIST, f"{LIST}/{shirt.id}", f"{LIST}/{shirt.id}/stock", "/admin/categories")

    def cost() -> list[int]:
        found = []
        for path in paths:
            with counted(app) as run:
                assert clerk.get(path).status_code == 200
            found.append(len(run))
        return found

    before = cost()
    for number in range(9):
        category = inside(app, factories.category)
        inside(app, factories.product, name=f"Cup {number}", category_id=category.id)
    assert cost() == before
    assert max(before) <= 8


def test_a_simple_product_is_made(app, clerk):
    clerk.get(NEW)

    made = clerk.send(
        NEW, name="Red mug", description="For tea.\r\nOr not.", compare_at_price="16.00",
        is_active="1",
        **{"variants.0.price": "12.50", "variants.0.stock": "7", "variants.0.on": "1"},
    )  # fmt: skip

    product = only_row(app, Product)
    variant = only_row(app, Variant)
    assert made.headers["Location"] == f"{LIST}/{product.id}"
    assert (product.slug, product.description) == ("red-mug", "For tea.\nOr not.")
    assert (product.price, product.compare_at_price, product.is_active) == (1250, 1600, True)
    assert (variant.sku, variant.on_hand) == ("RED-MUG", 7)
    event = only_row(app, AuditEvent)
    assert (event.door, event.action) == ("pages", "product.created")


def test_prices_are_typed_and_shown_as_the_locale_writes_them(app, clerk, monkeypatch):
    monkeypatch.setitem(app.config, "STORE_LOCALE", "de_DE")
    clerk.get(NEW)
    clerk.send(
        NEW, name="Sofa", compare_at_price="2.000,50", is_active="1",
        **{"variants.0.price": "1.500", "variants.0.on": "1"},
    )  # fmt: skip
    sofa = only_row(app, Product)
    path = f"{LIST}/{sofa.id}"

    fields = fields_of(clerk.get(path).text, path)
    clerk.send(path, **fields)

    assert (fields["variants.0.price"], fields["compare_at_price"]) == ("1500,00", "2000,50")
    for product in (sofa, only_row(app, Product)):
        assert (product.price, product.compare_at_price) == (150_000, 200_050)


def test_a_product_with_options_is_made_step_by_step(app, clerk):
    clerk.get(NEW)
    options = {"options.0.name": "Size", "options.0.values": "S\r\nM\r\n\r\n"}
    first = {"variants.0.price": "20", "variants.0.on": "1"}
    asked = {"name": "Shirt", "draw": "combinations", **options, **first}

    drawn = clerk.client.post(NEW, data={**hidden_fields(clerk.page.text), **asked})
    sent = fields_of(drawn.text, NEW)
    made = clerk.client.post(NEW, data=sent)

    assert drawn.status_code == 200
    assert (sent["variants.1.options.0"], sent["variants.1.price"]) == ("M", "20")
    assert made.status_code == 303, made.text
    product = only_row(app, Product)
    assert product.options == SIZES
    assert not product.is_active
    assert [(v.sku, v.options, v.price) for v in rows(app, Variant)] == [
        ("SHIRT-S", {"Size": "S"}, 2000), ("SHIRT-M", {"Size": "M"}, 2000),
    ]  # fmt: skip


def test_more_rows_are_drawn_and_nothing_is_saved(app, clerk, shirt):
    path = f"{LIST}/{shirt.id}"

    drawn = save(clerk, path, draw="rows", name="Another")

    assert drawn.status_code == 200
    assert 'name="variants.4.sku"' in drawn.text
    assert 'value="Another"' in drawn.text
    assert only_row(app, Product).version == 1


def test_only_combinations_that_are_missing_get_a_row(clerk, shirt):
    path = f"{LIST}/{shirt.id}"

    drawn = save(clerk, path, draw="combinations", options__0__values="S\nM\nL\nXL")

    sent = fields_of(drawn.text, path)
    assert [sent[f"variants.{n}.options.0"] for n in range(4)] == ["S", "M", "L", "XL"]
    assert sent["variants.3.price"] == "20.00"
    assert "variants.4.price" not in sent


def test_variants_off_sale_leave_room_for_new_ones(app, clerk):
    sizes = [{"name": "Size", "values": ["S"]}]
    variants = [{"options": {"Size": "S"}, "is_active": n == 0, "stock": 0} for n in range(110)]
    made = inside(app, factories.product_with_variants, variants, options=sizes)
    path = f"{LIST}/{made.id}"

    shown = clerk.get(path).text
    saved = save(clerk, path)

    assert "20 more are off sale and not shown." in shown
    assert fields_of(shown, path)["variants.90.sku"] == ""
    assert saved.status_code == 303
    assert [v.is_active for v in rows(app, Variant)] == [True] + 109 * [False]


def test_combinations_end_where_a_product_is_full(clerk):
    clerk.get(NEW)
    values = "\n".join(map(str, range(50)))
    options = {f"options.{n}.{part}": text for n in range(5)
               for part, text in (("name", f"N{n}"), ("values", values))}  # fmt: skip

    drawn = clerk.send(NEW, draw="combinations", **options)

    assert f'name="variants.{MAX_VARIANTS - 1}.sku"' in drawn.text
    assert f'name="variants.{MAX_VARIANTS}.sku"' not in drawn.text


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"name": ""}, {"name": "This is needed."}),
        ({"slug": "No Slug"}, {"slug": "Lower-case words"}),
        ({"slug": "mug"}, {"slug": "The slug mug is taken."}),
        ({"category_id": "77"}, {"category_id": "There is no such category."}),
        ({"category_id": "x"}, {"category_id": "Not a whole number."}),
        ({"compare_at_price": "much"}, {"compare_at_price": "Not a valid amount"}),
        ({"variants.0.price": ""}, {"variants.0.price": "This is needed."}),
        ({"variants.0.price": "1.234"}, {"variants.0.price": "USD has 2 decimal places."}),
        ({"variants.0.stock": "x"}, {"variants.0.stock": "Not a whole number."}),
        ({"variants.0.sku": "MUG"}, {"variants.0.sku": "The SKU MUG is taken."}),
        ({"variants.7.sku": "NEXT"}, {"variants.1.price": "This is needed."}),
        ({"options.2.name": "Size"}, {"options.0.values": "This is needed."}),
        ({"options.0.values": "S"}, {"options.0.name": "This is needed."}),
        ({"options.0.name": "Size", "options.0.values": "S\nS"},
         {"options.0.values": "Each value may stand here once."}),
        ({"options.0.name": "Size", "options.0.values": "S\ns"},
         {"options.0.values": "Each value may stand here once."}),
        ({"options.0.name": "Size", "options.0.values": "S"},
         {"variants.0.options": "A value for Size is missing."}),
        ({"options.0.name": "Size", "options.0.values": "S", "variants.0.options.0": "L"},
         {"variants.0.options": "L is no value of Size."}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_beside_its_field(app, clerk, mug, sent, told):
    clerk.get(NEW)
    whole = {"name": "Cup", "variants.0.price": "5", "variants.0.on": "1", "variants.0.sku": "CUP"}

    response = clerk.send(NEW, **{**whole, **sent})

    assert response.status_code in (409, 422)
    for field, words in told.items():
        assert f'id="{field}-said">{words}' in response.text
        assert f'aria-describedby="{field}-said"' in response.text
        assert f'id="{field}"' in response.text
        assert f'<a href="#{field}">' in response.text
    assert [product.id for product in rows(app, Product)] == [mug.id]


def test_a_product_without_a_variant_is_refused(app, clerk, mug):
    clerk.get(NEW)

    made = clerk.send(NEW, name="Cup")
    changed = save(clerk, f"{LIST}/{mug.id}", "variants.0.on")

    for response in (made, changed):
        assert response.status_code == 422
        assert "At least one variant must be on sale" in response.text
    assert only_row(app, Variant).is_active


def test_the_form_sent_as_it_is_changes_nothing(app, clerk, shirt):
    path = f"{LIST}/{shirt.id}"
    before = rows(app, Variant)

    response = save(clerk, path)

    assert "The product is saved." in clerk.follow(response).text
    assert rows(app, AuditEvent) == []
    assert only_row(app, Product).version == 1
    after = rows(app, Variant)
    for name in ("id", "sku", "price", "options", "is_active", "on_hand", "position"):
        assert [getattr(v, name) for v in after] == [getattr(v, name) for v in before]


def test_variants_are_added_changed_and_switched_off(app, clerk, shirt):
    path = f"{LIST}/{shirt.id}"

    response = save(
        clerk, path, "variants.1.on", options__0__values="S\nM\nL", variants__0__price="21",
        variants__2__options__0="L", variants__2__price="22", variants__2__stock="4",
        variants__2__on="1",
    )  # fmt: skip

    assert response.status_code == 303, response.text
    assert [(v.options["Size"], v.price, v.on_hand, v.is_active) for v in rows(app, Variant)] == [
        ("S", 2100, 3, True), ("M", 2000, 3, False), ("L", 2200, 4, True),
    ]  # fmt: skip
    shown = clerk.follow(response).text
    assert [fields_of(shown, path)[f"variants.{n}.options.0"] for n in range(3)] == ["S", "L", "M"]
    assert "variants.2.on" not in fields_of(shown, path)

    save(clerk, path, variants__2__on="1")
    assert all(v.is_active for v in rows(app, Variant))


def test_an_option_is_taken_away_with_its_column(app, clerk):
    options = [{"name": "Size", "values": ["S"]}, {"name": "Colour", "values": ["Red", "Blue"]}]
    variants = [{"options": {"Size": "S", "Colour": colour}} for colour in ("Red", "Blue")]
    made = inside(app, factories.product_with_variants, variants, options=options)

    response = save(clerk, f"{LIST}/{made.id}", options__0__name="", options__0__values="")

    assert response.status_code == 303, response.text
    assert [v.options for v in rows(app, Variant)] == [{"Colour": "Red"}, {"Colour": "Blue"}]


def test_who_comes_second_is_told_and_may_insist(app, clerk, mug):
    path = f"{LIST}/{mug.id}"
    mine = fields_of(clerk.get(path).text, path)
    save(clerk, path, name="Theirs")

    refused = clerk.client.post(path, data={**mine, "name": "Mine"})
    assert refused.status_code == 412
    assert "Somebody has changed this product" in refused.text
    assert only_row(app, Product).name == "Theirs"
    again = clerk.client.post(path, data=fields_of(refused.text, path))

    assert again.status_code == 303
    assert only_row(app, Product).name == "Mine"


def test_a_second_click_makes_no_second_product(app, clerk):
    sent = {**fields_of(clerk.get(NEW).text, NEW), "name": "Mug", "variants.0.price": "5",
            "variants.0.stock": "7", "variants.0.on": "1"}  # fmt: skip

    first, second = (clerk.client.post(NEW, data=sent) for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    assert (only_row(app, Product).name, only_row(app, Variant).on_hand) == ("Mug", 7)
    assert only_row(app, AuditEvent).action == "product.created"


@pytest.mark.races
def test_clicks_at_once_make_one_product(app, clerk):
    sent = {**fields_of(clerk.get(NEW).text, NEW), "name": "Mug", "variants.0.price": "5",
            "variants.0.on": "1"}  # fmt: skip

    answers = at_once([lambda: clerk.client.post(NEW, data=sent) for _ in range(4)])

    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert only_row(app, Product).name == "Mug"


def test_the_same_contents_in_a_new_form_or_others_in_the_old_make_another(app, clerk):
    mug = {"name": "Mug", "variants.0.price": "5", "variants.0.on": "1"}
    forms = [fields_of(clerk.get(NEW).text, NEW) for _ in range(2)]

    for sent in ({**forms[0], **mug}, {**forms[1], **mug}, {**forms[1], **mug, "name": "Jug"}):
        assert clerk.client.post(NEW, data=sent).status_code == 303

    assert [product.name for product in rows(app, Product)] == ["Mug", "Mug", "Jug"]


def test_a_form_that_was_refused_may_be_sent_again(app, clerk, mug):
    sent = {**fields_of(clerk.get(NEW).text, NEW), "name": "Cup", "variants.0.sku": "MUG",
            "variants.0.price": "5", "variants.0.on": "1"}  # fmt: skip
    assert clerk.client.post(NEW, data=sent).status_code == 409
    save(clerk, f"{LIST}/{mug.id}", variants__0__sku="OTHER")

    assert clerk.client.post(NEW, data=sent).status_code == 303
    assert [product.name for product in rows(app, Product)] == ["Mug", "Cup"]


def test_a_second_click_on_save_adds_no_second_variant(app, clerk, shirt):
    path = f"{LIST}/{shirt.id}"
    sent = fields_of(clerk.get(path).text, path)
    sent |= {"options.0.values": "S\nM\nL", "variants.2.options.0": "L", "variants.2.price": "22",
             "variants.2.stock": "4", "variants.2.on": "1"}  # fmt: skip

    answers = [clerk.client.post(path, data=sent) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert [variant.is_active for variant in rows(app, Variant)] == 3 * [True]
    assert only_row(app, Product).version == 2


def test_a_product_is_taken_off_sale_and_put_back(app, clerk, mug):
    path = f"{LIST}/{mug.id}"
    clerk.get(path)

    off = clerk.send(f"{path}/on-sale", is_active="0")
    assert "Mug is off sale now." in clerk.follow(off).text
    assert not only_row(app, Product).is_active
    clerk.send(f"{path}/on-sale", is_active="1")

    assert only_row(app, Product).is_active


def test_a_product_is_deleted_once_that_is_confirmed(app, clerk, mug):
    path = f"{LIST}/{mug.id}/delete"
    assert "Delete Mug?" in clerk.get(path).text

    response = clerk.send(path)

    assert "The product is deleted." in clerk.follow(response).text
    assert clerk.get(f"{LIST}/{mug.id}").status_code == 404
    assert rows(app, AuditEvent)[-1].action == "product.deleted"


def test_a_second_click_on_delete_says_no_other(app, clerk, mug):
    path = f"{LIST}/{mug.id}/delete"
    sent = fields_of(clerk.get(path).text, path)

    answers = [clerk.client.post(path, data=sent) for _ in range(2)]

    assert [answer.headers.get("Location") for answer in answers] == [LIST, LIST]
    assert only_row(app, AuditEvent).action == "product.deleted"


def test_a_product_that_changed_meanwhile_is_not_deleted(app, clerk, mug):
    path = f"{LIST}/{mug.id}/delete"
    clerk.get(path)
    asked = hidden_fields(form_of(clerk.page.text, path) or "")
    save(clerk, f"{LIST}/{mug.id}", name="Better mug")

    response = clerk.client.post(path, data=asked)

    assert response.status_code == 412
    assert "Delete Better mug?" in response.text
    assert only_row(app, Product).deleted_at is None


@pytest.mark.parametrize("action", ["", "/delete", "/on-sale", "/stock", "/pictures"])
def test_what_is_no_product_is_not_there(clerk, action):
    token = fields_of(clerk.get(NEW).text, NEW)

    for address in ("77", "no-such", "%00", str(2**70)):
        path = f"{LIST}/{address}{action}"
        assert (
            clerk.client.post(path, data={**token, "number": "1", "reason": "x"}).status_code == 404
        )


def test_odd_fields_break_nothing(app, clerk, mug):
    path = f"{LIST}/{mug.id}"
    odd = {
        "variants.0.id": "9" * 30, "variants.999.price": "\x00", "variants.1.options.7": "x",
        "options.0.name.more": "x", "variants.x.price": "1", "draw": "", "version": "\x00",
    }  # fmt: skip
    sent = fields_of(clerk.get(path).text, path)

    for name, value in odd.items():
        assert clerk.client.post(path, data={**sent, name: value}).status_code in (303, 412, 422)
