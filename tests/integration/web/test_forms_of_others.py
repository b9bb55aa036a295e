"""No form of the pages acts for an account that it does not show, whatever its view."""

import pytest

from tests.integration.access.page_routes import PAGE_ROUTES
from tests.integration.access.table import Route
from tests.integration.access.world import World

OWN = {"Sec-Fetch-Site": "same-origin"}
FOR_ANY_ACCOUNT = {
    "POST /login", "POST /login/code", "POST /register", "POST /logout",
    "POST /password/forgot", "POST /password/reset", "POST /email/verify",
    "POST /cart/items", "POST /cart/items/<item_id>", "POST /cart/items/<item_id>/remove",
    "POST /cart/codes", "POST /cart/codes/remove",
}  # fmt: skip
"""Forms that are carried out for whoever is signed in; the first four look at the account themselves,
and a link from a mail names its own."""
BY_LINK = {"POST /password/reset", "POST /email/verify"}
FORMS = [route for route in PAGE_ROUTES if route.method == "POST"]


def test_these_forms_are_for_any_account(shared_app):
    marked = {
        endpoint
        for endpoint, view in shared_app.view_functions.items()
        if "is_for_any_account" in vars(view)
    }
    rules = {
        f"POST {str(rule).replace('int(max=9223372036854775807):', '')}"
        for rule in shared_app.url_map.iter_rules()
        if rule.endpoint in marked
    }

    assert rules == FOR_ANY_ACCOUNT


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("route", FORMS, ids=str)
def test_no_form_acts_for_an_account_that_it_does_not_show(app, world, route):
    before = world.rows()
    status = sent_for_another(world, route)

    if str(route) in BY_LINK:  # with a token that nobody has
        assert status == 422
        assert world.rows() == before
    elif str(route) in FOR_ANY_ACCOUNT - {"POST /logout"}:
        assert status in (303, 404)
    else:
        assert status == 409
        assert world.rows() == before


def sent_for_another(world: World, route: Route) -> int:
    """The status of a form that a browser got for another customer and sends for staff."""
    client, name = world.app.test_client(), world.app.config["JWT_ACCESS_COOKIE_NAME"]
    client.set_cookie(name, world.tokens["other"]["page_token"])
    token = world._csrf_token(client)
    client.set_cookie(name, world.tokens["admin"]["page_token"])
    data = {**route.sends(world).get("data", {}), "csrf_token": token}
    response = client.post(world.path(route), data=data, headers=OWN)
    response.close()
    return response.status_code
