"""What is for sale: the front page, categories, search, and products."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.domain.people.actor import ANONYMOUS
from app.errors import NotFound
from app.pages.blueprint import PageBlueprint
from app.pages.shell import categories, page, store_name
from app.pages.shop import seo
from app.pages.shop.listing import Group, Link, Listing, read_listing
from app.services.catalogue.product_queries import Wanted
from app.web import catalogue_answers

blp = PageBlueprint("storefront", __name__)
FEATURED, NEWEST = 4, 8


@blp.get("/")
def home() -> Response:
    """The front page: what is reduced, what is new, and where things are."""
    return page(
        "home.html",
        featured=_first(Wanted(reduced=True, in_stock=True, per_page=FEATURED)),
        newest=_first(Wanted(per_page=NEWEST)),
    )


@blp.get("/search")
def search() -> Response:
    """Products by words and choices; without any, all of them."""
    listing = read_listing(request.path, request.args)
    within = _called(listing.wanted.category)
    found = _results(listing, children_of=within["id"] if within else None, by_query=True)
    return page("search.html", listing=listing, within=within, **found)


@blp.get("/categories/<slug>")
def category(slug: str) -> AnyResponse:
    """A category's products, with those of the categories below it."""
    shown = _called(slug)
    if shown is None:
        raise NotFound("category")
    listing = read_listing(_address(shown), request.args, category=shown["slug"])
    if slug != shown["slug"]:
        return redirect(listing.page_href(listing.wanted.page or 1), 301)
    trail = _trail(shown)
    return page(
        "category.html",
        category=shown,
        trail=trail,
        data=seo.breadcrumbs([(store_name(), "/"), *((c["name"], _address(c)) for c in trail)]),
        listing=listing,
        **_results(listing, children_of=shown["id"], by_query=False),
    )


@blp.get("/products/<slug>")
def product(slug: str) -> AnyResponse:
    """One product, and what there is to choose of it."""
    shown = orjson.loads(catalogue_answers.product_at(ANONYMOUS, slug).body)
    here = url_for("storefront.product", slug=shown["slug"])
    if slug != shown["slug"]:
        return redirect(here, 301)
    trail = _trail(_called(shown["category"]["slug"])) if shown["category"] else []
    steps = [(store_name(), "/"), *((c["name"], _address(c)) for c in trail)]
    return page(
        "product.html",
        product=shown,
        trail=trail,
        similar=_similar(shown),
        data=[seo.breadcrumbs([*steps, (shown["name"], here)]), seo.product(shown)],
    )


def _results(listing: Listing, children_of: int | None, by_query: bool) -> dict[str, Any]:
    found = _list(listing.wanted)
    counts = catalogue_answers.facets(listing.wanted, found["total"])
    numbers = dict(counts.categories)
    links = [
        Link(
            listing.href(category=child["slug"]) if by_query else _address(child),
            child["name"],
            numbers[child["id"]],
        )
        for child in categories()
        if child["parent_id"] == children_of and child["id"] in numbers
    ]
    groups = (
        [Group("Category", links), *listing.groups(counts)] if links else listing.groups(counts)
    )
    return {"found": found, "groups": groups}


def _first(wanted: Wanted) -> list[dict[str, Any]]:
    """The newest that fit; by cursor, so that nobody counts the rest."""
    items: list[dict[str, Any]] = _list(replace(wanted, cursor=""))["items"]
    return items


def _list(wanted: Wanted) -> dict[str, Any]:
    # Staff look at the shop's window as everybody does.
    found: dict[str, Any] = orjson.loads(catalogue_answers.product_list(ANONYMOUS, wanted).body)
    return found


def _called(address: str) -> dict[str, Any] | None:
    return next((c for c in categories() if address in (c["slug"], str(c["id"]))), None)


def _trail(category: dict[str, Any] | None) -> Sequence[dict[str, Any]]:
    """A category after those that it lies in, from the top."""
    by_id = {c["id"]: c for c in categories()}
    trail: list[dict[str, Any]] = []
    while category is not None:
        trail.insert(0, category)
        category = by_id.get(category["parent_id"])
    return trail


def _similar(product: dict[str, Any]) -> list[dict[str, Any]]:
    if not product["category"]:
        return []
    near = _first(Wanted(category=product["category"]["slug"], in_stock=True, per_page=5))
    return [item for item in near if item["id"] != product["id"]][:4]


def _address(category: dict[str, Any]) -> str:
    return url_for("storefront.category", slug=category["slug"])
