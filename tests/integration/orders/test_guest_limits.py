"""What people can hold without an account: one request, or many at once, cannot take the stock."""

import re

import pytest

from app import create_app
from app.config import Testing
from app.models import Order
from app.services.orders import guest_limits, guest_orders
from tests import factories
from tests.integration.books import assert_books_balance
from tests.integration.browsing import Browser, hidden_fields, variant_id
from tests.integration.conftest import Caller
from tests.integration.people import at_once, inside, rows
from tests.integration.shopping import fill, move, order, statements_for, stock
from tests.integration.staff import signed_in_staff

pytestmark = pytest.mark.thorough


@pytest.fixture
def limited(app, shops):
    """Makes shops with these limits and no others; the same tables as `app`."""

    def make(**limits: int):
        names = ("ORDER_UNITS", "NETWORK_UNITS", "EMAIL_UNITS", "NETWORK_ORDERS", "EMAIL_ORDERS")
        given = {f"GUEST_{name}": str(limits.get(name.lower(), 0)) for name in names}
        return shops(TRUSTED_PROXIES="1", **given)

    return make


def guest(shop, address="192.0.2.1"):
    return Caller(shop, **{"X-Forwarded-For": address})


def place(shop, product, quantity=1, email="guest@example.com", address="192.0.2.1"):
    return order(guest(shop, address), product, quantity, email=email)


def told(response):
    return response.status_code, response.json.get("code"), response.json.get("maximum")


@pytest.fixture
def product(app):
    return inside(app, factories.product, sku="MUG", stock=1000)


def test_one_order_has_so_many_units_of_an_article(limited, product, app):
    shop = limited(order_units=10)

    refusal = place(shop, product, 11)

    assert told(refusal) == (409, "guest_limit", 10)
    assert refusal.json["sku"] == "MUG"
    assert stock(app, product) == (1000, 0)
    assert rows(app, Order) == []
    assert place(shop, product, 10).status_code == 201


@pytest.mark.parametrize("scope", ["network", "email"])
def test_open_orders_together_have_so_many_units_of_an_article(limited, product, app, scope):
    shop = limited(**{f"{scope}_units": 10})
    other = inside(app, factories.product, sku="JUG", stock=1000)

    def again(product, quantity, number):
        if scope == "network":
            return place(shop, product, quantity, email=f"g{number}@example.com")
        return place(shop, product, quantity, address=f"192.0.2.{number}")

    assert again(product, 6, 1).status_code == 201
    assert told(again(product, 5, 2)) == (409, "guest_limit", 10)
    assert again(other, 10, 3).status_code == 201, "another article has a limit of its own"
    assert again(product, 4, 4).status_code == 201
    assert stock(app, product) == (1000, 10)


@pytest.mark.parametrize("scope", ["network", "email"])
def test_so_many_orders_are_open(limited, product, app, scope):
    shop = limited(**{f"{scope}_orders": 2})

    answers = [
        place(shop, product, email=email, address=address)
        for email, address in [("a@example.com", "192.0.2.1")] * 3
    ]

    assert [told(answer)[:2] for answer in answers] == [
        (201, None),
        (201, None),
        (409, "guest_limit"),
    ]
    assert stock(app, product) == (1000, 2)
    assert place(shop, product, email="b@example.com", address="192.0.2.2").status_code == 201


@pytest.mark.parametrize("end", ["cancelled", "processing"])
def test_what_is_no_longer_pending_counts_no_more(limited, product, app, admin, end):
    shop = limited(network_orders=1, email_orders=1)
    placed = place(shop, product).json
    assert place(shop, product).status_code == 409

    move(admin, placed, end)

    assert place(shop, product).status_code == 201
    old = next(row for row in rows(app, Order) if row.id == placed["id"])
    assert (old.guest_network_hash, old.guest_email_hash, old.guest_units) == (None, None, None)


def test_customers_are_not_limited(limited, product, app, customer):
    shop = limited(order_units=1, network_units=1, email_units=1, network_orders=1, email_orders=1)
    caller = Caller(shop, **customer.headers)

    assert [order(caller, product, 5).status_code for _ in range(3)] == [201] * 3
    assert {row.guest_network_hash for row in rows(app, Order)} == {None}


def test_an_address_in_another_case_is_the_same(limited, product):
    shop = limited(email_orders=1)

    assert place(shop, product, email="Pat@Example.com", address="192.0.2.1").status_code == 201
    assert place(shop, product, email="pAT@example.com", address="192.0.2.9").status_code == 409


