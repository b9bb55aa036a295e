"""How much nginx takes of one address: requests that hash a password, floods, and large bodies."""

import socket
from contextlib import ExitStack
from select import select

import pytest
import requests

from app.web.limits import rate_limits
from tests import proxy
from tests.servers import LOCALHOST, PATIENCE

pytestmark = pytest.mark.processes

MIB = 1024 * 1024
PASSWORDS = [
    ("POST", "/api/auth/login"), ("POST", "/api/auth/register"), ("POST", "/api/users/me/password"),
    ("DELETE", "/api/users/me"), ("POST", "/login"), ("POST", "/register"),
    ("POST", "/account/password"), ("POST", "/account/close"), ("POST", "/api/auth/password/reset"),
    ("POST", "/api/users/me/email"), ("POST", "/api/users/me/mfa"),
    ("POST", "/api/users/me/mfa/recovery-codes"), ("DELETE", "/api/users/me/mfa"),
    ("POST", "/password/reset"), ("POST", "/account/email"),
    ("POST", "/account/security/second-factor"),
    ("POST", "/account/security/second-factor/recovery-codes"),
    ("POST", "/account/security/second-factor/remove"),
]  # fmt: skip
"""Routes that hash or compare a password."""
BURST = 21
"""How many of them one address may ask for at once."""
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
BEARER = {**FORM, "Authorization": "Bearer token"}
SIGN_IN = {**FORM, "Cookie": "visit=a; sign_in=token"}
IMAGES, IMPORT = "/api/products/mug/images", "/admin/import"
QUICK = {" delay=10": " nodelay", "rate=1r/s": "rate=1r/m"}
"""Nobody waits for their turn in a test, and no turn comes while it runs."""


@pytest.fixture(scope="module")
def echo():
    """A server that takes everything, and remembers what it was asked."""
    with proxy.echo() as server:
        yield server


@pytest.fixture(scope="module")
def shop(echo, tmp_path_factory):
    """That server behind nginx, which believes `X-Forwarded-For`."""
    folder = tmp_path_factory.mktemp("front")
    with proxy.nginx(folder, [echo.address], "behind", changes=QUICK) as ports:
        yield f"http://{LOCALHOST}:{ports[8080]}"


def statuses(shop, method, path, address, times):
    """What an address is answered, one time after another."""
    with requests.Session() as session:
        return [
            session.request(method, f"{shop}{path}", headers={"X-Forwarded-For": address}, timeout=PATIENCE).status_code
            for _ in range(times)
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "method", "path"),
    [(n, *route) for n, route in enumerate([*PASSWORDS, ("POST", "/api/auth/login/")])],
)
def test_one_address_asks_for_few_passwords_at_once(shop, number, method, path):
    guesser, other = f"203.0.113.{2 * number}", f"203.0.113.{2 * number + 1}"

    answered = statuses(shop, method, path, guesser, BURST + 2)

    assert answered == [200] * BURST + [429] * 2
    assert statuses(shop, method, path, other, 1) == [200]
    assert statuses(shop, "GET", "/api/products", guesser, 1) == [200]


def test_every_route_of_the_shop_that_hashes_a_password_is_tried(shared_app):
    routes = {
        (method, rule.rule)
        for rule in shared_app.url_map.iter_rules()
        if rate_limits.hashes_passwords(shared_app.view_functions[rule.endpoint])
        for method in rule.methods - {"GET", "HEAD", "OPTIONS"}
    }

    assert routes == set(PASSWORDS)


def test_all_routes_share_what_an_address_may_ask_for(shop):
    answered = [statuses(shop, *route, "198.51.100.1", 3) for route in PASSWORDS[:7]]

    assert answered == [[200] * 3] * 7
    assert statuses(shop, *PASSWORDS[7], "198.51.100.1", 1) == [429]


@pytest.mark.parametrize("path", ["/login", "/register", "/account/password"])
def test_to_look_at_a_form_is_not_limited_like_that(shop, path):
    assert statuses(shop, "GET", path, "198.51.100.2", BURST + 2) == [200] * (BURST + 2)


def test_a_refusal_for_passwords_says_when_to_come_back(shop):
    headers = {"X-Forwarded-For": "198.51.100.3"}
    for _ in range(BURST):
        requests.post(f"{shop}/login", headers=headers, timeout=PATIENCE)

    api = requests.post(f"{shop}/api/auth/login", json={}, headers=headers, timeout=PATIENCE)
    page = requests.post(f"{shop}/login", headers=headers, timeout=PATIENCE)

    assert (api.status_code, api.json()["code"], api.headers["Retry-After"]) == (429, "rate_limited", "5")  # fmt: skip
    assert api.json()["detail"] == "Too many requests. Try again in 5 s."
    assert (page.status_code, page.headers["Retry-After"]) == (429, "5")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"


