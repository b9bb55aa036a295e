"""Pages and data for search engines: structured data (schema.org), the sitemap, and robots.txt."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urljoin
from xml.sax.saxutils import escape

from flask import Blueprint, Response, request, url_for

from app.domain.text import id_or_slug
from app.errors import NotFound
from app.pages.pictures import picture
from app.pages.store import store
from app.services.catalogue import sitemap as sitemaps
from app.web.catalogue_answers import JsonObject

blp = Blueprint("seo", __name__)
_PART = re.compile("(?P<kind>products|categories)-(?P<number>0|[1-9][0-9]{0,13})")
DAY = 24 * 3600


@blp.get("/robots.txt")
def robots() -> Response:
    """The paths that crawlers need not read."""
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in ("/account", "/admin", "/api", "/cart", "/checkout")),
        *(f"Disallow: {path}" for path in ("/login", "/orders", "/register", "/search")),
        f"Sitemap: {absolute(url_for('seo.sitemap'))}",
    ]
    return _cacheable(Response("\n".join(lines) + "\n", mimetype="text/plain"))


@blp.get("/sitemap.xml")
def sitemap() -> Response:
    """The index of the sitemaps (sitemaps.org), however many products and categories there are."""
    names = [f"{kind}-{part}" for kind in sitemaps.TABLES for part in sitemaps.parts(kind)]
    paths = (url_for("seo.sitemap_part", part=name) for name in ("pages", *names))
    return _xml("sitemapindex", (f"<sitemap><loc>{_loc(path)}</loc></sitemap>" for path in paths))


@blp.get("/sitemaps/<part>.xml")
def sitemap_part(part: str) -> Response:
    """A part of the addresses to index: the front page, or a range of categories or of products."""
    if part == "pages":
        return _xml("urlset", [f"<url><loc>{_loc('/')}</loc></url>"])
    match = _PART.fullmatch(part)
    entries = sitemaps.entries(match["kind"], int(match["number"])) if match else ()
    if not entries or not match:
        raise NotFound("sitemap")
    start = _loc(f"/{match['kind']}/")  # slugs need no escaping
    return _xml("urlset", (
        f"<url><loc>{start}{slug}</loc><lastmod>{updated_at:%Y-%m-%d}</lastmod></url>"
        for slug, updated_at in entries
    ))  # fmt: skip


@blp.get("/pictures/<slug>.svg")
def drawn_picture(slug: str) -> Response:
    """The drawing for a product without pictures, for other sites that link to it."""
    if not isinstance(id_or_slug(slug), str):
        raise NotFound("picture")
    return _cacheable(Response(picture(slug), mimetype="image/svg+xml"), 30 * DAY)


def _xml(root: str, elements: Iterable[str]) -> Response:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    start = f'<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    text = "\n".join([head, start, *elements, f"</{root}>\n"])
    return _cacheable(Response(text, mimetype="application/xml"))


def _loc(path: str) -> str:
    return escape(absolute(path))


def absolute(path: str) -> str:
    """The URL of a path on this host."""
    return urljoin(request.url_root, path)


def breadcrumbs(steps: Sequence[tuple[str, str]]) -> JsonObject:
    """The names and paths from the front page to a page, as a BreadcrumbList."""
    return {
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": place, "name": name, "item": absolute(path)}
            for place, (name, path) in enumerate(steps, 1)
        ],
    }


def product(view: JsonObject) -> JsonObject:
    """A product as a Product with its offers."""
    address = absolute(url_for("storefront.product", slug=view["slug"]))
    return {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": view["name"],
        "description": view["description"] or view["name"],
        "url": address,
        "image": [absolute(path) for path in images(view)],
        "brand": {"@type": "Brand", "name": store().name},
        "offers": [_offer(variant, view, address) for variant in view["variants"]],
    }


def images(view: JsonObject) -> list[str]:
    """The addresses of a product's pictures, or of its drawing if it has none."""
    return [image["url"] for image in view["images"]] or [
        url_for("seo.drawn_picture", slug=view["slug"])
    ]


def _offer(variant: JsonObject, view: JsonObject, address: str) -> JsonObject:
    state = "InStock" if variant["in_stock"] else "OutOfStock"
    return {
        "@type": "Offer",
        "sku": variant["sku"],
        "name": " ".join([view["name"], *variant["options"].values()]),
        "price": variant["price"],
        "priceCurrency": view["currency"],
        "availability": f"https://schema.org/{state}",
        "url": address,
    }


def _cacheable(response: Response, seconds: int = DAY) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    return response
