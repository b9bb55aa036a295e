"""A shop with taxes and shipping, for tests of prices."""

from typing import Any

from tests.integration.conftest import Caller
from tests.integration.shopping import ADDRESS


def rate(admin: Caller, country: str, percent: str, name: str = "VAT", **fields: Any) -> Any:
    """A tax rate."""
    body = {"name": name, "country": country, "rate": percent, **fields}
    return created(admin.post("/api/tax-rates", json=body))


def method(admin: Caller, *countries: str, price: str = "4.95", **fields: Any) -> Any:
    """A shipping method in a zone of its own; without a country, for the rest of the world."""
    places = [{"country": country} for country in countries]
    zone = {"name": "Zone", "places": places, "rest_of_world": not countries}
    zone_id = created(admin.post("/api/shipping-zones", json=zone))["id"]
    body = {"zone_id": zone_id, "name": "Parcel", "rates": [{"price": price}], **fields}
    return created(admin.post("/api/shipping-methods", json=body))


def settings(admin: Caller, **fields: Any) -> None:
    """Change the shop's settings."""
    answer = admin.patch("/api/settings", json=fields)
    assert answer.status_code == 200, answer.text


def to(country: str, **fields: str) -> dict[str, str]:
    """An address in a country."""
    return {**ADDRESS, "country": country, **fields}


def totals(answer: Any) -> dict[str, str]:
    """The sums of a quote or an order."""
    names = ("subtotal", "discount_total", "shipping_total", "tax_total", "total")
    return {name: answer[name] for name in names}


def created(answer: Any) -> Any:
    """The body of an answer that created something."""
    assert answer.status_code == 201, answer.text
    return answer.json
