"""Every page of the shop: nothing that keeps people out, nothing that breaks a rule."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from app import create_app
from app.config import Testing
from tests.e2e import shopping
from tests.e2e.addresses import pages_of, walk
from tests.e2e.look import look_at
from tests.e2e.shopping import CUSTOMER, STAFF, THING

pytestmark = pytest.mark.slow

KEPT = {
    "storefront.home": "home", "storefront.category": "category", "storefront.product": "product",
    "sign_in.show_login": "login", "cart_page.show_cart": "cart",
    "checkout_page.show_checkout": "checkout", "account.overview": "account",
    "addresses.book": "addresses", "order_pages.show_order": "order",
    "admin_dashboard.show": "admin-today", "admin_orders.list_orders": "admin-orders",
    "admin_orders.show_order": "admin-order", "admin_products.list_products": "admin-products",
    "admin_products.show_product": "admin-product", "admin_products_stock.show": "admin-stock",
    "admin_categories.list_categories": "admin-categories",
    "admin_customers.show_customer": "admin-customer", "admin_imports.show": "admin-imports",
    "admin_imports.show_job": "admin-import", "admin_trail.list_events": "admin-trail",
    "admin_security.list_events": "admin-security", "admin_mail.list_mails": "admin-mail",
    "admin_mail.show_template": "admin-mail-template", "admin_erasure.show": "admin-erasure",
    "admin_customers.show_release": "admin-release", "admin_settings.show": "admin-settings",
}  # fmt: skip
"""The main pages, of which pictures are kept."""
PLANTED = """() => {
  const planted = document.createElement("div")
  const pale = planted.appendChild(document.createElement("p"))
  pale.textContent = "Hard to read"
  Object.assign(pale.style, {color: "#ccc", background: "#fff", width: "2000px"})
  for (let number = 0; number < 2; number++) {
    const tiny = planted.appendChild(document.createElement("button"))
    Object.assign(tiny.style, {width: "9px", height: "9px", padding: 0, margin: 0, border: 0})
  }
  document.querySelector("main").prepend(planted)
}"""


@pytest.fixture(scope="module")
def app() -> Flask:
    """The app for its routes alone."""
    return create_app(Testing({"DATABASE_URL": "sqlite:////nowhere", "LOG_LEVEL": "WARNING"}))


def test_every_page_that_anybody_sees(visit, app):
    page = visit().new_page()
    shopping.take(page, THING)

    wrong = list(look_at_all(page, app, "guest"))

    assert not wrong, "\n".join(wrong)


def test_every_page_of_a_customer(visit, app):
    page = visit().new_page()
    shopping.sign_in(page, CUSTOMER)

    wrong = list(look_at_all(page, app, "customer"))

    assert not wrong, "\n".join(wrong)


def test_every_page_of_the_staff(visit, app):
    page = visit().new_page()
    shopping.sign_in(page, STAFF, at="/admin/import")
    shopping.upload_list(page, "sku,name,price\nWALK-1,Something to walk over,12.00\nWALK-2,,1\n")

    shopping.add_endpoint(page)
    shopping.register(visit().new_page(), "never-ordered@example.com")
    page.goto("/admin/customers?q=never-ordered")
    customer = page.get_by_role("link", name="never-ordered@example.com").get_attribute("href")

    wrong = list(look_at_all(page, app, "staff", customer, f"{customer}/second-factor"))

    assert not wrong, "\n".join(wrong)


def test_every_step_of_buying(visit):
    page = visit().new_page()
    wrong: list[str] = []

    page.goto("/cart")
    wrong += look_at(page)
    shopping.take(page, THING, units=2)
    wrong += look_at(page)
    shopping.look_over(page, email="axe@example.com")
    wrong += look_at(page, "review")
    shopping.place(page)
    wrong += look_at(page, "confirmation")

    assert not wrong, "\n".join(wrong)


def test_every_step_of_a_second_factor(visit):
    page, email = visit().new_page(), "second-factor@example.com"
    wrong: list[str] = []

    shopping.register(page, email)
    page.goto("/account/security")
    wrong += look_at(page, "security")
    secret = shopping.begin_second_factor(page)
    wrong += look_at(page, "second-factor")
    shopping.enter_code(page, "Code of the app", secret, "Turn it on", steps=-1)
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    wrong += look_at(page, "recovery-codes")
    page.goto("/account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.goto("/login")
    shopping.fill_in_sign_in(page, (email, shopping.PHRASE))
    expect(page.get_by_role("heading", name="Enter a code")).to_be_visible()
    wrong += look_at(page, "code")
    shopping.enter_code(page, "Code", secret, "Sign in")
    expect(page.get_by_text("You are signed in.")).to_be_visible()

    assert not wrong, "\n".join(wrong)


def test_what_is_found_not_found_and_refused(visit):
    page = visit().new_page()
    wrong: list[str] = []

    for address in ("/search?q=linen&in_stock=true", "/search?q=nothing+such", "/nothing/here"):
        page.goto(address)
        wrong += look_at(page)
    page.get_by_role("combobox").press_sequentially("lin")
    page.get_by_role("option").first.wait_for()
    wrong += look_at(page, "suggestions")
    page.goto("/register")
    page.get_by_label("Email").fill("a@b")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("alert")).to_be_visible()
    wrong += look_at(page, "refused")

    assert not wrong, "\n".join(wrong)


def look_at_all(page: Page, app: Flask, who: str, *first: str) -> Iterator[str]:
    """What is wrong with any page of theirs."""
    for endpoint in walk(page, app, pages_of(app, who), first):
        yield from look_at(page, KEPT.get(endpoint, ""))


def test_what_is_wrong_would_be_found(visit):
    page = visit().new_page()
    page.goto("/")

    page.evaluate(PLANTED)
    wrong = " ".join(look_at(page))

    for rule in ("color-contrast", "target-size", "button-name", "wider than the screen"):
        assert rule in wrong
