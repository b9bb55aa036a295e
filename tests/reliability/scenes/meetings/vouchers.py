"""Meetings about promotions: a limit holds however two orders meet, and discounts, shipping and taxes come to what
the rules of money say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.reliability.checker.money import Money, Terms, worked_out
from tests.reliability.scenes.lane import Lane, ending, needed
from tests.reliability.scenes.meetings.hold import VARIANT, answered, meet
from tests.reliability.scenes.order_races import DONE, ILLEGAL, unless
from tests.reliability.scenes.stage import rows
from tests.reliability.shopper import Shopper
from tests.reliability.world import PLACES

PROMOTION = "SELECT 1 FROM promotions WHERE id = %(id)s FOR UPDATE"
CODE = "SELECT 1 FROM promotion_codes WHERE promotion_id = %(id)s FOR UPDATE"
USES = "SELECT uses FROM promotions WHERE id = :id"
CODE_USES = "SELECT uses FROM promotion_codes WHERE promotion_id = :id"
USED_UP = (409, "code_used_up")
COUNTRY = "AQ"
ADDRESS = {"name": "Ann", "line1": "1 Ice", "city": "Vostok", "country": COUNTRY}
PERCENT, SHIPPING, RATE = 33_333, 777, 19_000
ORDERS, LINES = 3, 6
"""So many that each way of rounding shows."""


class Voucher:
    """A promotion of a third with one code."""

    def __init__(self, lane: Lane, code_limit: int | None = None, **rule: Any) -> None:
        self.lane = lane
        self.code = f"V{lane.rng.getrandbits(48)}"
        body = {
            "name": "Third",
            "kind": "percentage",
            "value": "33.333",
            "needs_code": True,
            **rule,
        }
        self.id = _made(lane, "/api/promotions", **body)["id"]
        _made(lane, f"/api/promotions/{self.id}/codes", code=self.code, limit_total=code_limit)

    def enter(self, buyer: Shopper) -> None:
        """Fill a buyer's cart with one unit, and enter the code."""
        needed(buyer.add_item(self.lane.one.variant_id, 1))
        needed(buyer.send("enter_code", "POST", "/api/cart/codes", {"code": self.code}))

    def uses(self, query: str = USES) -> int:
        """The uses that are counted."""
        ((uses,),) = rows(self.lane.stage.setting, query, id=self.id)
        return int(uses)


def last_use_of_a_promotion(lane: Lane) -> str | None:
    """Two buyers come to order with a promotion that one order may use yet."""
    return _two_for_one(lane, Voucher(lane, limit_total=1), PROMOTION, USES, lane.bob)


def last_use_of_a_code(lane: Lane) -> str | None:
    """Two buyers come to order with a code that one order may use yet."""
    return _two_for_one(lane, Voucher(lane, code_limit=1), CODE, CODE_USES, lane.bob)


def once_for_each_customer(lane: Lane) -> str | None:
    """A customer comes to order with an account and, at the same address, without it."""
    guest = lane.guest(lane.ann)
    voucher = Voucher(lane, limit_per_customer=1, limit_total=5)
    return _two_for_one(lane, voucher, PROMOTION, USES, guest)


def use_of_a_cancelled_order(lane: Lane) -> str | None:
    """A cancelled order gives its use back, once, although it is cancelled twice at a time."""
    voucher, first, second = Voucher(lane, limit_total=2), lane.stage.guest(), lane.stage.guest()
    for buyer in (second, first):
        voucher.enter(buyer)
        number = needed(lane.checkout(buyer)()).answer["number"]
    cancels = meet(lane, VARIANT, lane.one.variant_id, *[lambda: first.cancel(number)] * 2)
    if wrong := unless(cancels, {DONE, ILLEGAL}):
        return wrong
    if voucher.uses() != 1:
        return f"{voucher.uses()} uses are counted, not 1"
    voucher.enter(lane.bob)
    again = answered(lane.checkout(lane.bob)())
    return None if again.status == 201 else f"the use was not given back: {ending(again)}"


