"""Renders pages with their surroundings: the categories, the cart and the account."""

from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response, g, make_response, render_template

from app.domain.people.actor import Actor
from app.pages import cookies
from app.pages.csrf import browser_id
from app.pages.forms import Form
from app.services.buying import cart_contents
from app.web.callers.identity import current_actor
from app.web.catalogue_answers import all_categories


@dataclass(frozen=True)
class Layout:
    """What the base template shows around a page."""

    categories: list[dict[str, Any]]
    cart_count: int
    actor: Actor


def page(template: str, status: int = 200, **context: object) -> Response:
    """Render a page with its surroundings."""
    browser_id()
    buyer = cookies.page_buyer()
    layout = Layout(categories(), cart_contents.count_units(buyer), current_actor())
    return make_response(render_template(template, layout=layout, **context), status)


def form_page(template: str, form: Form, **context: object) -> Response:
    """Render a page with a form, with the form's status and headers."""
    response = page(template, form.status, form=form, **context)
    response.headers.update(form.headers)
    return response


def categories() -> list[dict[str, Any]]:
    """All categories in tree order, as the API shows them, each with its `depth`; loaded once a
    request."""
    if "categories" not in g:
        g.categories = _with_depths(orjson.loads(all_categories().body)["items"])
    tree: list[dict[str, Any]] = g.categories
    return tree


def _with_depths(tree: list[dict[str, Any]]) -> list[dict[str, Any]]:
    depths: dict[int | None, int] = {None: -1}
    for category in tree:
        category["depth"] = depths[category["id"]] = depths[category["parent_id"]] + 1
    return tree
