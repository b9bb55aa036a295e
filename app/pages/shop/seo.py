"""What search engines read: structured data (schema.org), the sitemap, and robots.txt."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin
from xml.sax.saxutils import escape

from flask import Blueprint, Response, current_app, request, url_for

from app.domain.address import id_or_slug
from app.errors import NotFound
from app.pages.pictures import picture
from app.pages.shell import categories
from app.services.catalogue import product_queries

blp = Blueprint("seo", __name__)
MAX_ENTRIES = 40_000
"""One sitemap may have 50,000 (sitemaps.org)."""
DAY = 24 * 3600


@blp.get("/robots.txt")
def robots() -> Response:
    """What crawlers need not look at."""
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in ("/account", "/admin", "/api", "/cart", "/checkout")),
        *(f"Disallow: {path}" for path in ("/login", "/orders", "/register", "/search")),
        f"Sitemap: {absolute(url_for('seo.sitemap'))}",
    ]
    return _kept(Response("\n".join(lines) + "\n", mimetype="text/plain"))


@blp.get("/sitemap.xml")
def sitemap() -> Response:
    """Every page worth finding: the front page, categories, and the newest products."""
    entries = [f"<url><loc>{escape(absolute('/'))}</loc></url>"]
    for category in categories():
        loc = absolute(url_for("storefront.category", slug=category["slug"]))
        entries.append(f"<url><loc>{escape(loc)}</loc></url>")
    products = escape(absolute("/products/"))  # slugs need no escaping
    entries += [
        f"<url><loc>{products}{slug}</loc><lastmod>{changed:%Y-%m-%d}</lastmod></url>"
        for slug, changed in product_queries.newest_slugs(MAX_ENTRIES)
    ]
    text = "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
            *entries,
            "</urlset>\n",
        ]
    )
    return _kept(Response(text, mimetype="application/xml"))


@blp.get("/pictures/<slug>.svg")
def drawn_picture(slug: str) -> Response:
    """The picture of a product that has none of its own, for those who link to it."""
    if not isinstance(id_or_slug(slug), str):
        raise NotFound("picture")
    return _kept(Response(picture(slug), mimetype="image/svg+xml"), 30 * DAY)


def absolute(path: str) -> str:
    """A path as an address on this host."""
    return urljoin(request.url_root, path)


def breadcrumbs(steps: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Where a page lies, as a BreadcrumbList."""
    return {
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": place, "name": name, "item": absolute(path)}
            for place, (name, path) in enumerate(steps, 1)
        ],
    }


def product(view: dict[str, Any]) -> dict[str, Any]:
    """A product as a Product with its offers."""
    address = absolute(url_for("storefront.product", slug=view["slug"]))
    return {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": view["name"],
        "description": view["description"] or view["name"],
        "url": address,
        "image": [absolute(path) for path in images(view)],
        "brand": {"@type": "Brand", "name": current_app.config["STORE_NAME"]},
        "offers": [_offer(variant, view, address) for variant in view["variants"]],
    }


def images(view: dict[str, Any]) -> list[str]:
    """Where a product's pictures are; one that is drawn where it has none."""
    return [image["url"] for image in view["images"]] or [
        url_for("seo.drawn_picture", slug=view["slug"])
    ]


def _offer(variant: dict[str, Any], view: dict[str, Any], address: str) -> dict[str, Any]:
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


def _kept(response: Response, seconds: int = DAY) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    return response
