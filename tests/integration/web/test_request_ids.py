"""X-Request-ID: echoed when sane, made otherwise, on every answer and in every log line."""

import re

import pytest


@pytest.mark.parametrize("sent", ["abc", "A-1_b.2", "x" * 64, "0"])
def test_a_sane_id_is_echoed(anyone, sent):
    response = anyone.get("/healthz/live", headers={"X-Request-ID": sent})

    assert response.headers["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a,b", "é", "<script>", "a/b", "a\tb"])
def test_any_other_is_replaced(anyone, sent):
    response = anyone.get("/healthz/live", headers={"X-Request-ID": sent})

    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing-here", 404),
        ("DELETE", "/healthz/live", 405),
        ("GET", "/api/users/me", 401),
        ("POST", "/api/auth/login", 422),
        ("GET", "/no-such-page", 404),
    ],
)
def test_refusals_carry_it_too(anyone, method, path, status):
    response = anyone.call(method, path, headers={"X-Request-ID": "mine"})

    assert response.status_code == status
    assert response.headers["X-Request-ID"] == "mine"
    if path.startswith("/api"):
        assert response.json["request_id"] == "mine"


def test_every_request_gets_its_own(anyone):
    ids = {anyone.get("/healthz/live").headers["X-Request-ID"] for _ in range(5)}

    assert len(ids) == 5
