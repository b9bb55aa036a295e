"""Text that is meant to keep a server busy, and the places that take text: fields of JSON bodies, and
of the forms that people are shown."""

import functools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask
from sqlalchemy import delete
from werkzeug.test import TestResponse

from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import LoginThrottle, Product
from tests import factories
from tests.integration.access.page_routes import PAGE_ROUTES
from tests.integration.access.table import Route
from tests.integration.access.world import World
from tests.integration.people import inside

MOST_MS = 200
"""The most that an answer may take of its thread's time."""
MARKS = "a" + "\u0301" * 15_000 + "\u0323" * 15_000
LETTERS = 1000
"""What a field is taken to hold that does not say how much it does."""


@functools.cache
def texts(limit: int = LETTERS) -> dict[str, str]:
    """Hostile texts for a field of `limit` characters, by name."""
    return {
        "marks in two classes": MARKS,
        "four times the limit": ("a" + "\u0301\u0323" * (2 * limit))[: 4 * limit],
        "marks hidden in letters": "a" + "\u0301\uff9e" * 15_000,
        "ligatures of eighteen letters": "\ufdfa" * limit,
        "digits": "9" * 100_000,
        "blanks": "x" + " " * 50_000 + "x",
        "hyphens": "a" + "-a" * 25_000 + "!",
        "percents": "/%" + "25" * 25_000,
    }


