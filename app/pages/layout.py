"""Renders pages with their surroundings: the categories, the cart and the account."""

from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response, make_response, render_template

from app.domain.people.actor import Actor
from app.pages import cookies
from app.pages.csrf import browser_id
from app.pages.forms import Form
from app.services.buying import cart_contents
from app.web.callers.identity import current_actor
from app.web.catalogue_answers import category_branch

MAX_MENU = 100
"""How many categories of the top the menu takes. Lists link to the others."""


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
    layout = Layout(_menu(), cart_contents.count_units(buyer), current_actor())
    return make_response(render_template(template, layout=layout, **context), status)


def form_page(template: str, form: Form, **context: object) -> Response:
    """Render a page with a form, with the form's status and headers."""
    response = page(template, form.status, form=form, **context)
    response.headers.update(form.headers)
    return response


def _menu() -> list[dict[str, Any]]:
    menu: list[dict[str, Any]] = orjson.loads(category_branch(None, MAX_MENU).body)["children"]
    return menu
