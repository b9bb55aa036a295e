"""Carts of many lines: how many there may be, and pages that show 100 of them at a time."""

import re

import pytest
from sqlalchemy import insert, select

from app.db.unit_of_work import in_transaction
from app.domain.people.tokens import hash_token, new_token
from app.extensions import db, limiter
from app.models import Cart, CartLine, Variant
from app.services.buying import cart_service
from tests import factories
from tests.factories import PASSWORD
from tests.integration.browsing import Browser
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import EMAIL, inside, login, make_user, rows
from tests.integration.shopping import ADDRESS, fill, statements_for

pytestmark = pytest.mark.thorough

LINES = 230


@pytest.fixture
def variants(app) -> list[Variant]:
    """So many variants, each at 10.00 and with 10 in stock."""
    with app.app_context():
        wanted = [{"options": {"Number": str(number)}} for number in range(LINES)]
        return list(factories.product_with_variants(wanted, name="Screw", slug="screw").variants)


@pytest.fixture
def browser(app, variants) -> Browser:
    """A guest with two of each in the cart."""
    guest = Browser(app)
    guest.client.set_cookie("cart", a_cart(app, variants))
    return guest


def a_cart(app, variants) -> str:
    """The token of a guest's cart with two of each of these."""
    token = new_token()

    def save() -> None:
        cart = Cart(token_hash=hash_token(token))
        db.session.add(cart)
        db.session.flush()
        facts = {"cart_id": cart.id, "quantity": 2, "price_seen": 1000}
        lines = [{**facts, "variant_id": variant.id} for variant in variants]
        db.session.execute(insert(CartLine), lines)

    inside(app, lambda: in_transaction(save))
    return token


def numbers(html: str) -> list[int]:
    """The variants that a page of the cart shows."""
    return [int(number) for number in re.findall(r'<p class="faint">(\d+)</p>', html)]


# --- Pages


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ("", 0, 100),
        ("?page=1", 0, 100),
        ("?page=2", 100, 100),
        ("?page=3", 200, 30),
        ("?page=4", 200, 30),
        ("?page=" + "9" * 400, 0, 100),
        ("?page=999999999999999999", 200, 30),
        ("?page=-1", 0, 100),
        ("?page=two", 0, 100),
    ],
)
def test_the_cart_shows_a_hundred_lines_at_a_time_and_the_sum_of_all(browser, query, first, count):
    html = browser.get(f"/cart{query}").text

    assert numbers(html) == list(range(first, first + count))
    assert "$4,600.00" in html
    assert "460 articles" in html
    assert len(html) < 400_000


def test_pages_lead_to_one_another(browser):
    assert 'href="/cart?page=2"' in browser.get("/cart").text
    middle = browser.get("/cart?page=2").text
    assert 'rel="prev" href="/cart"' in middle
    assert 'href="/cart?page=3"' in middle
    assert 'rel="next"' not in browser.get("/cart?page=3").text


def test_a_cart_of_a_hundred_lines_has_one_page(app, variants):
    guest = Browser(app)
    guest.client.set_cookie("cart", a_cart(app, variants[:100]))

    html = guest.get("/cart").text

    assert len(numbers(html)) == 100
    assert "Page 1" not in html


def test_whoever_changes_a_line_comes_back_to_its_page(app, browser):
    browser.get("/cart?page=2")
    item = inside(app, lambda: db.session.scalar(select(CartLine.id).offset(150).limit(1)))

    changed = browser.send(f"/cart/items/{item}", quantity="1")
    removed = browser.send(f"/cart/items/{item}/remove")

    assert changed.headers["Location"] == removed.headers["Location"] == "/cart?page=2"
    assert len(rows(app, CartLine)) == LINES - 1


def test_the_first_page_tells_of_notes_on_the_others(app, browser, variants):
    def sell_out() -> None:
        db.session.get(Variant, variants[210].id).on_hand = 0

    assert "Please look at the notes" not in browser.get("/cart").text
    inside(app, lambda: in_transaction(sell_out))

    first = browser.get("/cart").text

    assert re.search(r'notes on page <a href="/cart\?page=3">3</a>\.', first)
    assert "cannot be had at present" in browser.get("/cart?page=3").text


def test_a_page_of_a_large_cart_takes_few_statements(app, browser):
    browser.get("/cart")
    first = statements_for(app, lambda: browser.get("/cart"))
    last = statements_for(app, lambda: browser.get("/cart?page=3"))

    assert first == last <= 4


def test_checkout_shows_the_first_hundred_and_orders_all(app, browser):
    checkout = browser.get("/checkout").text
    review = browser.follow(browser.send("/checkout", **ADDRESS, email="guest@example.com"))

    for html in (checkout, review.text):
        assert html.count("× Screw") == 100
        assert "and 130 more articles" in html
        assert "$4,600.00" in html
    placed = browser.send("/checkout/order")
    assert placed.status_code == 303
    assert "/orders/" in placed.headers["Location"]


def test_the_api_answers_the_whole_cart(app, variants):
    caller = Caller(app, **{"X-Cart-Token": a_cart(app, variants)})

    cart = caller.get("/api/cart").json

    assert (len(cart["items"]), cart["item_count"], cart["subtotal"]) == (230, 460, "4600.00")