def test_a_network_of_ipv6_has_48_bits(limited, product):
    shop = limited(network_orders=1)

    def from_there(address):
        return place(
            shop, product, email=f"{address}@example.com".replace(":", ""), address=address
        )

    assert from_there("2001:db8:1:2::1").status_code == 201
    assert from_there("2001:db8:1:ffff::2").status_code == 409
    assert from_there("2001:db8:2::1").status_code == 201


def test_without_limits_everything_goes(limited, product):
    shop = limited()

    assert [place(shop, product, 100).status_code for _ in range(5)] == [201] * 5


def test_limits_of_rate_do_not_switch_them_off(limited, product):
    shop = limited(network_orders=1)
    assert shop.config["RATELIMIT_ENABLED"] is False

    assert [place(shop, product).status_code for _ in range(2)] == [201, 409]


def test_networks_and_addresses_are_stored_as_keyed_hashes(limited, product, app, environ):
    first = limited(network_orders=1)
    place(first, product)

    (row,) = rows(app, Order)

    assert len(row.guest_network_hash) == len(row.guest_email_hash) == 64
    with create_app(
        Testing({**environ, "SECRET_KEY": "another key, of more than 32 bytes"})
    ).app_context():
        origin = guest_limits.GuestOrigin("192.0.2.1", first.config["GUEST_LIMITS"])
        assert (
            row.guest_network_hash
            not in guest_limits.guest_keys(origin, "guest@example.com").network
        )


def test_what_was_counted_under_the_key_before_still_counts(limited, product, environ):
    assert place(limited(network_orders=1), product).status_code == 201
    settings = {
        **environ,
        "TRUSTED_PROXIES": "1",
        "GUEST_NETWORK_ORDERS": "1",
        "SECRET_KEY": "another key, of more than 32 bytes",
        "SECRET_KEY_FALLBACKS": environ["SECRET_KEY"],
    }

    assert place(create_app(Testing(settings)), product).status_code == 409


@pytest.mark.races
@pytest.mark.parametrize(
    ("limits", "passed"),
    [({"network_orders": 3}, 3), ({"email_orders": 3}, 3), ({"network_units": 25}, 2), ({"email_units": 25}, 2)],
)  # fmt: skip
def test_parallel_orders_do_not_pass_together(limited, product, app, limits, passed):
    shop = limited(**limits)
    guests = [guest(shop) for _ in range(10)]
    for caller in guests:
        fill(caller, product, 10)

    answers = at_once(
        [lambda c=c: c.post("/api/orders", json={"email": "g@example.com"}) for c in guests]
    )

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * passed + [409] * (10 - passed)
    assert stock(app, product) == (1000, 10 * passed)
    inside(app, assert_books_balance)


@pytest.mark.races
def test_guests_of_one_network_who_want_the_last_ones_wait_for_each_other_in_order(limited, app):
    """Another try locks variants first: locks in two orders would be a deadlock."""
    shop = limited(network_orders=1000)
    scarce = [inside(app, factories.product, sku=f"S{n}", stock=40) for n in range(3)]
    guests = [guest(shop) for _ in range(12)]
    for place_, caller in enumerate(guests):
        for product in scarce[place_ % 3 :] + scarce[: place_ % 3]:
            fill(caller, product, 5)

    answers = at_once(
        [lambda c=c: c.post("/api/orders", json={"email": "g@example.com"}) for c in guests]
    )

    assert sorted(answer.status_code for answer in answers) == [201] * 8 + [409] * 4
    inside(app, assert_books_balance)


def test_a_limit_costs_a_guest_one_statement(limited, product, app, customer):
    none, some = limited(), limited(network_orders=50, network_units=10_000, email_orders=50)
    costs = []
    for shop in (none, some):
        for count in (1, 2, 3):
            caller = guest(shop)
            fill(caller, product, count)
            costs.append(
                statements_for(
                    shop, lambda c=caller: c.post("/api/orders", json={"email": "a@b.example"})
                )
            )

    assert len(set(costs[:3])) == len(set(costs[3:])) == 1
    assert costs[3] <= costs[0] + 1


def test_the_page_says_so(limited, product, app):
    browser = Browser(limited(order_units=2))
    browser.get(f"/products/{product.slug}")
    browser.send("/cart/items", variant_id=variant_id(product), quantity="3")
    token = {"csrf_token": hidden_fields(browser.get("/login").text)["csrf_token"]}
    details = {
        "email": "guest@example.com",
        "name": "Pat",
        "line1": "1 Lane",
        "city": "Leeds",
        "country": "GB",
    }

    response = browser.client.post("/checkout/order", data={**token, **details})

    assert response.headers["Location"] == "/cart"
    page = browser.follow(response).text
    assert "Without an account you can order 2 of MUG at most. Sign in first." in page


