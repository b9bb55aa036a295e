"""Query strings: a parameter that a route does not have is refused, on every route of the API."""

from urllib.parse import urlencode

import pytest

from tests.integration.access.api_routes import API_ROUTES

# Parameters are read before the database.
pytestmark = pytest.mark.only_on("postgresql")

FREE = ("/api/docs", "/api/openapi.json", "/healthz", "/metrics")
"""Paths that take any parameters, as pages do."""
ROUTES = [route for route in API_ROUTES if route.admitted and not route.rule.startswith(FREE)]


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_an_unknown_parameter_is_refused_and_changes_nothing(world, route):
    before = world.rows()

    answers = [world.request_as(route, caller, "colour=red") for caller in route.admitted]

    assert {answer.status for answer in answers} == {422}
    assert all('"code":"unknown_parameter"' in answer.text for answer in answers)
    assert world.rows() == before


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_who_may_not_enter_is_told_so_first(world, route):
    for caller, status in route.expected.items():
        # Whether a refresh token is used up is known after its session is read.
        is_checked_late = route.rule == "/api/auth/refresh" and caller == "deactivated"
        if status in (401, 403) and not is_checked_late:
            assert world.request_as(route, caller, "colour=red").status == status


def test_what_cannot_be_read_comes_before_a_parameter_that_is_unknown(anyone):
    answers = [
        anyone.post("/api/cart/items?colour=red", data=data, content_type=kind)
        for data, kind in (("{", "application/json"), ("{}", "text/plain"))
    ]

    assert [answer.status_code for answer in answers] == [400, 415]


@pytest.mark.parametrize("path", ["/api/cart", "/api/users/me", "/api/products", "/api/users"])
def test_campaign_tags_pass(admin, path):
    tags = {"utm_source": "mail", "utm_x": "1", "gclid": "2", "fbclid": "3"}

    assert admin.get(f"{path}?{urlencode(tags)}").status_code == 200


def test_a_route_without_parameters_says_so(anyone):
    refused = anyone.get("/api/cart?page=1")

    assert refused.json["errors"] == {"page": ["There is no such parameter."]}
    assert refused.json["detail"].endswith("it takes none.")
