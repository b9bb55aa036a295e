"""What is for sale: the front page, categories, search, and products."""

from collections.abc import Sequence
from dataclasses import replace

import orjson
from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.domain.catalogue.option_order import by_values
from app.domain.people.actor import ANONYMOUS
from app.domain.text import id_or_slug
from app.errors import NotFound
from app.pages.blueprint import PageBlueprint
from app.pages.layout import page
from app.pages.shop import seo
from app.pages.shop.listing import Group, Link, ProductListing, read_listing
from app.pages.store import store
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
    try:
        branch = _branch(listing.query.category or None)
    except NotFound:
        branch = _branch(None)
    within = branch["trail"][-1] if branch["trail"] else None
    results = _results(listing, branch["children"], by_query=True)
    return page("search.html", listing=listing, within=within, **results)


@blp.get("/categories/<slug>")
def category(slug: str) -> AnyResponse:
    """A category's products, with those of the categories below it."""
    branch = _branch(slug)
    trail = branch["trail"]
    category = trail[-1]
    listing = read_listing(_address(category), request.args, category=category["slug"])
    if slug != category["slug"]:
        return redirect(listing.page_href(listing.query.page or 1), 301)
    return page(
        "category.html",
        category=category,
        trail=trail,
        data=seo.breadcrumbs(_steps(trail)),
        listing=listing,
        **_results(listing, branch["children"], by_query=False),
    )


@blp.get("/products/<slug>")
def product(slug: str) -> AnyResponse:
    """One product, with the variants to choose from."""
    product = orjson.loads(catalogue_answers.product_at(ANONYMOUS, slug).body)
    product["variants"] = by_values(product["options"], product["variants"])
    here = url_for("storefront.product", slug=product["slug"])
    if slug != product["slug"]:
        return redirect(here, 301)
    trail = _trail(product)
    steps = [*_steps(trail), (product["name"], here)]
    return page(
        "product.html",
        product=product,
        trail=trail,
        similar=_similar(product),
        data=[seo.breadcrumbs(steps), seo.product(product)],
    )


def _results(listing: ProductListing, children: Sequence[JsonObject], by_query: bool) -> JsonObject:
    products = _list(listing.query)
    facets = catalogue_answers.facets(listing.query, products["total"])
    numbers = dict(facets.categories)
    links = [
        Link(
            listing.href(category=child["slug"]) if by_query else _address(child),
            child["name"],
            numbers[child["id"]],
        )
        for child in children
        if child["id"] in numbers
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


def _branch(address: str | None) -> JsonObject:
    """The `trail` from the top to a category, and its `children`; None: the top.

    Raises:
        NotFound: there is no such category.
    """
    key = None if address is None else id_or_slug(address)
    if address is not None and key is None:
        raise NotFound("category")
    branch: JsonObject = orjson.loads(catalogue_answers.category_branch(key).body)
    return branch


def _trail(product: JsonObject) -> Sequence[JsonObject]:
    """The categories of a product, from the top; none while its category is being deleted."""
    if not product["category"]:
        return []
    try:
        trail: list[JsonObject] = _branch(product["category"]["slug"])["trail"]
    except NotFound:
        return []
    return trail


def _steps(trail: Sequence[JsonObject]) -> list[tuple[str, str]]:
    """The names and addresses from the front page to the last category."""
    return [
        (store().name, "/"),
        *((each["name"], _address(each)) for each in trail),
    ]


def _similar(product: JsonObject) -> list[JsonObject]:
    if not product["category"]:
        return []
    query = ProductQuery(category=product["category"]["slug"], in_stock=True, per_page=5)
    return [item for item in _first(query) if item["id"] != product["id"]][:4]


def _address(category: JsonObject) -> str:
    return url_for("storefront.category", slug=category["slug"])
