"""Text that is meant to keep a worker busy, in every place that takes text: each answer is no
failure, and takes less than 200 ms of its thread.

Normalizing marks takes time that grows with the square of their number, with the interpreter's lock
held: before raw lengths were bounded, 60 kB in one field of a sign-in took 3 to 5 s.

The two tests that send most run on one database each, since what is measured is Python's time.
test_long_numbers.py sends long numbers to both databases.
"""

import io
import itertools
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask

from app.gateways.media import FolderStore
from tests import factories
from tests.integration.access.api_routes import API_ROUTES
from tests.integration.access.page_routes import PAGE_ROUTES
from tests.integration.access.table import Route
from tests.integration.access.world import World
from tests.integration.hostile import (
    MARKS,
    Place,
    Stopwatch,
    address_without_query,
    all_forms,
    caller_of,
    client_of,
    csrf_token,
    forget_failures,
    forms_of,
    header_texts,
    is_sent_away,
    line_texts,
    pages,
    put,
    sent_by,
    text_places,
    texts,
)
from tests.integration.people import bearer, inside

pytestmark = pytest.mark.slow

QUERY = ("q", "category", "min_price", "max_price", "in_stock", "sort", "page", "o.Size", "next",
         "status", "person", "subject", "id", "role", "is_active", "cursor", "v")  # fmt: skip
HEADERS = ("Accept", "Accept-Language", "Authorization", "Cookie", "Content-Type", "If-Match",
           "If-None-Match", "If-Modified-Since", "Idempotency-Key", "Origin", "Range", "Referer",
           "X-Cart-Token", "X-Order-Token", "X-Request-ID", "X-Forwarded-For", "User-Agent",
           "Access-Control-Request-Headers")  # fmt: skip


@pytest.fixture(autouse=True)
def folder(shared_app, tmp_path, monkeypatch):
    """A folder of this test's own for pictures."""
    monkeypatch.setitem(shared_app.extensions, "media", FolderStore(tmp_path, "/media"))


@pytest.fixture
def stopwatch(app, monkeypatch) -> Stopwatch:
    """Measures all answers of the app."""
    monkeypatch.setattr("werkzeug.test.get_current_url", address_without_query)
    stopwatch = Stopwatch(app)
    monkeypatch.setattr(app, "wsgi_app", stopwatch)
    return stopwatch


@pytest.fixture
def world(app) -> World:
    """People, and things of theirs."""
    return World(app)


def headers_of(world: World, route: Route) -> dict[str, str]:
    """The credentials of somebody who may enter."""
    caller = caller_of(route)
    return bearer(world.tokens[caller]["access_token"])


def openapi_of(document: Any, route: Route) -> dict[str, Any]:
    """What the document says of a route, with the parameters of its path."""
    path = route.rule.replace("<", "{").replace(">", "}")
    item = document["paths"].get(path, {})
    operation = dict(item.get(route.method.lower(), {}))
    operation["parameters"] = [*item.get("parameters", ()), *operation.get("parameters", ())]
    return operation


def json_places(document: Any, route: Route) -> Iterator[tuple[Place, int]]:
    content = openapi_of(document, route).get("requestBody", {}).get("content", {})
    if "application/json" in content:
        yield from text_places(document, content["application/json"]["schema"])


def test_in_every_field_of_every_json_body(app, world, stopwatch):
    document = app.test_client().get("/api/openapi.json").json
    looked_at = set()
    for route in API_ROUTES:
        for place, limit in json_places(document, route):
            looked_at.add(place[-1])
            for name, text in texts(limit).items():
                body = put(route.sends(world).get("json", {}), place, text)
                forget_failures(app, body)
                sent = {"json": body, "headers": headers_of(world, route)}
                path, method = world.path(route), route.method
                stopwatch.check(
                    f"{route} {place}: {name}",
                    lambda m=method, p=path, s=sent: app.test_client(use_cookies=False).open(
                        p, method=m, **s
                    ),
                )
    assert looked_at >= {"email", "password", "new_password", "note", "description", "line1", "sku"}


@pytest.mark.only_on("postgresql")
def test_in_names_that_nobody_knows(app, world, stopwatch):
    many = {f"{number}{MARKS[:100]}": number for number in range(5000)}
    for route in (route for route in API_ROUTES if route.method not in ("GET", "HEAD")):
        for name, body in [("one", {MARKS: MARKS}), ("many", many), ("deep", deep(60))]:
            sent = {"json": body, "headers": headers_of(world, route)}
            stopwatch.check(
                f"{route}: {name}",
                lambda d=route, s=sent: app.test_client(use_cookies=False).open(
                    world.path(d), method=d.method, **s
                ),
            )


def deep(levels: int) -> Any:
    """Objects within objects."""
    return {"a": deep(levels - 1)} if levels else MARKS


def test_in_every_query_of_the_api(app, world, stopwatch):
    document = app.test_client().get("/api/openapi.json").json
    for route in API_ROUTES:
        parameters = openapi_of(document, route)["parameters"]
        names = {p["name"] for p in parameters if p.get("in") == "query"}
        for name in names:
            for kind, text in line_texts(254).items():
                ask = in_a_query(app, world.path(route), name, text, headers_of(world, route))
                stopwatch.check(f"{route} ?{name}: {kind}", ask)


def in_a_query(app: Flask, path: str, name: str, text: str, headers: Any) -> Any:
    query = urlencode({name: text})
    return lambda: app.test_client().get(path, query_string=query, headers=headers)


