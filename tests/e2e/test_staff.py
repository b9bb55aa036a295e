"""Staff at work in a real browser, and people who must stay outside."""

from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import expect

from app import create_app
from app.config import Testing
from app.extensions import db
from tests import factories
from tests.e2e import shopping
from tests.e2e.shopping import CUSTOMER, OTHER_THING, STAFF, THING

pytestmark = pytest.mark.processes

RADIUS = "input => getComputedStyle(input).borderTopRightRadius"
BOXES = """boxes => boxes.map(box =>
  `${getComputedStyle(box).display} ${getComputedStyle(box.querySelector("td")).borderBottomWidth}`)"""
GAPS = """rows => rows.flatMap(row => {
  const texts = [...row.cells].map(cell => {
    const range = document.createRange()
    range.selectNodeContents(cell)
    return range.getBoundingClientRect()
  })
  return texts.slice(1).map((text, place) => text.left - texts[place].right)
})"""
"""The room between the texts of neighbouring cells."""
COLOURS = """cell => [getComputedStyle(cell).color,
  getComputedStyle(document.documentElement).getPropertyValue("--pico-background-color")
    .replace("#fff", "rgb(255, 255, 255)")]"""


def test_a_list_is_checked_further_without_a_press_of_the_button(visit, shop_environ):
    app = create_app(Testing(shop_environ))
    with app.app_context():
        job = factories.import_job(b"sku,name,price\nLONG-1,Long,1.00\n")
        db.engine.dispose()
    page = visit().new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(f"{request.method} {request.url}"))

    shopping.sign_in(page, STAFF, at=f"/admin/import/{job.id}")

    expect(page.get_by_role("heading", name="What this list would do")).to_be_visible()
    assert any(each.startswith("POST ") and each.endswith("/continue") for each in requests)


def test_staff_fulfil_an_order_and_the_customer_sees_it(visit):
    page, customer = visit().new_page(), visit().new_page()
    shopping.register(customer, "waiting@example.com")
    shopping.take(customer, THING)
    shopping.look_over(customer)
    number = shopping.place(customer)

    shopping.sign_in(page, STAFF, at="/admin")
    page.get_by_role("link", name="Orders", exact=True).click()
    page.get_by_label("Number, name, email, phone, address, article or SKU").fill(number)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name=number).click()
    for step in ("Start packing", "It is shipped", "It is delivered"):
        page.get_by_label("A word for its history").fill(f"Told at: {step}")
        page.get_by_role("button", name=step).click()
        expect(page.get_by_text(f"Told at: {step}")).to_be_visible()
    customer.reload()

    expect(customer.get_by_role("main")).to_contain_text("Delivered")
    expect(customer.get_by_role("listitem").filter(has_text="Shipped")).to_be_visible()
    expect(customer.get_by_text("Cancel the order")).to_have_count(0)


def test_a_list_is_looked_over_imported_and_on_sale(visit):
    page = visit().new_page()
    shopping.sign_in(page, STAFF, at="/admin/import")

    shopping.upload_list(
        page,
        "sku,name,price,stock,category\n"
        "LST-1,Listed Lantern,18.00,7,Home\n"
        "LST-2,Listed Ladle,9.50,3,Home\n"
        "LST-3,,4.00,1,Home\n",
    )
    expect(page.get_by_role("row", name="name: Between")).to_be_visible()
    page.get_by_role("button", name="Import now").click()
    expect(page.get_by_role("heading", name="Imported")).to_be_visible()
    page.goto("/search?q=listed")

    expect(page.get_by_role("heading", name="Listed Lantern")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text("2 products")


def test_an_uploaded_picture_is_shown_in_the_shop(visit):
    page = visit().new_page()
    shopping.sign_in(page, STAFF, at="/admin/products?q=pillowcases")
    page.get_by_role("link", name="Washed Linen Pillowcases", exact=False).first.click()
    page.get_by_role("link", name="Pictures").click()

    file = {"name": "shelf.png", "mimeType": "image/png", "buffer": picture()}
    page.get_by_label("File").set_input_files([file])
    page.get_by_label("What it shows").fill("A red square")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_label("Picture 1 shows")).to_have_value("A red square")
    page.get_by_role("link", name="In the shop").click()
    shown = page.get_by_role("img", name="A red square")

    expect(shown).to_be_visible()
    assert shown.evaluate("image => image.decode().then(() => image.currentSrc)").endswith(".webp")


def test_tables_are_boxes_with_lines_and_their_fields_have_corners(visit):
    page = visit().new_page()
    shopping.sign_in(page, STAFF, at=f"/admin/products/{OTHER_THING}")
    assert page.locator(".cells input").first.evaluate(RADIUS) != "0px"

    for path in (f"products/{OTHER_THING}", f"products/{OTHER_THING}/stock", "products", "orders"):
        page.goto(f"/admin/{path}")
        boxes = page.locator(".table").evaluate_all(BOXES)
        assert boxes
        assert set(boxes) == {"block 1px"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_packing_slip_is_black_on_white_with_its_columns_apart(visit, scheme):
    page = visit().new_page()
    shopping.sign_in(page, STAFF, at="/admin/orders")
    page.locator("tbody th a").last.click()
    page.get_by_role("link", name="Packing slip").click()

    page.emulate_media(media="print", color_scheme=scheme)
    page.set_viewport_size({"width": 720, "height": 1000})

    assert min(page.locator("tr").evaluate_all(GAPS)) >= 12
    colours = page.locator("tbody td").first.evaluate(COLOURS)
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


def test_no_other_than_staff_get_in(visit):
    guest, customer = visit().new_page(), visit().new_page()
    shopping.sign_in(customer, CUSTOMER)

    answer = customer.goto("/admin/orders")
    guest.goto("/admin/orders")

    assert answer.status == 403
    expect(customer.get_by_role("heading", name="Not for you, sorry")).to_be_visible()
    expect(guest.get_by_role("heading", name="Sign in")).to_be_visible()
    shopping.sign_in(guest, STAFF, at="/admin/orders")
    expect(guest.get_by_role("heading", name="Orders")).to_be_visible()


def picture() -> bytes:
    """A small picture as a file."""
    file = BytesIO()
    Image.new("RGB", (900, 900), "#b0302a").save(file, "PNG")
    return file.getvalue()