GUEST_ORDERS = "/admin/guest-orders"


@pytest.fixture
def staff(app):
    """A browser in which an admin is signed in."""
    return signed_in_staff(app, "staff@example.com")


@pytest.fixture
def held(app, limited, product):
    """Two open orders of one network, one of another, and a customer's."""
    shop = limited()
    jug = inside(app, factories.product, sku="JUG", stock=1000)
    return [
        place(shop, product, 7, email="a@example.com", address="192.0.2.1").json,
        place(shop, jug, 2, email="b@example.com", address="192.0.2.1").json,
        place(shop, product, 30, email="c@example.com", address="192.0.2.2").json,
    ]


def table_rows(html):
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", row)) for row in body.split("</tr>")[:-1]]


def test_staff_see_who_holds_how_much_of_what(staff, held, customer, app, product):
    order(customer, product, 500)

    by_network = table_rows(staff.get(GUEST_ORDERS).text)
    by_email = table_rows(staff.get(f"{GUEST_ORDERS}?by=email&sort=oldest").text)
    one_by_one = table_rows(staff.get(f"{GUEST_ORDERS}?by=order").text)

    assert ["30 × MUG" in by_network[0], "7 × MUG, 2 × JUG" in by_network[1]] == [True, True]
    assert [row.split()[0] for row in by_email] == [
        "a@example.com",
        "b@example.com",
        "c@example.com",
    ]
    assert [row.split()[0] for row in one_by_one] == [held[n]["number"] for n in (2, 0, 1)]
    assert "192.0.2" not in staff.page.text


def test_one_click_releases_an_order(staff, held, app, product):
    staff.get(f"{GUEST_ORDERS}?by=order")
    form = staff.page.text.partition("<tbody>")[2].partition("</form>")[0]

    response = staff.client.post(f"{GUEST_ORDERS}/release?by=order", data=hidden_fields(form))

    assert "1 order is released." in staff.follow(response).text
    assert {row.number: row.status for row in rows(app, Order)}[held[2]["number"]] == "cancelled"
    assert stock(app, product) == (1000, 7)
    inside(app, assert_books_balance)


@pytest.mark.parametrize("by", ["network", "email"])
def test_all_orders_of_a_holder_are_released_at_once(staff, held, app, product, by):
    held_by = {row.number: getattr(row, f"guest_{by}_hash") for row in rows(app, Order)}
    token = hidden_fields(staff.get(GUEST_ORDERS).text)["csrf_token"]
    sent = {"csrf_token": token, "holder": held_by[held[0]["number"]]}

    staff.client.post(f"{GUEST_ORDERS}/release", data=sent)

    statuses = {row.number: row.status for row in rows(app, Order)}
    expected = ["cancelled", "cancelled" if by == "network" else "pending", "pending"]
    assert [statuses[each["number"]] for each in held] == expected
    inside(app, assert_books_balance)


def test_many_orders_are_released_in_turns(staff, held, app, monkeypatch):
    monkeypatch.setattr(guest_orders, "RELEASED_AT_ONCE", 1)
    staff.get(GUEST_ORDERS)
    token = hidden_fields(staff.page.text)["csrf_token"]
    network = next(r.guest_network_hash for r in rows(app, Order) if r.number == held[0]["number"])

    response = staff.client.post(
        f"{GUEST_ORDERS}/release", data={"csrf_token": token, "holder": network}
    )

    page = staff.follow(response).text
    assert "1 order is released. 1 more are left: press the button again." in page


def test_nothing_is_released_of_what_moved_along_meanwhile(staff, held, app, admin):
    staff.get(GUEST_ORDERS)
    token = hidden_fields(staff.page.text)["csrf_token"]
    move(admin, held[0], "processing", "shipped")

    response = staff.client.post(
        f"{GUEST_ORDERS}/release", data={"csrf_token": token, "order": held[0]["number"]}
    )

    assert "0 orders are released." in staff.follow(response).text
    assert next(r.status for r in rows(app, Order) if r.id == held[0]["id"]) == "shipped"


@pytest.mark.parametrize("sent", [{}, {"holder": "x"}, {"holder": "0" * 64}, {"order": "SW-NONE"}])
def test_what_is_not_there_releases_nothing(staff, held, app, sent):
    staff.get(GUEST_ORDERS)
    token = hidden_fields(staff.page.text)["csrf_token"]

    assert (
        staff.client.post(f"{GUEST_ORDERS}/release", data={"csrf_token": token, **sent}).status_code
        == 303
    )
    assert {row.status for row in rows(app, Order)} == {"pending"}
