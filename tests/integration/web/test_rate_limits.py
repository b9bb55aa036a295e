"""Rate limits: on every route, for each user or address, told as a problem."""

import ast
import re
import time
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete

from app.extensions import db, limiter
from app.models import Session
from app.web.limits import rate_limits
from tests.factories import PASSWORD
from tests.integration.browsing import Browser
from tests.integration.conftest import signed_in
from tests.integration.passwords import hashing_requests
from tests.integration.people import make_user

pytestmark = pytest.mark.thorough

ROUTE = "/api/openapi.json"


@pytest.fixture
def shop(app, shops):
    """Makes shops with limits: by default three requests an hour for each route."""

    def make(**settings: str) -> Flask:
        limited = {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": "3 per hour", **settings}
        return shops(**limited)

    yield make
    limiter.enabled = False  # the limiter is one for all apps of this process


def statuses(app: Flask, times: int, path: str = ROUTE, **options) -> list[int]:
    return [app.test_client().get(path, **options).status_code for _ in range(times)]


def test_the_limit_holds_and_is_told_as_a_problem(shop):
    limited = shop()

    assert statuses(limited, 3) == [200, 200, 200]
    refused = limited.test_client().get(ROUTE)

    assert (refused.status_code, refused.mimetype) == (429, "application/problem+json")
    assert refused.json["code"] == "rate_limited"
    assert 3500 < int(refused.headers["Retry-After"]) <= 3602


@pytest.mark.only_on("sqlite")  # whose windows end when the test's clock says so
def test_of_several_limits_each_holds(shop):
    limited = shop(RATELIMIT_DEFAULT="2 per minute; 3 per hour")
    start = time.time()
    with time_machine.travel(start, tick=False):
        assert statuses(limited, 2) == [200, 200]
        soon = limited.test_client().get(ROUTE)
    with time_machine.travel(start + 61, tick=False):
        assert statuses(limited, 1) == [200]
        late = limited.test_client().get(ROUTE)

    assert (soon.status_code, late.status_code) == (429, 429)
    assert 60 <= int(soon.headers["Retry-After"]) <= 61
    assert 3500 < int(late.headers["Retry-After"]) <= 3601


def test_answers_within_the_limit_carry_no_retry_after(shop):
    answer = shop().test_client().get(ROUTE)

    assert "Retry-After" not in answer.headers


def test_answers_name_the_budgets_and_what_is_left_of_them(shop):
    limited = shop(RATELIMIT_NETWORK="100 per minute")
    answers = [limited.test_client().get(ROUTE) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    for left, answer in zip((2, 1, 0, 0), answers, strict=True):
        policy = answer.headers["RateLimit-Policy"]
        assert policy == '"network";q=100;w=60, "default";q=3;w=3600'
        network, own = answer.headers["RateLimit"].split(", ")
        assert re.fullmatch(r'"network";r=9\d;t=(\d|[1-5]\d|6[01])', network)
        assert re.fullmatch(rf'"default";r={left};t=3[56]\d\d', own)
    assert own.endswith(f";t={answers[-1].headers['Retry-After']}")


def test_of_several_limits_each_is_a_budget_with_a_name_of_its_own(shop):
    limited = shop(RATELIMIT_PASSWORDS="5 per minute; 9 per hour")

    answer = limited.test_client().post("/api/auth/login", json={"email": "a@b.c", "password": "x"})

    assert answer.status_code == 401
    names = re.findall(r'"([a-z0-9-]+)";q=', answer.headers["RateLimit-Policy"])
    assert names == ["network", "auth", "passwords-60", "passwords-3600"]
    assert re.findall(r'"([a-z0-9-]+)";r=', answer.headers["RateLimit"]) == names


@pytest.mark.parametrize(
    ("path", "is_told"), [("/api/nothing", True), ("/", False), ("/nothing", False)]
)
def test_the_budgets_are_told_to_programs(shop, path, is_told):
    assert ("RateLimit" in shop().test_client().get(path).headers) is is_told


def test_who_is_not_limited_reads_of_no_budget(shop):
    limited = shop(RATELIMIT_ENABLED="false")

    assert "RateLimit" not in limited.test_client().get(ROUTE).headers


def test_each_route_counts_for_itself(shop):
    limited = shop()
    statuses(limited, 4)

    assert limited.test_client().get("/").status_code == 200


def test_health_is_never_limited(shop):
    assert statuses(shop(), 9, "/healthz/live") == [200] * 9


def test_all_other_routes_are_limited(shop):
    limited = shop(RATELIMIT_DEFAULT="1 per hour", RATELIMIT_AUTH="1 per hour")
    free = []
    for rule in limited.url_map.iter_rules():
        path = rule.build(dict.fromkeys(rule.arguments, "1"), append_unknown=False)
        method = next(iter(sorted(rule.methods - {"HEAD", "OPTIONS"})))
        # Once more than needed: Redis may be slow to answer on a busy machine, and is passed over.
        answers = [limited.test_client().open(path[1], method=method) for _ in range(3)]
        if answers[-1].status_code != 429:
            free.append(rule.endpoint)

    assert free == ["health.live"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/api/products", 405)]
)
def test_requests_that_match_no_route_are_limited_by_network(shop, customer, method, path, status):
    limited = shop()

    def answers(times: int, **options) -> list[int]:
        return [
            limited.test_client().open(path, method=method, **options).status_code
            for _ in range(times)
        ]

    assert answers(2) == [status] * 2
    assert answers(2, headers=customer.headers) == [status, 429]
    assert answers(1, environ_overrides={"REMOTE_ADDR": "192.0.2.9"}) == [status]
    assert statuses(limited, 1) == [200]  # routes have budgets of their own


def test_a_limited_route_still_says_first_that_it_does_not_take_a_method(shop):
    limited = shop(RATELIMIT_AUTH="1 per hour")
    sign_ins = [limited.test_client().post("/api/auth/login", json={}) for _ in range(2)]

    assert [answer.status_code for answer in sign_ins] == [422, 429]
    assert limited.test_client().get("/api/auth/login").status_code == 405


def test_signing_in_has_a_stricter_limit(shop):
    limited = shop(RATELIMIT_AUTH="2 per hour")
    post = limited.test_client().post

    answers = [post("/api/auth/login", json={}).status_code for _ in range(3)]

    assert answers == [422, 422, 429]


@pytest.mark.parametrize(
    "path", ["/api/auth/login", "/api/auth/register", "/api/auth/password/forgot"]
)
def test_no_credential_takes_the_limit_by_network_off_signing_in(shop, app, path):
    limited = shop(RATELIMIT_AUTH="2 per hour")
    callers = [signed_in(app) for _ in range(3)]
    callers[0].post("/api/auth/logout")

    answers = [limited.test_client().post(path, json={}, headers=each.headers) for each in callers]

    assert [answer.status_code for answer in answers] == [401, 422, 429]


def test_a_cookie_takes_no_limit_off_the_sign_in_page(shop, app):
    limited = shop(RATELIMIT_AUTH="2 per hour")
    for number in range(3):
        make_user(app, email=f"p{number}@example.com")
    browsers = [Browser(app) for _ in range(3)]
    for number, browser in enumerate(browsers):
        browser.sign_in(f"p{number}@example.com")
        browser.client.application = limited

    answers = [browser.client.post("/login").status_code for browser in browsers]

    assert answers == [403, 403, 429]  # a form without its token counts, too


def test_users_share_the_budget_of_their_network(shop, customer, other_customer):
    limited = shop(RATELIMIT_NETWORK="4 per hour")

    def answers(times: int, path: str, **options) -> list[int]:
        return statuses(limited, times, path, **options)

    assert answers(2, ROUTE, headers=customer.headers) == [200, 200]
    assert answers(2, "/api/products", headers=other_customer.headers) == [200, 200]
    assert answers(1, "/api/categories", headers=customer.headers) == [429]
    assert answers(1, "/nothing") == [429]
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    assert answers(1, ROUTE, headers=customer.headers, environ_overrides=elsewhere) == [200]


def test_a_session_that_ended_is_counted_as_its_network(shop, app):
    limited = shop()
    ended = [signed_in(app) for _ in range(4)]
    for caller in ended:
        caller.post("/api/auth/logout")

    answers = [statuses(limited, 1, headers=caller.headers)[0] for caller in ended]

    assert answers == [401, 401, 401, 429]
    assert statuses(limited, 1) == [429]


def test_a_cookie_of_a_session_that_ended_is_counted_as_its_network(shop, app):
    limited = shop()
    browsers = [Browser(app) for _ in range(4)]
    for number, browser in enumerate(browsers):
        make_user(app, email=f"p{number}@example.com")
        browser.sign_in(f"p{number}@example.com")
    with app.app_context():
        db.session.execute(delete(Session))
        db.session.commit()

    for browser in browsers:
        browser.client.application = limited
    answers = [browser.client.get("/").status_code for browser in browsers]

    assert answers == [200, 200, 200, 429]


def test_all_routes_that_hash_passwords_share_one_budget_of_their_network(shop, app):
    sign_in = {"email": "nobody@example.com", "password": PASSWORD}
    requests = hashing_requests(app)
    for endpoint, send in requests:
        limited = shop(RATELIMIT_PASSWORDS="1 per hour")
        limited.test_client().post("/api/auth/login", json=sign_in)
        assert send(limited).status_code == 429, endpoint

    for endpoint, send in requests:
        limited = shop(RATELIMIT_PASSWORDS="1 per hour")
        first = send(limited)
        then = limited.test_client().post("/api/auth/login", json=sign_in)
        assert (first.status_code < 400, then.status_code) == (True, 429), endpoint


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/register", "/api/cart/items"])
def test_a_preflight_uses_no_budget_of_what_it_asks_for(shop, path):
    tight = {"RATELIMIT_PASSWORDS": "1 per hour", "RATELIMIT_GUEST_ITEMS": "1 per hour"}
    limited = shop(RATELIMIT_DEFAULT="9 per hour", **tight)

    answers = [limited.test_client().options(path) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert {answer.headers["RateLimit"].count(";r=") for answer in answers} == {2}
    assert limited.test_client().post(path, json={}).status_code == 422


def test_every_view_that_hashes_passwords_has_the_shared_budget(shared_app):
    limited = {
        endpoint
        for endpoint, view in shared_app.view_functions.items()
        if rate_limits.hashes_passwords(view)
    }

    assert limited == views_that_hash()


def views_that_hash() -> set[str]:
    """The endpoints in app/api and app/pages whose code leads to a hash, by the names it calls."""
    hashing = {"hash_password", "try_credentials", "try_own_password"}
    endpoints = set()
    for file in [*Path("app/api").glob("*.py"), *Path("app/pages").rglob("*.py")]:
        tree = ast.parse(file.read_text())
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        names = {function.name: names_in(function) for function in functions}
        reached = {name for name, used in names.items() if used & hashing}
        while more := {name for name, used in names.items() if used & reached} - reached:
            reached |= more
        for function in functions:
            if function.name in reached and any(
                "blp" in names_in(d) for d in function.decorator_list
            ):
                endpoints.add(f"{blueprint_name(tree)}.{function.name}")
    return endpoints


def names_in(node: ast.AST) -> set[str]:
    return {
        each.id if isinstance(each, ast.Name) else each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Name | ast.Attribute)
    }


def blueprint_name(tree: ast.Module) -> str:
    return next(
        node.value.args[0].value
        for node in tree.body
        if isinstance(node, ast.Assign) and "blp" in names_in(node.targets[0])
    )


def test_the_limit_comes_before_the_question_who_calls(shop):
    limited = shop()
    forged = {"Authorization": "Bearer forged"}

    assert statuses(limited, 4, headers=forged) == [401, 401, 401, 429]


def test_a_forged_token_opens_no_account_of_its_own(shop):
    limited = shop()
    answers = [
        limited.test_client().get(ROUTE, headers={"Authorization": f"Bearer {number}"}).status_code
        for number in range(4)
    ]

    assert answers[-1] == 429


def test_users_at_one_address_do_not_share_a_limit(shop, customer, other_customer):
    limited = shop()

    assert statuses(limited, 4, headers=customer.headers)[-1] == 429
    assert statuses(limited, 1, headers=other_customer.headers) == [200]
    assert statuses(limited, 1) == [200]


def test_a_forged_forwarded_for_does_not_help(shop):
    limited = shop()
    answers = [
        limited.test_client().get(ROUTE, headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
        for n in range(4)
    ]

    assert answers[-1] == 429


def test_all_addresses_of_an_ipv6_network_share_a_limit(shop):
    limited = shop()
    answers = [
        limited.test_client().get(ROUTE, environ_overrides={"REMOTE_ADDR": f"2001:db8::{n}"})
        for n in range(4)
    ]

    assert answers[-1].status_code == 429


def test_exactly_as_many_proxies_are_trusted_as_there_are(shop):
    limited = shop(TRUSTED_PROXIES="1")

    def seen_by_the_proxy(address: str, claimed: str) -> int:
        headers = {"X-Forwarded-For": f"{claimed}, {address}"}
        return limited.test_client().get(ROUTE, headers=headers).status_code

    same_client = [seen_by_the_proxy("192.0.2.1", f"10.0.0.{n}") for n in range(4)]

    assert same_client[-1] == 429
    assert seen_by_the_proxy("192.0.2.2", "10.0.0.1") == 200


def test_without_trusted_hosts_a_proxys_word_on_the_host_is_not_taken(shop):
    limited = shop(TRUSTED_PROXIES="1")

    answer = limited.test_client().get(
        "/api/products", headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    )

    assert "evil.example" not in answer.headers.get("Link", "")
    assert "https://localhost/" in answer.headers.get("Link", "")


def test_limits_can_be_switched_off(shop):
    assert statuses(shop(RATELIMIT_ENABLED="false"), 9) == [200] * 9
