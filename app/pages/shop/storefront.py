"""What is for sale: the front page, categories, search, and products."""

from collections.abc import Sequence
from dataclasses import replace

import orjson
from flask import Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.domain.catalogue.option_order import by_values
from app.domain.people.actor import ANONYMOUS
from app.errors import NotFound
from app.pages.blueprint import PageBlueprint
from app.pages.layout import categories, page
from app.pages.shop import seo
from app.pages.shop.listing import Group, Link, ProductListing, read_listing
from app.services.catalogue.product_filters import ProductQuery
from app.web import catalogue_answers
from app.web.catalogue_answers import JsonObject

blp = PageBlueprint("storefront", __name__)
FEATURED, NEWEST = 4, 8


@blp.get("/")
def home() -> Response:
    """The front page: what is reduced, what is new, and where things are."""
    return page(
        "home.html",
        featured=_first(ProductQuery(reduced=True, in_stock=True, per_page=FEATURED)),
        newest=_first(ProductQuery(per_page=NEWEST)),
    )


@blp.get("/search")
def search() -> Response:
    """Products by words and filters; without any, all of them."""
    listing = read_listing(request.path, request.args)
    within = _find_category(listing.query.category)
    results = _results(listing, children_of=within["id"] if within else None, by_query=True)
    return page("search.html", listing=listing, within=within, **results)


@blp.get("/categories/<slug>")
def category(slug: str) -> AnyResponse:
    """A category's products, with those of the categories below it."""
    category = _find_category(slug)
    if category is None:
        raise NotFound("category")
    listing = read_listing(_address(category), request.args, category=category["slug"])
    if slug != category["slug"]:
        return redirect(listing.page_href(listing.query.page or 1), 301)
    trail = _trail(category)
    return page(
        "category.html",
        category=category,
        trail=trail,
        data=seo.breadcrumbs(_steps(trail)),
        listing=listing,
        **_results(listing, children_of=category["id"], by_query=False),
    )


@blp.get("/products/<slug>")
def product(slug: str) -> AnyResponse:
    """One product, with the variants to choose from."""
    product = orjson.loads(catalogue_answers.product_at(ANONYMOUS, slug).body)
    product["variants"] = by_values(product["options"], product["variants"])
    here = url_for("storefront.product", slug=product["slug"])
    if slug != product["slug"]:
        return redirect(here, 301)
    trail = _trail(_find_category(product["category"]["slug"])) if product["category"] else []
    steps = [*_steps(trail), (product["name"], here)]
    return page(
        "product.html",
        product=product,
        trail=trail,
        similar=_similar(product),
        data=[seo.breadcrumbs(steps), seo.product(product)],
    )


def _results(listing: ProductListing, children_of: int | None, by_query: bool) -> JsonObject:
    products = _list(listing.query)
    facets = catalogue_answers.facets(listing.query, products["total"])
    numbers = dict(facets.categories)
    links = [
        Link(
            listing.href(category=child["slug"]) if by_query else _address(child),
            child["name"],
            numbers[child["id"]],
        )
        for child in categories()
        if child["parent_id"] == children_of and child["id"] in numbers
    ]
    groups = [Group("Category", links)] if links else []
    return {"products": products, "groups": groups + listing.groups(facets)}


def _first(query: ProductQuery) -> list[JsonObject]:
    """The newest products of a query; by cursor, so that the others are not counted."""
    items: list[JsonObject] = _list(replace(query, cursor=""))["items"]
    return items


def _list(query: ProductQuery) -> JsonObject:
    # Staff see the storefront as everybody does.
    body: JsonObject = orjson.loads(catalogue_answers.product_list(ANONYMOUS, query).body)
    return body


def _find_category(address: str) -> JsonObject | None:
    return next((c for c in categories() if address in (c["slug"], str(c["id"]))), None)


def _trail(category: JsonObject | None) -> Sequence[JsonObject]:
    """The categories above a category from the top, and the category itself."""
    by_id = {c["id"]: c for c in categories()}
    trail: list[JsonObject] = []
    while category is not None:
        trail.insert(0, category)
        category = by_id.get(category["parent_id"])
    return trail


def _steps(trail: Sequence[JsonObject]) -> list[tuple[str, str]]:
    """The names and addresses from the front page to the last category."""
    return [
        (current_app.config["STORE_NAME"], "/"),
        *((each["name"], _address(each)) for each in trail),
    ]


def _similar(product: JsonObject) -> list[JsonObject]:
    if not product["category"]:
        return []
    query = ProductQuery(category=product["category"]["slug"], in_stock=True, per_page=5)
    return [item for item in _first(query) if item["id"] != product["id"]][:4]


def _address(category: JsonObject) -> str:
    return url_for("storefront.category", slug=category["slug"])
