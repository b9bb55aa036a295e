"""A shop of the fire suite that prices with a tax, a shipping method and promotions with codes, and which values
these had when."""

import math
from collections import defaultdict
from typing import Any

from tests.reliability.checker.moments import Register, Window, Written
from tests.reliability.history import Attempt
from tests.reliability.scenes.lane import needed
from tests.reliability.scenes.stage import Stage
from tests.reliability.staff import Staff
from tests.reliability.world import PLACES

COUNTRY = "IS"
ADDRESS = {
    "name": "Ann", "line1": "1 Harbour", "city": "Reykjavik", "postal_code": "101",
    "country": COUNTRY,
}  # fmt: skip
PERCENTAGES = (1_000, 5_500, 10_000, 33_333, 66_667)
SHIPPING = (0, 1, 495, 1_333)
RATES = (0, 5_500, 11_000, 24_000, 9_975)


class PricedShop:
    """What is for sale under which terms; staff change the terms by `change`.

    Attributes:
        promotions: ids by code.
        method_id: of the one shipping method.
    """

    def __init__(self, stage: Stage, limit: int, articles: int = 6) -> None:
        self.stage = stage
        self.articles = [stage.article() for _ in range(articles)]
        self.is_included = stage.rng.random() < 0.5
        owner = stage.owner
        _insist(owner, "PATCH", "/api/settings", prices_include_tax=self.is_included)
        self._rate_id = _made(owner, "/api/tax-rates", name="VAT", country=COUNTRY, rate="24")
        place = [{"country": COUNTRY}]
        zone_id = _made(owner, "/api/shipping-zones", name="Island", places=place)
        self.method_id = _made(
            owner, "/api/shipping-methods", zone_id=zone_id, name="Ship", rates=[{"price": "4.95"}]
        )
        self.promotions = {
            "TENTH": self._promotion("TENTH"),
            "LIMITED": self._promotion("LIMITED", limit),
        }
        self._written: dict[str, list[Written]] = defaultdict(list)
        self._first = {"TENTH": 10_000, "LIMITED": 10_000, "shipping": 495, "rate": 24_000}

    def _promotion(self, code: str, limit: int | None = None) -> int:
        rule = {"name": code, "kind": "percentage", "value": "10", "needs_code": True}
        id_ = _made(self.stage.owner, "/api/promotions", **rule, limit_total=limit)
        _made(self.stage.owner, f"/api/promotions/{id_}/codes", code=code)
        return id_

    def change(self, staff: Staff) -> None:
        """Set one of the terms to another value, chosen by chance."""
        what = staff.rng.choice(("TENTH", "LIMITED", "shipping", "rate"))
        if what == "shipping":
            value = staff.rng.choice(SHIPPING)
            path = f"/api/shipping-methods/{self.method_id}"
            body: dict[str, Any] = {"rates": [{"price": f"{value / 10**PLACES:.{PLACES}f}"}]}
        elif what == "rate":
            value = staff.rng.choice(RATES)
            path, body = f"/api/tax-rates/{self._rate_id}", {"rate": _percent(value)}
        else:
            value = staff.rng.choice(PERCENTAGES)
            path, body = f"/api/promotions/{self.promotions[what]}", {"value": _percent(value)}
        began = staff.setting.clock()
        attempt = _insist(staff, "PATCH", path, **body)
        is_certain = attempt.outcome == "ok"
        window = Window(began, attempt.end if is_certain else math.inf)
        self._written[what].append(Written(value, window, is_certain))

    def register(self, what: str) -> Register:
        """When which value of a term may have been in force."""
        return Register(self._first[what], self._written[what])

    def values(self, what: str) -> set[int]:
        """All values that a term ever had."""
        return {self._first[what], *(written.value for written in self._written[what])}


def _insist(staff: Staff, method: str, path: str, **body: Any) -> Attempt:
    return staff.insist(lambda: staff.send("set_terms", method, path, body))


def _made(staff: Staff, path: str, **body: Any) -> Any:
    return needed(staff.send("set_terms", "POST", path, body)).answer.get("id")


def _percent(thousandths: int) -> str:
    return f"{thousandths / 1000:.3f}".rstrip("0").rstrip(".")
