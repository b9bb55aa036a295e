"""What surrounds every page: the way to the categories, the cart and the account."""

from typing import Any

import orjson
from flask import Response, current_app, g, make_response, render_template

from app.pages import cookies
from app.services.buying import cart_contents
from app.web.callers.identity import current_actor
from app.web.catalogue_answers import all_categories


def page(template: str, status: int = 200, **facts: Any) -> Response:
    """A page in its surroundings."""
    shell = {
        "categories": categories(),
        "cart_count": cart_contents.count_units(cookies.page_buyer()),
        "actor": current_actor(),
    }
    # The page's shell, no command's.
    html = render_template(template, shell=shell, **facts)  # nosec B604
    return make_response(html, status)


def form_page(template: str, form: Any, **facts: Any) -> Response:
    """A page around a form, answered as the form was."""
    response = page(template, form.status, form=form, **facts)
    response.headers.update(form.headers)
    return response


def categories() -> list[dict[str, Any]]:
    """All categories in tree order, each with its `depth`; asked for once a page."""
    if "categories" not in g:
        g.categories = _with_depths(orjson.loads(all_categories().body)["items"])
    found: list[dict[str, Any]] = g.categories
    return found


def _with_depths(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    depths: dict[int | None, int] = {None: -1}
    for category in listed:
        category["depth"] = depths[category["id"]] = depths[category["parent_id"]] + 1
    return listed


def store_name() -> str:
    """What the shop is called."""
    name: str = current_app.config["STORE_NAME"]
    return name
