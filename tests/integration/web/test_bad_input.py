"""Bad input on every route there is: a clear refusal, never a failure, whoever sends it."""

import functools
import itertools
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.extensions import api
from tests import factories

pytestmark = pytest.mark.slow

MEMBERS = {"type", "title", "status", "detail", "code", "message", "request_id"}
DEEP = 50_000
PATH_PARTS = [
    "%00", "a%00b", "0", "-1", "1.5", "1e3", str(2**63 - 1), str(2**63), str(2**64), "9" * 300,
    "..", "%2e%2e", "%2f", "x" * 300, "😀", "%ff%fe", "%ed%a0%80", "' OR 1=1 --", "%25", "%0a",
    "None", "null", "٣", "%D9%A3", " ", "a;b", "<script>",
]  # fmt: skip
QUERIES = [
    "per_page=100000", "per_page=0", "per_page=-1", "per_page=", "per_page=1.5", "page=0",
    "page=-1", f"page={2**63}", f"page={'9' * 5000}", "page=abc", "page=1e3", "page=9999",
    "page=%00", "page=٣", "cursor=garbage", "cursor=%00", "cursor=&page=1", "cursor=W10",
    "cursor=" + "x" * 5000, "cursor=%ed%a0%80", "sort=;", "sort=%00", "sort=relevance&cursor=",
    "q=%00", "q=%ed%a0%80", "q=" + "a+" * 3000, "q=%25_\\", "q='\"*(){}:^-NEAR", "q=😀", "q=+",
    "min_price=abc", "min_price=-1", "max_price=1e99", "min_price=NaN", "min_price=%00",
    "category=%00", f"category={2**64}", "category=-1", "in_stock=perhaps", "is_active=%00",
    "parent_id=%00", f"parent_id={2**64}", "role=king", "status=lost", "from=yesterday",
    "from=0001-01-01T00:00:00%2B14:00", "to=9999-12-31T23:59:59-14:00", "from=%00",
    "to=2026-02-30", "email=%00", "=&&&==;", "%00=%00", "page=1&page=x", "a[b]=c",
]  # fmt: skip
MALFORMED = [
    b"{", b"nope", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1, "a": 2}', b'{"a": "\xff"}',
    rb'{"a": "\ud800"}', b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, b"9" * 5000,
    b"1e99999999999999999999", b"\xef\xbb\xbf{}", b"\x00",
]  # fmt: skip
WRONG = [b"[]", b"null", b"1", b'"x"', b"true", b"[{}]", b'{"no such field": 1}']
VALUES = [
    None, True, -1, 2**63, 10**30, 1.5, "", "\x00", "x" * 100_000, "😀", [], {}, [None], [{}],
    {"a": {}}, "NaN", "' OR 1=1 --", "9" * 400,
]  # fmt: skip
NUMBERS = ["1e999999999", "1e-999999999", "1.0", "9" * 4000]


@pytest.fixture(autouse=True)
def document(shared_app, monkeypatch):
    """The OpenAPI document is made once, however often it is asked for: that takes most of the time
    of its answer."""
    monkeypatch.setattr(api.spec, "to_dict", functools.cache(api.spec.to_dict))


