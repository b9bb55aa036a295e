"""The log: one line a request, in one form, with the request's id and with nothing private."""

import errno
import io
import json
import logging
import re

import pytest
from sqlalchemy import text

from app import create_app
from app.config import Testing
from app.extensions import db
from app.observability import logs
from tests import factories


@pytest.fixture
def shop(app, environ, shops):
    """Makes shops, and catches what they log; to one of the test's own it may add routes."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level

    def make(is_own: bool = False, **settings: str):
        settings = {"LOG_LEVEL": "INFO", **settings}
        made = create_app(Testing({**environ, **settings})) if is_own else shops(**settings)
        logs.configure(made)
        stream = io.StringIO()
        made.extensions["log"].setStream(stream)
        return made, stream

    yield make
    root.handlers, root.level = before, level


def test_json_lines_tell_the_facts_of_a_request(shop):
    made, stream = shop(LOG_FORMAT="json")

    made.test_client().get("/healthz/live?q=hidden-query", headers={"X-Request-ID": "mine"})

    (entry,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert entry["request_id"] == "mine"
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/healthz/live", 200)
    assert entry["ms"] >= 0
    assert entry["at"].endswith("Z")


def test_text_lines_are_for_reading(shop):
    made, stream = shop(LOG_FORMAT="text")

    made.test_client().get("/healthz/live", headers={"X-Request-ID": "mine"})

    assert "INFO [mine] GET /healthz/live 200" in stream.getvalue()


REFUSALS = [
    ("get", "/api/products/no-such-thing", None, 404, "not_found"),
    ("get", "/api/nowhere", None, 404, "not_found"),
    ("get", "/api/users/me", None, 401, "unauthenticated"),
    ("get", "/api/products?per_page=x", None, 422, "validation_error"),
    ("post", "/api/orders", {}, 401, "unauthenticated"),
    ("post", "/api/auth/login", {"email": "a@b.example", "password": "wrong"}, 401, "invalid_credentials"),
    ("delete", "/healthz/live", None, 405, "method_not_allowed"),
    ("get", "/products/no-such-thing", None, 404, "not_found"),
    ("post", "/cart/items", None, 403, "csrf_failed"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), REFUSALS)
@pytest.mark.parametrize("form", ["json", "text"])
def test_the_line_of_a_refusal_names_its_code(shop, form, method, path, body, status, code):
    made, stream = shop(LOG_FORMAT=form)

    answer = made.test_client().open(path, method=method, json=body)

    line = stream.getvalue().splitlines()[-1]
    assert answer.status_code == status
    if form == "json":
        assert (json.loads(line)["status"], json.loads(line)["code"]) == (status, code)
    else:
        assert line.endswith(f", code {code}")


def test_a_form_that_is_told_what_is_wrong_names_its_code_and_the_next_line_none(shop):
    made, stream = shop(LOG_FORMAT="json")
    caller = made.test_client()
    page = caller.get("/login").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token

    sent = {"csrf_token": token[1], "email": "pat@example.com", "password": "wrong-secret"}
    refusal = caller.post("/login", data=sent)
    caller.get("/login")

    entries = [json.loads(line) for line in stream.getvalue().splitlines()][-2:]
    assert refusal.status_code == 401
    assert [entry["code"] for entry in entries] == ["invalid_credentials", None]


class FullDisk(io.StringIO):
    """Takes no more lines."""

    def write(self, _line: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("kind", [FullDisk, io.StringIO])
def test_an_answer_does_not_depend_on_its_line(shop, kind):
    made, _stream = shop()
    lost = kind()
    made.extensions["log"].setStream(lost)
    if kind is io.StringIO:
        lost.close()

    assert made.test_client().get("/healthz/live").status_code == 200


def test_lines_of_libraries_carry_the_id_too(shop):
    made, stream = shop(is_own=True, LOG_FORMAT="json")
    made.add_url_rule("/api/talk", view_func=lambda: logging.getLogger("library").info("Hi") or "")

    made.test_client().get("/api/talk", headers={"X-Request-ID": "mine"})

    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [entry["request_id"] for entry in entries] == ["mine", "mine"]


def test_outside_a_request_there_is_no_id(shop):
    _made, stream = shop(LOG_FORMAT="json")

    logging.getLogger("anywhere").warning("Hello")

    assert json.loads(stream.getvalue())["request_id"] == "-"


def test_a_line_break_in_a_path_makes_no_second_line(shop):
    made, stream = shop(LOG_FORMAT="text")

    made.test_client().get("/api/x%0aERROR forged%0d%1b[31m")

    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_an_exception_is_one_json_line(shop):
    made, stream = shop(is_own=True, LOG_FORMAT="json")
    made.add_url_rule("/api/fail", view_func=lambda: 1 // 0)

    made.test_client().get("/api/fail")

    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert "ZeroDivisionError" in entries[0]["exception"]
    assert len(entries) == 2


def test_the_values_of_a_failed_statement_stay_out_of_the_log(shop):
    made, stream = shop(is_own=True)
    values = {"e": "pat@example.com"}

    def fail() -> str:
        db.session.execute(text("SELECT nothing FROM users WHERE email = :e"), values)
        return ""

    made.add_url_rule("/api/fail", view_func=fail)

    made.test_client().get("/api/fail")

    assert stream.getvalue()
    assert "pat@example.com" not in stream.getvalue()


def test_a_whole_visit_leaves_nothing_private_in_the_log(shop):
    made, stream = shop(LOG_LEVEL="DEBUG", LOG_FORMAT="json")
    caller = made.test_client()
    with made.app_context():
        product = factories.product()
    person = {"email": "pat@example.com", "password": "correct horse battery"}
    address = {"name": "Pat Secret", "line1": "1 Hidden Lane", "city": "X", "country": "DE"}

    caller.post("/api/auth/register", json=person)
    caller.post("/api/auth/register", json=person)
    caller.post("/api/auth/login", json={**person, "password": "wrong-secret"})
    tokens = caller.post("/api/auth/login", json=person).json
    signed_in = {"Authorization": f"Bearer {tokens['access_token']}"}
    caller.get("/api/products?q=hidden-query", headers=signed_in)
    caller.post("/api/cart/items", json={"product_id": product.id}, headers=signed_in)
    placed = caller.post("/api/orders", json={"shipping_address": address}, headers=signed_in)
    guest = caller.post("/api/cart/items", json={"product_id": product.id})
    cart_token = guest.headers["X-Cart-Token"]
    order = caller.post(
        "/api/orders", json={"email": "pat@example.com"}, headers={"X-Cart-Token": cart_token}
    )
    caller.post("/api/auth/refresh", headers={"Authorization": f"Bearer {tokens['refresh_token']}"})

    assert (placed.status_code, order.status_code) == (201, 201)
    words = [
        "pat@example.com", "correct horse", "wrong-secret", "hidden-query", "Hidden Lane",
        "Pat Secret", tokens["access_token"], tokens["refresh_token"], cart_token,
        order.json["guest_token"],
    ]  # fmt: skip
    assert [word for word in words if word in stream.getvalue()] == []
