"""Completes the document with what no single route says: who the shop is, who may call what, and with
which headers."""

from app.api.openapi.document import JsonObject, operations
from app.web.callers.buyers import CART_TOKEN, GUEST_TOKENS, ORDER_TOKEN, header

LICENCE = {"name": "MIT", "identifier": "MIT"}
TAGS = {
    "auth": "Registration, sign-in and sessions.",
    "recovery": "Forgotten passwords, and addresses to be confirmed: what links in mails are for.",
    "users": "Accounts: the caller's own with its address book, and for staff all others.",
    "mfa": "The second factor of accounts: set up and removed by the owner, a lost one by staff.",
    "settings": "The shop's settings: everybody sees some, staff see and change all.",
    "tax_rates": "Tax rates of countries and regions, for staff.",
    "shipping": "Shipping zones and methods: everybody sees how the shop ships, staff change it.",
    "promotions": "Promotions and their codes, for staff.",
    "categories": "The tree of categories: everybody reads, staff write.",
    "products": "Products and their variants: everybody reads, staff write.",
    "stock": "Stock on hand, and the ledger of its changes, for staff.",
    "images": "Pictures of products, for staff.",
    "cart": "The cart of a customer, or of a guest who sends X-Cart-Token.",
    "orders": "Orders: place, read and cancel them; for staff, change their status.",
    "events": "What happened in the shop, in order, for programs of staff.",
    "webhooks": "Receivers that are told of events, and what was delivered to them, for staff.",
}
DESCRIPTION = """A shop: catalogue, carts and orders.

Callers are anonymous, customers or staff. Customers and staff send `Authorization: Bearer …` with the
`access_token` of `POST /api/auth/login`. Guests send the `X-Cart-Token` that their first `POST` to
`/api/cart/items` answers, and the `X-Order-Token` of their order.

Money is a decimal string with the currency's places beside a `currency`; requests may send a JSON number
as well. Times are RFC 3339 in UTC. Refusals are problems (RFC 9457) with a stable `code`."""
GUEST_HEADERS = {
    CART_TOKEN: "The secret of a guest's cart, as the first POST to it answered. A Bearer takes precedence.",
    ORDER_TOKEN: "The secret of a guest's order: the `guest_token` that placing it answered.",
}


def complete(document: JsonObject, store_name: str) -> JsonObject:
    """The document with its head, and with descriptions and security for all operations."""
    info = {
        **document["info"],
        "description": DESCRIPTION,
        "contact": {"name": store_name},
        "license": LICENCE,
    }
    tags = [{"name": tag["name"], "description": TAGS[tag["name"]]} for tag in document["tags"]]
    for _method, operation in operations(document):
        _complete_operation(operation)
    servers = [{"url": "/", "description": "The shop that serves this document."}]
    return {**document, "info": info, "servers": servers, "tags": tags}


def _complete_operation(operation: JsonObject) -> None:
    operation.setdefault("description", operation["summary"])
    is_for_strangers = operation["tags"] in (["auth"], ["recovery"])
    # Where a token is welcome but not required, clients have to be told, or they send none.
    anybody: list[JsonObject] = [] if is_for_strangers else [{}, {"bearer": []}]
    operation.setdefault("security", anybody)
    schemes = {scheme for way in operation["security"] for scheme in way}
    parameters = operation.setdefault("parameters", [])
    for scheme, name in GUEST_TOKENS.items():
        if scheme in schemes:
            # Generators leave out a way to sign in that is not the first, but no parameter.
            parameters.append(header(name, GUEST_HEADERS[name]))
    if not parameters:
        del operation["parameters"]
