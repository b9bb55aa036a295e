"""Words that are longer than a screen is wide: no page scrolls sideways, whatever people have written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page

from app import create_app
from app.config import Testing
from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
from app.extensions import db
from app.models import Address, Category, User
from app.services.inventory import stock_service
from tests import factories, servers
from tests.e2e import shopping
from tests.e2e.addresses import pages_of, walk
from tests.e2e.conftest import seeded, settings
from tests.e2e.look import NARROW, OVERFLOW, WIDE

pytestmark = pytest.mark.slow

SLUG = "long"


def word(length: int) -> str:
    """A word of so many letters, without a place to break it."""
    return ("Donaudampfschifffahrtselektrizitaeten" * 60)[:length]


LONG = {
    "Full name": 200, "Street and number": 200, "Flat, floor, company": 200, "Town or city": 100,
    "State, county, region": 100, "Telephone": 40, "A word to us": 2000,
}  # fmt: skip
EMAIL = f"{word(64)}@{'.'.join(['d' * 63] * 2)}.{'d' * 50}.example"
STAFF_EMAIL = f"staff{EMAIL[5:]}"
IDLE_EMAIL = f"never{EMAIL[5:]}"
"""Of a customer who has not ordered."""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: Any) -> dict[str, str]:
    """The settings of a shop in which everything has a long name."""
    folder: Path = tmp_path_factory.mktemp("long")
    environ = seeded(
        {**settings(f"sqlite:///{folder / 'shop.db'}", folder), "STORE_LOW_STOCK": "99"}
    )
    app = create_app(Testing(environ))
    with app.app_context():
        write_long_words()
        db.engine.dispose()
    return environ


@pytest.fixture(scope="module")
def long_home(browser: Any, environ: dict[str, str]) -> Iterator[str]:
    """The address of that shop."""
    with servers.shop(environ) as address:
        yield address


@pytest.fixture(scope="module")
def app() -> Flask:
    """The app for its routes alone."""
    return create_app(Testing({"DATABASE_URL": "sqlite:////nowhere", "LOG_LEVEL": "WARNING"}))


def write_long_words() -> None:
    """Categories, products, people and their orders, all with names of the longest kind."""
    top: Category = factories.category(name=word(200), slug="a-long-top")
    below: Category = factories.category(name=word(200), slug="a-long-one", parent_id=top.id)
    options = [{"name": word(50), "values": [word(100), word(99)]}]
    variants = [
        {"sku": f"{number}{word(63)}", "options": {word(50): value}, "price": 9_999_999_999}
        for number, value in enumerate(options[0]["values"])
    ]
    product = factories.product_with_variants(
        variants, name=word(200), slug=SLUG, category_id=below.id, options=options,
        description=word(2000), compare_at_price=9_999_999_999,
    )  # fmt: skip
    names = {"first_name": word(100), "last_name": word(100)}
    staff: User = factories.user(email=STAFF_EMAIL, role="admin", **names)
    customer: User = factories.user(email=EMAIL, **names)
    factories.user(email=IDLE_EMAIL, **names)
    actor = Actor("admin", staff.id, interface="pages")
    address = {"name": word(200), "line1": word(200), "line2": word(200), "city": word(100),
               "region": word(100), "postal_code": word(20), "country": "DE", "phone": "1" * 40}  # fmt: skip
    in_transaction(lambda: db.session.add(Address(user_id=customer.id, **address)))
    variant = product.variants[0].id
    in_transaction(
        lambda: stock_service.change_stock(actor, SLUG, word(200), variant, delta=50_000)
    )
    rows = "".join(f"{word(60)},{word(200)},{price}\n" for price in ("x", "1"))
    factories.import_job(f"sku,name,price,{word(60)}\n{rows}".encode(), actor, word(200))


def test_no_page_of_a_guest_scrolls_sideways(visit, app, long_home):
    page = visit(long_home).new_page()
    wrong = []
    for address in (f"/products/{SLUG}", "/categories/a-long-one", f"/search?q={word(200)}", "/"):
        page.goto(address)
        wrong += sideways(page)
    shopping.take(page, SLUG, units=2_000)
    wrong += sideways(page)
    wrong += walk_over(page, app, "guest")
    order(page, EMAIL)
    wrong += sideways(page)

    assert not wrong, "\n".join(wrong)


def test_no_page_of_a_customer_scrolls_sideways(visit, app, long_home):
    page = visit(long_home).new_page()
    shopping.sign_in(page, (EMAIL, factories.PASSWORD))
    shopping.take(page, SLUG, units=2_000)
    wrong = list(sideways(page))
    page.goto("/checkout")
    wrong += sideways(page)
    page.get_by_role("button", name="Look it over").first.click()
    wrong += sideways(page)
    page.get_by_role("button", name="Place the order").click()
    shopping.placed(page)
    wrong += walk_over(page, app, "customer")

    assert not wrong, "\n".join(wrong)


def test_no_page_of_the_staff_scrolls_sideways(visit, app, long_home):
    buyer, page = (visit(long_home).new_page() for _ in range(2))
    shopping.take(buyer, SLUG, units=2_000)
    order(buyer, EMAIL)
    shopping.sign_in(page, (STAFF_EMAIL, factories.PASSWORD), at="/admin/import")
    page.get_by_role("link", name=word(60)).first.click()
    page.get_by_role("heading", name="What this list would do").wait_for()
    wrong = list(sideways(page))
    shopping.add_endpoint(page, f"https://erp.example/{word(1900)}", word(200))
    wrong += sideways(page)
    page.goto("/admin/customers?q=never")
    customer = page.get_by_role("link", name=IDLE_EMAIL).get_attribute("href")
    addresses = (str(customer), f"{customer}/second-factor", f"/admin/products/{SLUG}")
    wrong += walk_over(page, app, "staff", *addresses)
    for by in ("email", "order"):
        page.goto(f"/admin/guest-orders?by={by}")
        wrong += sideways(page)
    for address in (f"/admin/products/{SLUG}/stock", f"/admin/products/{SLUG}/delete"):
        page.goto(address)
        wrong += sideways(page)

    assert not wrong, "\n".join(wrong)


def order(page: Page, email: str) -> None:
    """Order what is in the cart, with long words in every field; the review has to fit, too."""
    page.get_by_role("link", name="Cart").click()
    page.get_by_role("button", name="Check out").click()
    page.get_by_label("Email").fill(email)
    for label, length in LONG.items():
        shopping.shown(page, label).fill("1" * length if label == "Telephone" else word(length))
    shopping.shown(page, "Country").select_option("DE")
    page.get_by_role("button", name="Look it over").click()
    problems = list(sideways(page))
    assert not problems, "\n".join(problems)
    page.get_by_role("button", name="Place the order").click()
    shopping.placed(page)


def walk_over(page: Page, app: Flask, who: str, *first: str) -> Iterator[str]:
    """Which pages of theirs scroll sideways."""
    for _endpoint in walk(page, app, pages_of(app, who), first):
        yield from sideways(page)


def sideways(page: Page) -> Iterator[str]:
    """Why the page that is shown scrolls sideways, on a telephone and on a desk."""
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": 900})
        for problem in page.evaluate(OVERFLOW):
            yield f"{page.url} {width}: {problem}"
