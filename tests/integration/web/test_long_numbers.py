"""Long and odd numbers, in every query and form of the pages, as several locales write them."""

from urllib.parse import urlencode

import pytest

from app.gateways.media import FolderStore
from tests import factories
from tests.integration.access.page_routes import PAGE_ROUTES
from tests.integration.access.world import World
from tests.integration.hostile import (
    address_without_query,
    all_forms,
    client_of,
    csrf_token,
    forget_failures,
    forms_of,
    is_sent_away,
    pages,
    sent_by,
)
from tests.integration.people import inside

pytestmark = pytest.mark.slow

LOCALES = ["en_US", "de_DE", "fr_FR", "ar_EG", "hi_IN", "de_CH"]
"""They group digits by commas, points, narrow blanks, after three and two digits, by apostrophes."""
GROUPS = [",", ".", "\u202f", "\u00a0", "\u2019", "\u066c"]
NUMBERS = [
    *(f"1{f'{group}111' * 9}" for group in GROUPS),
    *(f"1{f'{group}111' * 1000}" for group in GROUPS),
    "11,11,11,11,11,11,11,11,11,11,11,11,11,11,111", "9" * 19, "9" * 40, "9" * 5000, "-" + "9" * 30,
    "1." + "1" * 30, "1," + "1" * 30, "1e999999", "1e-999999", "1E+999999999999999999", "NaN", "sNaN",
    "Infinity", "1_000", "\u0661" * 30, "\uff11" * 30, "\u00b2", "0x1F", "+1", "1 1",
]  # fmt: skip
FEW = [NUMBERS[0], NUMBERS[6], "9" * 19, "9" * 5000, "-" + "9" * 30, "1." + "1" * 30, "1e999999",
       "NaN", "\u0661" * 30]  # fmt: skip
QUERY = ("min_price", "max_price", "page", "per_page", "id", "category", "person", "q", "v")


@pytest.fixture(autouse=True)
def folder(shared_app, tmp_path, monkeypatch):
    """A folder of this test's own for pictures."""
    monkeypatch.setitem(shared_app.extensions, "media", FolderStore(tmp_path, "/media"))


@pytest.fixture(autouse=True)
def addresses(monkeypatch):
    """Clients look at no more of an address than they need."""
    monkeypatch.setattr("werkzeug.test.get_current_url", address_without_query)


@pytest.fixture
def world(app) -> World:
    """People, and things of theirs."""
    return World(app)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_price_of_twenty_eight_digits_asks_for_nothing(app, monkeypatch, locale):
    monkeypatch.setitem(app.config, "STORE_LOCALE", locale)
    client = app.test_client()
    for number in NUMBERS:
        for name in ("min_price", "max_price"):
            response = client.get(f"/search?{urlencode({name: number})}")

            assert response.status_code == 200, f"{locale} {name}={number[:50]}"


def test_in_every_query_of_the_pages(app, world):
    for caller, route in pages(world):
        client = client_of(app, world, route, caller)
        shown = forms_of(world.request_as(route, caller).text)
        names = {name for form in shown if form.method == "get" for name in form.values} | set(
            QUERY
        )
        for number in FEW:
            response = client.get(
                world.path(route), query_string=dict.fromkeys(names, number[:800])
            )

            assert response.status_code < 500, f"{caller} {route} {number[:50]}"
            response.close()


def test_in_every_form(app, world):
    shown = inside(app, factories.product)
    for caller, form in all_forms(world):
        client = client_of(app, world, PAGE_ROUTES[0], caller)
        token = csrf_token(client, shown)
        values = {**form.values, **sent_by(world, form.action)}
        # All numbers of a form at once, and all of its fields, whatever they hold.
        numbers = {name for name, value in values.items() if value.replace(".", "").isdigit()}
        for number in FEW:
            for names in (numbers, set(values)):
                data = {**values, **dict.fromkeys(names, number), "csrf_token": token}
                forget_failures(app, data)
                response = client.post(form.action, data=data, content_type=form.mimetype)

                assert response.status_code < 500, f"{caller} {form.action} {number[:50]}"
                assert not is_sent_away(caller, form, response), f"{caller} {form.action}"
                response.close()


def test_in_every_path(app, world):
    for route in (route for route in PAGE_ROUTES if "<" in route.rule):
        client = client_of(app, world, route)
        for number in FEW:
            path = route.rule.partition("<")[0] + number[:800]
            response = client.open(path, method=route.method)

            assert response.status_code < 500, f"{route} {number[:50]}"
            response.close()
