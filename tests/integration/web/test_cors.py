"""Scripts of other origins: shut out, unless theirs is configured; never with cookies."""

import pytest

from app import create_app
from app.config import Testing
from tests.integration.people import login, make_user

# Headers are the same on either database.
pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.thorough]

ORIGIN = "https://app.example"
OTHERS = ["https://evil.example", "http://app.example", "https://app.example:8443", "null",
          "https://app.example.evil", "https://sub.app.example", "HTTPS://APP.EXAMPLE", ""]  # fmt: skip
PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type, if-match, x-cart-token",
}


@pytest.fixture
def client(app, environ):
    """Calls a shop that scripts of two origins may call."""
    settings = {**environ, "CORS_ORIGINS": f"http://localhost:3000, {ORIGIN}"}
    return create_app(Testing(settings)).test_client(use_cookies=False)


def told(response) -> dict[str, str]:
    """What the answer says about other origins."""
    return {k: v for k, v in response.headers.items() if k.startswith("Access-Control-")}


def words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_without_configuration_no_origin_is_let_in(anyone, method):
    response = anyone.call(method, "/api/products", headers={"Origin": ORIGIN, **PREFLIGHT})

    assert told(response) == {}
    assert "Origin" not in response.vary


def test_a_configured_origin_may_read_answers_and_the_headers_it_needs(client):
    response = client.get("/api/products", headers={"Origin": ORIGIN})

    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert words(response.headers["Access-Control-Expose-Headers"]) >= {
        "etag", "link", "location", "x-cart-token", "x-request-id", "idempotency-replayed",
        "retry-after",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/users/me", 401),
        ("GET", "/api/nothing", 404),
        ("DELETE", "/api/products", 405),
        ("POST", "/api/auth/login", 422),
    ],
)
def test_it_may_read_refusals_too(client, method, path, status):
    response = client.open(path, method=method, headers={"Origin": ORIGIN})

    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize("origin", OTHERS)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_other_origins_may_not(client, origin, method):
    response = client.open("/api/products", method=method, headers={"Origin": origin, **PREFLIGHT})

    assert told(response) == {}


def test_caches_tell_origins_apart(client):
    for headers in ({}, {"Origin": ORIGIN}, {"Origin": "https://evil.example"}):
        assert "Origin" in client.get("/api/products", headers=headers).vary


def test_a_preflight_is_answered_before_anybody_signs_in(client):
    response = client.options("/api/users/me", headers={"Origin": ORIGIN, **PREFLIGHT})

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert words(response.headers["Access-Control-Allow-Methods"]) >= {"get", "patch", "delete"}
    assert words(response.headers["Access-Control-Allow-Headers"]) >= words(
        PREFLIGHT["Access-Control-Request-Headers"]
    )


def test_cookies_are_never_let_along_and_no_origin_is_a_wildcard(client):
    for method in ("GET", "OPTIONS"):
        found = told(client.open("/api/cart", method=method, headers={"Origin": ORIGIN}))

        assert "Access-Control-Allow-Credentials" not in found
        assert "*" not in found.values()


def test_pages_are_read_by_no_other_origin(client):
    for path in ("/", "/static/shop.css", "/healthz/live"):
        with client.get(path, headers={"Origin": ORIGIN}) as response:
            assert told(response) == {}


def test_a_script_signs_in_and_calls_with_its_token(app, client):
    make_user(app)
    token = login(client).json["access_token"]

    response = client.get(
        "/api/users/me", headers={"Origin": ORIGIN, "Authorization": f"Bearer {token}"}
    )

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Cache-Control"] == "no-store"