# --- How many lines there may be


@pytest.fixture
def small(monkeypatch):
    """Guests' carts hold three lines, customers' five."""
    monkeypatch.setattr(cart_service, "MAX_GUEST_LINES", 3)
    monkeypatch.setattr(cart_service, "MAX_LINES", 5)


def add(caller: Caller, variant: Variant, quantity: int = 1):
    body = {"variant_id": variant.id, "quantity": quantity}
    return caller.post("/api/cart/items", json=body)


def test_a_guests_cart_holds_fewer_lines_than_a_customers(app, variants, small):
    guest = Caller(app, **{"X-Cart-Token": a_cart(app, variants[:3])})
    customer = signed_in(app)

    refused = add(guest, variants[3])

    assert (refused.status_code, refused.json["code"]) == (409, "cart_full")
    assert len(rows(app, CartLine)) == 3
    assert add(guest, variants[0]).status_code == 201
    answers = [add(customer, variant).status_code for variant in variants[:6]]
    assert answers == [201] * 5 + [409]


def test_the_page_says_that_the_cart_is_full(app, variants, small):
    browser = Browser(app)
    browser.client.set_cookie("cart", a_cart(app, variants[:3]))
    browser.get("/products/screw")

    browser.send("/cart/items", variant_id=str(variants[3].id))

    assert (
        "A cart has room for 3 different articles. Sign in to add more."
        in browser.get("/cart").text
    )


def test_signing_in_merges_everything_whatever_the_bound(app, variants, small):
    make_user(app)
    customer = Caller(app)
    tokens = login(customer).json
    customer.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    for variant in variants[10:15]:
        assert add(customer, variant).status_code == 201
    guest_cart = a_cart(app, variants[:3])

    signed = Caller(app, **{"X-Cart-Token": guest_cart}).post(
        "/api/auth/login", json={"email": EMAIL, "password": PASSWORD}
    )

    assert signed.status_code == 200
    assert len(customer.get("/api/cart").json["items"]) == 8
    assert add(customer, variants[20]).json["code"] == "cart_full"


def test_guests_hold_two_thousand_lines():
    assert (cart_service.MAX_GUEST_LINES, cart_service.MAX_LINES) == (2000, 5000)


# --- How many carts and articles one network may fill


@pytest.fixture
def limited(app, shops):
    """Makes shops with these limits for guests."""

    def make(**limits: str):
        settings = {"RATELIMIT_ENABLED": "true", "RATELIMIT_STORAGE_URL": "memory://", **limits}
        return shops(**settings)

    yield make
    limiter.enabled = False


@pytest.fixture
def product(app):
    with app.app_context():
        return factories.product(stock=100)


@pytest.mark.parametrize("token", [None, "unknown"])
def test_one_network_opens_so_many_guest_carts(app, limited, product, token):
    shop = limited(RATELIMIT_GUEST_CARTS="2 per day")
    guests = [Caller(shop, **({"X-Cart-Token": f"{token}{n}"} if token else {})) for n in range(3)]
    customer = Caller(shop, **signed_in(app).headers)

    answers = [fill(guest, product) for guest in guests]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[-1].json["code"] == "rate_limited"
    assert int(answers[-1].headers["Retry-After"]) > 3600
    assert len(rows(app, Cart)) == 2
    assert fill(guests[0], product).status_code == 201  # a cart that is open goes on
    assert fill(customer, product).status_code == 201
    body = {"product_id": product.id}
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    other = Caller(shop).post("/api/cart/items", json=body, environ_overrides=elsewhere)
    assert other.status_code == 201


def test_the_page_tells_a_guest_to_come_again(app, limited, product):
    shop = limited(RATELIMIT_GUEST_CARTS="1 per day")
    guests = [Browser(shop) for _ in range(2)]
    for guest in guests:
        guest.get(f"/products/{product.slug}")
        guest.send("/cart/items", quantity="1")

    assert "It is in your cart." in guests[0].get("/cart").text
    assert "Too many requests. Try again in 1440 minutes." in guests[1].get("/cart").text
    assert len(rows(app, Cart)) == 1


def test_one_networks_guests_put_so_many_articles_into_carts(app, limited, product):
    shop = limited(RATELIMIT_GUEST_ITEMS="3 per day")
    guests, customer = [Caller(shop) for _ in range(2)], Caller(shop, **signed_in(app).headers)

    answers = [fill(guests[n % 2], product).status_code for n in range(4)]

    assert answers == [201, 201, 201, 429]
    assert [fill(customer, product).status_code for _ in range(4)] == [201] * 4


def test_the_cookie_of_a_session_that_ended_does_not_take_the_limit_off(app, limited, product):
    shop = limited(RATELIMIT_GUEST_ITEMS="2 per day")
    make_user(app)
    browser = Browser(app)
    browser.sign_in(EMAIL)
    cookie = browser.cookie("sign_in").value
    browser.get("/account")
    browser.send("/logout")
    statuses = []
    for _ in range(3):
        guest = Browser(shop)
        guest.get(f"/products/{product.slug}")
        guest.client.set_cookie("sign_in", cookie)
        statuses.append(guest.send("/cart/items", quantity="1").status_code)

    assert statuses == [303, 303, 429]
