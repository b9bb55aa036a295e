"""README's tour, run word for word on a seeded shop and a real server."""

import json
import re
import subprocess
from decimal import Decimal

import pytest

from app.config import ROOT
from tests import servers

pytestmark = pytest.mark.processes

README = ROOT / "README.md"


def test_the_tour_does_what_it_says(app, environ):
    assert app.test_cli_runner().invoke(args=["seed-db"]).exit_code == 0

    with servers.shop(environ) as address:
        run = subprocess.run(
            ["sh", "-c", tour(address)], capture_output=True, text=True, timeout=60, check=True
        )

    categories, found, cart, with_code, quote, first, again, *steps, refusal = answers(run.stdout)
    assert categories["total"] >= 5
    assert found["total"] >= 1
    assert cart["item_count"] == 1
    assert with_code["discounts"][0]["code"] == "WELCOME10"
    assert quote["discount_total"] == with_code["discount_total"]
    assert first == again
    assert first["shipping_method"]["name"] == "International"
    assert first["total"] == quote_total(quote, first)
    assert first["status"] == "pending"
    assert [step["status"] for step in steps] == ["processing", "shipped", "delivered"]
    assert refusal["code"] == "illegal_transition"


def quote_total(quote: dict, order: dict) -> str:
    """What a quote without a method comes to with the one that was ordered."""
    way = next(
        way for way in quote["shipping_methods"] if way["id"] == order["shipping_method"]["id"]
    )
    return str(Decimal(quote["total"]) + Decimal(way["price"]))


def tour(address: str) -> str:
    """All commands of the tour, one after the other, against this server."""
    blocks = re.findall(r"```sh tour\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return "set -eu\n" + "\n".join(blocks).replace("http://localhost:5000", address)


def answers(output: str) -> list[dict]:
    """The JSON answers that the commands printed."""
    decoder, found, rest = json.JSONDecoder(), [], output.strip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        found.append(answer)
        rest = rest[end:].lstrip()
    return found