@pytest.fixture(params=["anyone", "admin"])
def caller(request: pytest.FixtureRequest):
    """A stranger, and staff: whatever a customer reaches, staff reach too."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def rules(app) -> list[tuple[Rule, str]]:
    """Every route of the API with every method that it takes."""
    with app.app_context():
        factories.product()
        factories.category()
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api", "/healthz"))
        for method in sorted(rule.methods)
    ]


def filled(rule: Rule, part: str = "1") -> str:
    """The path of a route, each variable part of it replaced."""
    return re.sub(r"<[^>]+>", lambda _: part, rule.rule)


def check(response: TestResponse, what: str) -> None:
    """No failure; and every refusal is a whole problem."""
    assert response.status_code < 500, f"{what}: {response.status_code} {response.text[:300]}"
    if response.status_code >= 400 and response.request.method != "HEAD":
        assert response.mimetype == "application/problem+json", what
        assert set(response.json) >= MEMBERS, what
        assert response.json["status"] == response.status_code, what


def test_garbage_in_a_path(caller, rules):
    for rule, method in rules:
        for part in PATH_PARTS if rule.arguments else []:
            path = filled(rule, part if "%" in part else quote(part))
            check(caller.call(method, path, json={}), f"{method} {path}")


def test_garbage_in_a_query(caller, rules):
    for rule, method in rules:
        for query in QUERIES if method == "GET" else []:
            path = f"{filled(rule)}?{quote(query, safe='%=&+:;-')}"
            check(caller.call(method, path), f"{method} {path[:200]}")


def writing(rules: list[tuple[Rule, str]]) -> Iterator[tuple[str, str]]:
    for rule, method in rules:
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            yield method, filled(rule)


@pytest.mark.parametrize("body", [*MALFORMED, *WRONG], ids=lambda body: repr(body[:20]))
def test_garbage_for_a_body(caller, rules, body):
    for method, path in writing(rules):
        response = caller.call(method, path, data=body, content_type="application/json")

        check(response, f"{method} {path}")


def test_garbage_for_a_field(caller, rules, anyone):
    bodies = body_fields(anyone.get("/api/openapi.json").json)
    values = [*(json.dumps(value) for value in VALUES), *NUMBERS]
    for method, path in writing(rules):
        pairs = itertools.product(bodies.get((method, path), []), values)
        for field, value in pairs if method != "PUT" else []:  # PUT is PATCH by another name
            body = f'{{"{field}": {value}}}'
            response = caller.call(method, path, data=body, content_type="application/json")
            check(response, f"{method} {path} {body[:60]}")
            if response.status_code in (401, 403):
                break


def body_fields(document: dict) -> dict[tuple[str, str], list[str]]:
    """The fields that each operation's JSON body may have."""
    found = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = (
                operation.get("requestBody", {}).get("content", {})
                if method != "parameters"
                else {}
            )
            if "application/json" in content:
                fields = fields_of(document, content["application/json"]["schema"])
                found[method.upper(), re.sub(r"{\w+}", "1", path)] = fields
    return found


def fields_of(document: dict, schema: dict) -> list[str]:
    """The fields of a schema, or of all of which it is a choice."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    names = [name for choice in choices for name in fields_of(document, choice)]
    return list(dict.fromkeys([*schema.get("properties", ()), *names]))


def test_a_body_that_is_no_json_is_415_once_the_caller_may_enter(caller, rules, anyone):
    bodies = body_fields(anyone.get("/api/openapi.json").json)
    for method, path in writing(rules):
        response = caller.call(method, path, data=b"<a/>", content_type="text/xml")

        check(response, f"{method} {path}")
        if (method, path) in bodies:
            assert response.status_code in (401, 403, 415), f"{method} {path}"


def test_headers_that_make_no_sense(caller, rules):
    odd = {
        "Authorization": "Bearer " + "x" * 5000,
        "X-Cart-Token": "\xff\x01" * 50,
        "X-Order-Token": "' OR 1=1 --",
        "Idempotency-Key": "\xff" * 300,
        "If-Match": '"999999999999999999999999", W/"x", *',
        "If-None-Match": 'garbage, "',
        "Accept": "nothing/at-all",
        "Content-Type": "application/json; charset=nonsense",
    }
    for rule, method in rules:
        for name, value in odd.items():
            check(
                caller.call(method, filled(rule), data=b"{}", headers={name: value}),
                f"{method} {rule.rule} {name}",
            )


@pytest.mark.parametrize(
    "header",
    [b"[" * 3000, b'{"alg": []}', b'{"alg": 1}', b'{"alg": "none"}', b"null", b"1", b'{"kid": {}}'],
    ids=lambda header: repr(header[:20]),
)
def test_tokens_with_odd_headers_are_401(anyone, header):
    import base64

    parts = [header, json.dumps({"sub": "1"}).encode(), b"x"]
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)

    response = anyone.get("/api/products", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 401
    assert response.json["code"] == "invalid_token"
