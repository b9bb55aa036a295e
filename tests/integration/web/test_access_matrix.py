"""Nobody gets in: every route and method, for every kind of caller, against things of customer A.

The tables are in tests/integration/access, a line for each route. Refused callers must leave the
database as it was, and nobody but A and staff may read what is A's.
"""

import re

import pytest
from flask import Flask

from tests.integration.access.api_routes import API_ROUTES, USED_UP
from tests.integration.access.page_routes import PAGE_ROUTES, PAGES_USED_UP
from tests.integration.access.table import Route
from tests.integration.access.world import Answer, World

# Who may enter is asked with the same statements on either database.
pytestmark = pytest.mark.only_on("postgresql")

ROUTES = [*API_ROUTES, *PAGE_ROUTES]


def routes(app: Flask) -> set[str]:
    """Every method of every route, as `GET /api/orders/<order>`."""
    return {
        f"{method} {re.sub('<[^<>]*:', '<', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_and_method_has_its_line(shared_app):
    lines = [str(route) for route in ROUTES]

    assert sorted(routes(shared_app) - set(lines)) == []
    assert sorted(set(lines) - routes(shared_app)) == []
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_each_caller_is_answered_as_the_matrix_says(app, world, route):
    before = world.rows()

    answers = {caller: world.request_as(route, caller) for caller in route.refused}
    after = world.rows()
    for caller in route.admitted:
        host = World(app) if str(route) in USED_UP | PAGES_USED_UP else world
        answers[caller] = host.request_as(route, caller)
        check(host, route, caller, answers[caller])

    assert {caller: answer.status for caller, answer in answers.items()} == route.expected
    assert after == before, "somebody was refused, and yet something changed"
    for caller in route.refused:
        check(world, route, caller, answers[caller])


def check(world: World, route: Route, caller: str, answer: Answer) -> None:
    """Only the owner and staff read what is the owner's; a 401 says how to sign in."""
    if caller not in ("owner", "admin") or caller in route.refused:
        assert not [word for word in world.secrets() if word in answer.text], caller
    if answer.status == 401 and not route.is_page:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"