def ended_before_the_order(lane: Lane) -> str | None:
    """Staff end a promotion whose code is in a cart: nobody pays the full price unasked."""
    voucher = Voucher(lane)
    voucher.enter(lane.ann)
    path, body = f"/api/promotions/{voucher.id}", {"ends_at": "2026-01-01T00:00:00Z"}
    needed(lane.staff.send("set_terms", "PATCH", path, body))
    ordered = answered(lane.checkout(lane.ann)())
    return None if ending(ordered) == (409, "code_expired") else f"it ended in {ending(ordered)}"


def money_comes_out_right(lane: Lane) -> str | None:
    """A quote and its order have the discounts, the shipping and the tax that the rules make of them."""
    with _shipping_and_tax(lane) as method_id:
        for _ in range(ORDERS):
            if wrong := _order_of_many_lines(lane, method_id):
                return wrong
    return None


def _order_of_many_lines(lane: Lane, method_id: int) -> str | None:
    Voucher(lane).enter(lane.ann)
    for _ in range(LINES):
        article = lane.stage.article()
        needed(lane.ann.add_item(article.variant_id, lane.rng.randint(1, 4)))
    wishes = {"shipping_address": ADDRESS, "shipping_method_id": method_id}
    quoted = needed(lane.ann.send("quote", "POST", "/api/cart/quote", wishes)).answer
    ordered = answered(lane.checkout(lane.ann, **wishes)())
    if ordered.status != 201:
        return f"the order ended in {ending(ordered)}"
    sums = ("discount_total", "shipping_total", "tax_total", "total")
    if [quoted[name] for name in sums] != [ordered.answer[name] for name in sums]:
        return "the order is not what was quoted"
    return _differs(ordered.answer)


def _differs(order: dict[str, Any]) -> str | None:
    items = sorted(order["items"], key=lambda item: item["id"])
    terms = Terms(PERCENT, SHIPPING, RATE, order["tax_included"])
    right = worked_out([_minor(item["line_total"]) for item in items], terms)
    shown = Money(
        _minor(order["discount_total"]),
        (*(_minor(item["discount_total"]) for item in items), 0),
        _minor(order["tax_total"]),
        (*(_minor(item["tax_total"]) for item in items), right.tax_shares[-1]),
        _minor(order["shipping_total"]),
        _minor(order["total"]),
    )
    return None if shown == right else f"{shown} instead of {right}"


def _two_for_one(lane: Lane, voucher: Voucher, lock: str, count: str, other: Shopper) -> str | None:
    for buyer in (lane.ann, other):
        voucher.enter(buyer)
    answers = meet(lane, lock, voucher.id, lane.checkout(lane.ann), lane.checkout(other))
    wrong = unless(answers, {(201, None), USED_UP})
    uses = voucher.uses(count)
    return wrong or (None if uses == 1 else f"{uses} uses are counted, not 1")


@contextmanager
def _shipping_and_tax(lane: Lane) -> Iterator[int]:
    """The id of a method that ships to a country with a tax. Both are gone afterwards, because other meetings
    order without them."""
    places = [{"country": COUNTRY}]
    zone = _made(lane, "/api/shipping-zones", name="Ice", places=places)["id"]
    price = {"price": f"{SHIPPING / 10**PLACES:.{PLACES}f}"}
    method = _made(lane, "/api/shipping-methods", zone_id=zone, name="Sled", rates=[price])["id"]
    rate = _made(lane, "/api/tax-rates", name="VAT", country=COUNTRY, rate="19")["id"]
    try:
        yield method
    finally:
        for path in (f"shipping-methods/{method}", f"shipping-zones/{zone}", f"tax-rates/{rate}"):
            lane.staff.send("set_terms", "DELETE", f"/api/{path}")


def _made(lane: Lane, path: str, **body: Any) -> Any:
    return needed(lane.staff.send("set_terms", "POST", path, body)).answer


def _minor(money: str) -> int:
    return int(money.replace(".", ""))


MEETINGS = (
    last_use_of_a_promotion, last_use_of_a_code, once_for_each_customer, use_of_a_cancelled_order,
    ended_before_the_order, money_comes_out_right,
)  # fmt: skip