@pytest.mark.only_on("postgresql")
def test_in_every_path(app, world, stopwatch):
    for route in [*API_ROUTES, *PAGE_ROUTES]:
        for kind, text in line_texts(120).items() if "<" in route.rule else ():
            path = route.rule.partition("<")[0] + quote(text, safe="")
            client = (
                client_of(app, world, route)
                if route.is_page
                else app.test_client(use_cookies=False)
            )
            headers = {} if route.is_page else headers_of(world, route)
            stopwatch.check(
                f"{route}: {kind}",
                lambda c=client, p=path, m=route.method, h=headers: c.open(p, method=m, headers=h),
            )


@pytest.mark.only_on("postgresql")
def test_in_every_header(app, world, stopwatch):
    routes = [
        route
        for route in API_ROUTES
        if route.rule in ("/api/products", "/api/orders", "/api/cart/items")
    ]
    routes += [
        route
        for route in PAGE_ROUTES
        if route.rule in ("/", "/search", "/cart", "/products/<slug>")
    ]
    for route, header in itertools.product(routes, HEADERS):
        for kind, text in header_texts().items():
            headers = {**headers_of(world, route), header: text}
            stopwatch.check(
                f"{route} {header}: {kind}",
                lambda d=route, h=headers: app.test_client(use_cookies=False).open(
                    world.path(d), method=d.method, data=b"{}", headers=h
                ),
            )


@pytest.mark.only_on("postgresql")
def test_ten_thousand_parameters(app, world, stopwatch):
    queries = ["&".join(f"o.{n}=x" for n in range(10_000)), "q=a&" * 10_000, "o.a=" + "+" * 30_000]
    for route in (route for route in [*API_ROUTES, *PAGE_ROUTES] if route.method == "GET"):
        client = (
            client_of(app, world, route) if route.is_page else app.test_client(use_cookies=False)
        )
        headers = {} if route.is_page else headers_of(world, route)
        for query in queries:
            stopwatch.check(
                f"{route} {query[:20]}",
                lambda c=client, d=route, q=query, h=headers: c.get(
                    world.path(d), query_string=q, headers=h
                ),
            )


@pytest.mark.only_on("sqlite")
def test_in_every_query_of_the_pages(app, world, stopwatch):
    marks = line_texts(254)["marks in two classes"]
    for caller, route in pages(world):
        client = client_of(app, world, route, caller)
        shown = forms_of(world.request_as(route, caller).text)
        names = {name for form in shown if form.method == "get" for name in form.values} | set(
            QUERY
        )
        queries = {name: {name: marks} for name in sorted(names)}
        # All of them in one query: each that cannot be read is left out.
        kinds = line_texts(254, share=len(names))
        queries |= {kind: dict.fromkeys(sorted(names), text) for kind, text in kinds.items()}
        queries["name of an option"] = {f"o.{MARKS[:500]}": MARKS[:500]}
        for what, query in queries.items():
            sent = urlencode(query)
            stopwatch.check(
                f"{caller} {route}: {what[:20]}",
                lambda c=client, d=route, q=sent: c.get(world.path(d), query_string=q),
            )


@pytest.mark.only_on("postgresql")
def test_in_every_field_of_every_form(app, world, stopwatch):
    forms, shown = all_forms(world), inside(app, factories.product)
    asked = {name for _caller, form in forms for name in form.values}
    assert asked >= {"email", "password", "new_password", "note", "description", "line1", "reason"}
    assert {form.action for _caller, form in forms} >= {"/login", "/register", "/checkout/order"}
    for caller, form in forms:
        values = {**form.values, **sent_by(world, form.action)}
        for name in [*values, MARKS[:500]]:
            client, token = None, ""
            for kind, text in texts(form.limits.get(name, 1000)).items():
                if client is None or form.action in ("/login", "/register"):
                    client = client_of(app, world, PAGE_ROUTES[0], caller)
                    token = csrf_token(client, shown)
                data = {**values, "csrf_token": token, name: text}
                forget_failures(app, data)
                what = f"{caller} {form.action} {name[:20]}: {kind}"
                response = stopwatch.check(
                    what,
                    lambda c=client, f=form, d=data: c.post(
                        f.action, data=d, content_type=f.mimetype
                    ),
                )
                assert not is_sent_away(caller, form, response), what


def test_in_every_cell_of_a_product_list(app, world, stopwatch):
    columns = (
        "sku",
        "name",
        "price",
        "stock",
        "description",
        "category",
        "compare_at_price",
        "currency",
    )
    row = {"sku": "A-1", "name": "Mug", "price": "1.00", "category": "A > B"}
    for column in columns:
        for kind, text in texts(20_000).items():
            cells = {**row, column: text}
            file = f"{','.join(cells)}\n" + ",".join(f'"{cell}"' for cell in cells.values())
            upload(app, world, stopwatch, f"{column}: {kind}", file.encode())
    upload(app, world, stopwatch, "header", f"sku,name,price,{MARKS}\na,b,1,c".encode())


def upload(app: Flask, world: World, stopwatch: Stopwatch, what: str, data: bytes) -> None:
    client = client_of(app, world, PAGE_ROUTES[0], "admin")
    token = csrf_token(client, world.product)

    def send() -> Any:
        file = (io.BytesIO(data), f"{MARKS[:200]}.csv")
        sent = {"file": file, "csrf_token": token}
        return client.post("/admin/import", data=sent, content_type="multipart/form-data")

    stopwatch.check(what, send)