@functools.cache
def line_texts(limit: int = LETTERS, share: int = 1) -> dict[str, str]:
    """The same, as much as fits into a request line, of which each text gets a share: gunicorn
    refuses lines over 8,190 bytes."""
    return {name: _fitting(text, 8000 // share) for name, text in texts(limit).items()}


def _fitting(text: str, size: int) -> str:
    while len(encoded := quote(text, safe="")) > size:
        text = text[: len(text) * size // len(encoded)]
    return text


def header_texts() -> dict[str, str]:
    """The same for headers, which hold Latin-1 and at most 8 kB each."""
    return {
        "letters": "\xb5" * 8000,
        "digits": "9" * 8000,
        "commas": '"1", ' * 1600,
        "blanks": "x" + " " * 7000 + ";x",
        "parameters": "text/html" + ";q=0" * 1900,
        "quotes": '"\\' * 4000,
    }


TRIES = 4


class Stopwatch:
    """Measures what the answers of an app take of the time of their thread.

    That hardly depends on how busy the machine is. What takes too long is asked again, TRIES times in
    all: a first answer may compile a template or a statement, and a thread that shares its core with
    another is slower. What really takes too long does so each time.
    """

    def __init__(self, app: Flask) -> None:
        self._wsgi_app = app.wsgi_app
        self._ms = 0.0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start = time.thread_time()
        try:
            return self._wsgi_app(environ, start_response)
        finally:
            self._ms = (time.thread_time() - start) * 1000

    def check(self, what: str, ask: Any) -> TestResponse:
        """The answer to `ask()`, which is no failure and in time."""
        response: TestResponse = ask()
        response.close()
        for _ in range(TRIES - 1):
            if self._ms <= MOST_MS:
                break
            response = ask()
            response.close()
        assert response.status_code < 500, f"{what}: {response.status_code}"
        assert self._ms <= MOST_MS, f"{what}: {self._ms:.0f} ms, {response.status_code}"
        return response


Place = tuple[str | int, ...]
"""Where in a JSON body a text stands, such as `("options", 0, "name")`."""
KEY = "*"
"""The name of a member that may have any name."""


def text_places(document: Any, schema: Any) -> Iterator[tuple[Place, int]]:
    """Where the JSON that a schema describes takes text, with the longest that it may be."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for other in (*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from text_places(document, other)
    types = schema.get("type", ())
    if "string" in ([types] if isinstance(types, str) else types):
        yield (), int(schema.get("maxLength", LETTERS))
    for name, member in schema.get("properties", {}).items():
        if not member.get("readOnly"):
            yield from _below(name, document, member)
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield (KEY,), LETTERS
        yield from _below("Size", document, schema["additionalProperties"])
    if "items" in schema:
        yield from _below(0, document, schema["items"])


def _below(name: str | int, document: Any, schema: Any) -> Iterator[tuple[Place, int]]:
    for place, limit in text_places(document, schema):
        yield (name, *place), limit


def put(body: Any, place: Place, text: str) -> Any:
    """The JSON body with a text at a place; what surrounds the place is made."""
    if not place:
        return text
    name, *rest = place
    if isinstance(name, int):
        others = list(body)[name + 1 :] if isinstance(body, list) else []
        return [
            put(body[name] if isinstance(body, list) and body else {}, tuple(rest), text),
            *others,
        ]
    members = dict(body) if isinstance(body, Mapping) else {}
    if name == KEY:
        return {**members, text: "x"}
    return {**members, name: put(members.get(name, {}), tuple(rest), text)}


@dataclass
class HtmlForm:
    """A form of a page: where it is sent to, and the values of its fields."""

    action: str
    method: str
    mimetype: str
    values: dict[str, str] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, HtmlForm] = {}
        self._open = self._select = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = given.get("id", f"form {len(self.forms)}")
            mimetype = given.get("enctype", "application/x-www-form-urlencoded")
            form = HtmlForm(given.get("action", ""), given.get("method", "get").lower(), mimetype)
            self.forms.setdefault(self._open, form)
        elif tag == "option" and self._select and "selected" in given:
            self._note(self._select, given.get("value", ""), {})
        elif tag in ("input", "select", "textarea", "button") and given.get("name"):
            self._note(given["name"], given.get("value", ""), given)
            self._select = given["name"] if tag == "select" else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = ""

    def _note(self, name: str, value: str, given: Mapping[str, str]) -> None:
        form = self.forms.get(given.get("form", self._open))
        if form is None or given.get("type") == "file":
            return
        form.values[name] = value
        form.limits[name] = int(given.get("maxlength", LETTERS))


def forms_of(html: str) -> list[HtmlForm]:
    """The forms of a page."""
    parser = _Forms()
    parser.feed(html)
    return list(parser.forms.values())


def caller_of(route: Route) -> str:
    """Somebody who may enter: the owner, else staff."""
    return next((name for name in ("owner", "admin") if name in route.admitted), "admin")


def address_without_query(environ: Mapping[str, str]) -> str:
    """What the test's client needs to know of a request's address to choose the cookies for it. Its
    own way decodes the query too, twice for each request, which takes as long as many an answer."""
    return f"http://{environ['HTTP_HOST']}{environ['PATH_INFO']}"


def client_of(app: Flask, world: World, route: Route, caller: str = "") -> Any:
    """A browser of somebody who may enter."""
    client = app.test_client()
    caller = caller or caller_of(route)
    if caller != "anonymous":
        client.set_cookie(app.config["JWT_ACCESS_COOKIE_NAME"], world.tokens[caller]["page_token"])
    return client


def pages(world: World, methods: tuple[str, ...] = ("GET",)) -> Iterator[tuple[str, Route]]:
    """Who may look at which page."""
    for route in (route for route in PAGE_ROUTES if route.method in methods):
        for caller in ("anonymous", "owner", "admin"):
            if route.expected[caller] == 200 and not route.rule.startswith(("/static", "/media")):
                yield caller, route


SIGN_IN_ENDS = ("/logout", "/account/password", "/account/sign-out-everywhere", "/account/close")


def all_forms(world: World) -> list[tuple[str, HtmlForm]]:
    """Each form that a page shows to somebody, once, by where it is sent and what it asks; those
    last that may end somebody's sign-in, after which the others would only be sent away."""
    found: dict[tuple[str, str], tuple[str, HtmlForm]] = {}
    shown = [
        (caller, world.request_as(route, caller).text)
        for caller, route in pages(world, ("GET", "POST"))
    ]
    for caller, html in [*shown, ("owner", review_of(world))]:
        for form in forms_of(html):
            if form.method == "post":
                found.setdefault((form.action, " ".join(form.values)), (caller, form))
    return sorted(found.values(), key=lambda entry: entry[1].action in SIGN_IN_ENDS)


def review_of(world: World) -> str:
    """The review of an order, to which the owner's browser is sent from the checkout's form."""
    client = client_of(world.app, world, PAGE_ROUTES[0], "owner")
    token = csrf_token(client, inside(world.app, factories.product))
    data = {**sent_by(world, "/checkout"), "csrf_token": token}
    html: str = client.post("/checkout", data=data, follow_redirects=True).text
    return html


def is_sent_away(caller: str, form: HtmlForm, response: TestResponse) -> bool:
    """Whether somebody who was signed in has to sign in again before the form is looked at."""
    may_be = caller == "anonymous" or form.action in SIGN_IN_ENDS
    return not may_be and response.headers.get("Location", "").startswith("/login")


def sent_by(world: World, action: str) -> dict[str, Any]:
    """What the matrix sends to an action, so that all but one field are right."""
    for route in PAGE_ROUTES:
        if route.method == "POST" and world.path(route) == urlsplit(action).path:
            sent: dict[str, Any] = route.sends(world).get("data", {})
            return {name: str(value) for name, value in sent.items() if name != "file"}
    return {}


def csrf_token(client: Any, product: Product) -> str:
    """The token of the form that this browser is shown on a product's page."""
    shown = client.get(f"/products/{product.slug}").text
    return next(f.values["csrf_token"] for f in forms_of(shown) if "csrf_token" in f.values)


def forget_failures(app: Flask, fields: Iterable[str]) -> None:
    """Let nobody be locked out who sends these fields: then no password would be looked at. Without a
    password nothing counts as a failure, and nothing is refused because of others."""
    if any("password" in field for field in fields):
        inside(app, lambda: in_transaction(lambda: db.session.execute(delete(LoginThrottle))))
