"""The content of the demo shop, from the JSON files beside this module."""

import json
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.domain.money import places, to_minor

_FOLDER = Path(__file__).parent


@lru_cache
def read(name: str) -> dict[str, Any]:
    """A file of the demo shop, read once a process: `catalogue`, `people` or `vocabulary`."""
    content: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def minor(amount: str, currency: str) -> int:
    """A price that is written as in dollars, in the minor units of a currency, of a like size.

    `49.00` is 49.00 USD, 4900 JPY (which has no cents) and 49.000 KWD (which has thousandths).
    """
    return to_minor(Decimal(amount), "USD") * scale(currency)


def scale(currency: str) -> int:
    """How many minor units of a currency stand for a cent."""
    return int(10 ** max(places(currency) - 2, 0))
