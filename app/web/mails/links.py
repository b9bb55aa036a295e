"""Addresses in mails: the shop's own, made without a request."""

from flask import current_app

SAMPLE_TOKEN = "sample-token-that-opens-nothing"  # noqa: S105 - of previews


def link(endpoint: str, **values: object) -> str:
    """The URL of a page at SHOP_URL."""
    routes = current_app.url_map.bind("shop")
    path: str = routes.build(endpoint, values)
    return path_link(path)


def path_link(path: str) -> str:
    """The URL of a path at SHOP_URL."""
    base: str = current_app.config["SHOP_URL"]
    return base + path