def test_an_ipv6_network_of_64_bits_counts_as_one_address(shop):
    # With a byte that a pattern might take for the end of a line (0x0a).
    addresses = [f"2001:db8:a0a:a0a::{number:x}" for number in range(BURST)]

    answered = [statuses(shop, "POST", "/login", address, 1) for address in addresses]

    assert answered == [[200]] * BURST
    assert statuses(shop, "POST", "/login", "2001:db8:a0a:a0a:ffff::1", 1) == [429]
    assert statuses(shop, "POST", "/login", "2001:db8:a0a:a0b::1", 1) == [200]


def test_an_ipv4_address_written_as_ipv6_is_one_address(shop):
    assert 429 in statuses(shop, "POST", "/login", "::ffff:198.51.100.4", BURST + 1)
    assert statuses(shop, "POST", "/login", "::ffff:198.51.100.5", 1) == [200]


def test_a_flood_of_one_address_is_held_off(echo, tmp_path):
    """Whatever it asks for: here for what is not there, and for files that are not kept."""
    changes = {"rate=50r/s": "rate=1r/m", "burst=300": "burst=9"}
    with proxy.nginx(tmp_path, [echo.address], "behind", changes=changes) as ports:
        shop = f"http://{LOCALHOST}:{ports[8080]}"
        pages = statuses(shop, "GET", "/nothing", "198.51.100.1", 12)
        files = statuses(shop, "GET", "/static/nothing?v=1", "198.51.100.2", 12)
        others = statuses(shop, "GET", "/nothing", "198.51.100.3", 1)

    assert pages == files == [200] * 10 + [429] * 2
    assert others == [200]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (IMAGES, BEARER, 200),
        (f"{IMAGES}?a=b", BEARER, 200),
        (IMPORT, SIGN_IN, 200),
        (IMPORT, {**FORM, "Cookie": "__Host-sign_in=token"}, 200),
        ("/admin/products/mug/pictures", SIGN_IN, 200),
        (IMAGES, FORM, 413),
        (IMAGES, SIGN_IN, 413),  # the API takes no cookie
        (IMAGES, {**BEARER, "Content-Type": "application/json"}, 413),
        (IMPORT, BEARER, 413),
        (IMPORT, {**FORM, "Cookie": "no_sign_in=x"}, 413),
        (IMPORT, {**FORM, "Cookie": "sign_in="}, 413),
        ("/admin/products/mug/pictures/arrange", SIGN_IN, 413),
        (f"/api/products?x={IMAGES}", BEARER, 413),
        ("/api/cart/items", BEARER, 413),
        ("/checkout", SIGN_IN, 413),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["sized", "chunked"])
def test_a_body_may_be_large_only_where_staff_upload(shop, path, headers, status, is_chunked):
    body = b"x" * (2 * MIB)

    answer = requests.post(
        f"{shop}{path}",
        data=iter([body]) if is_chunked else body,
        headers=headers,
        timeout=PATIENCE,
    )

    assert answer.status_code == status
    if status == 413 and path.startswith("/api"):
        assert answer.json()["detail"] == "The body is larger than 1 MiB."


def test_where_staff_upload_it_may_have_21_mebibytes(shop):
    answer = requests.post(
        f"{shop}{IMAGES}", data=b"x" * 22 * MIB, headers=BEARER, timeout=PATIENCE
    )

    assert answer.status_code == 413
    assert answer.json()["detail"] == "The body is larger than 21 MiB."


def test_what_is_small_reaches_the_shop_under_its_address_without_a_sign_in(shop, echo):
    requests.post(f"{shop}{IMAGES}?a=%20b", data=b"x", headers=FORM, timeout=PATIENCE)
    requests.get(f"{shop}{IMPORT}?page=2", timeout=PATIENCE)

    assert echo.asked[-2:] == [f"POST {IMAGES}?a=%20b", f"GET {IMPORT}?page=2"]


def test_one_address_sends_four_large_bodies_at_a_time(shop):
    port = int(shop.rpartition(":")[2])
    head = (f"POST {IMPORT} HTTP/1.1\r\nHost: shop\r\nContent-Length: {2 * MIB}\r\nX-Forwarded-For: 198.51.100.9\r\n"
            + "".join(f"{name}: {value}\r\n" for name, value in SIGN_IN.items()))  # fmt: skip
    slow: list[socket.socket] = []
    with ExitStack() as clients:
        for _ in range(5):
            slow.append(
                clients.enter_context(socket.create_connection((LOCALHOST, port), PATIENCE))
            )
            slow[-1].sendall(f"{head}\r\nx".encode())
        # nginx's processes accept them side by side, so any of the five may be the one too many.
        answered, _, _ = select(slow, [], [], 10)
        refusals = [client.recv(65536) for client in answered]
        small = statuses(shop, "GET", IMPORT, "198.51.100.9", 1)

    (refusal,) = refusals
    assert refusal.startswith(b"HTTP/1.1 429")
    assert b"nginx" not in refusal.partition(b"\r\n\r\n")[2]
    assert small == [200]
