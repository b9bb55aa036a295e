"""Prices under fire: people order with codes while staff change percentages, taxes, shipping and prices, and
workers are killed. Every order must come to what the rules of money make of terms that were in force."""

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from tests.reliability.checker import RULES
from tests.reliability.checker.moments import Window, window_of
from tests.reliability.checker.money import Terms, worked_out
from tests.reliability.checker.prices_and_totals import nothing_is_added_to_the_goods
from tests.reliability.history import Attempt, History
from tests.reliability.scenes import Report
from tests.reliability.scenes.priced_shop import ADDRESS, PricedShop
from tests.reliability.scenes.stage import Stage, code, in_turns, killing, on_stage, rows
from tests.reliability.setting import Setting
from tests.reliability.shopper import Shopper
from tests.reliability.staff import Staff
from tests.reliability.violation import Violation

SECONDS = 300.0
"""How long people order, and workers are killed."""
SHOPPERS, STAFF = 12, 2
LIMIT = 400
"""Uses of the limited code, in the full size."""
SECONDS_BETWEEN_KILLS = 0.5
CANCELLED = 0.25
"""The part of the orders that their buyers cancel."""
TRIES = 4
"""Quotes that a shopper asks for, before they give up."""
ORDERS = """SELECT id, note, status, subtotal, discount_total, shipping_total, tax_total, shipping_tax, total
    FROM orders"""
LINES = "SELECT order_id, line_total, discount_total, tax_total FROM order_lines ORDER BY id"
DISCOUNTS = "SELECT order_id, promotion_id, amount FROM order_discounts"
USES = "SELECT id, uses, limit_total FROM promotions"


class Stored(NamedTuple):
    """An order with its lines and discounts, as the database has them."""

    order: Any
    lines: Sequence[Any]
    discounts: Sequence[Any]


def run(setting: Setting, history: History, rng: random.Random, scale: float) -> Report:
    """Every order comes to what its terms make of it, no code is used too often, and none is lost."""
    seconds = SECONDS * scale
    with on_stage(setting, history, rng) as stage:
        shop = PricedShop(stage, limit=max(2, round(LIMIT * scale)))
        closing = stage.setting.clock() + seconds
        with killing(stage, SECONDS_BETWEEN_KILLS, seconds) as kills:
            _trade(shop, closing)
        setting.wait_until_ready()
        stored = _stored(setting)
        violations = [
            *_wrong_money(shop, stored),
            *_broken_limits(shop, stored, setting),
            *_books(setting),
            *stage.check([rule for rule in RULES if rule is not nothing_is_added_to_the_goods]),
        ]
        used = Counter(discount.promotion_id for one in stored for discount in one.discounts)
        figures = {
            "orders": len(stored), "kills": len(kills), "with_code": used.total(),
            "limited": used[shop.promotions["LIMITED"]], "deadlocks": setting.deadlocks(),
        }  # fmt: skip
        return Report(figures, violations)


def _trade(shop: PricedShop, closing: float) -> None:
    stage, over = shop.stage, threading.Event()
    staff = [_colleague(stage, index) for index in range(STAFF)]
    workers = [threading.Thread(target=_work, args=(shop, one, over)) for one in staff]
    for worker in workers:
        worker.start()
    try:
        in_turns([lambda: _shop(shop, closing)] * SHOPPERS, SHOPPERS)
    finally:
        over.set()
        for worker in workers:
            worker.join()
        for one in staff:
            one.close()


def _colleague(stage: Stage, index: int) -> Staff:
    staff = Staff(f"staff-{index}", stage.setting, History(), random.Random(stage.rng.random()))
    staff.email = stage.owner.email
    staff.sign_in()
    return staff


def _work(shop: PricedShop, staff: Staff, over: threading.Event) -> None:
    while not over.wait(staff.rng.uniform(0.02, 0.1)):
        shop.change(staff)


def _shop(shop: PricedShop, closing: float) -> None:
    """Order again and again, each time as another guest."""
    while shop.stage.setting.clock() < closing:
        guest = shop.stage.guest()
        _live(shop, guest)
        guest.close()


def _live(shop: PricedShop, guest: Shopper) -> None:
    dice = guest.rng
    for article in dice.sample(shop.articles, dice.randint(1, 3)):
        guest.sure(partial(guest.add_item, article.variant_id, dice.randint(1, 4)))
    number = _order(shop, guest, dice.choice((None, "TENTH", "LIMITED")))
    if number is not None and dice.random() < CANCELLED:
        guest.insist(partial(guest.cancel, number))


def _order(shop: PricedShop, guest: Shopper, wanted: str | None) -> str | None:
    """The number of an order at the total that was quoted; None where it was given up."""
    for _ in range(TRIES):
        if wanted:
            _enter(guest, wanted)
        quoted = guest.insist(partial(_quote, shop, guest))
        if quoted.outcome != "ok":
            return None
        attempt = _place(shop, guest, quoted.answer["total"])
        if attempt.outcome == "ok":
            return str(attempt.answer["number"])
        if code(attempt) == "code_used_up":
            path = f"/api/cart/codes/{wanted}"
            guest.insist(partial(guest.send, "remove_code", "DELETE", path))
            wanted = None
        elif code(attempt) != "total_changed":
            return None
    return None


def _quote(shop: PricedShop, guest: Shopper) -> Attempt:
    body = {"shipping_address": ADDRESS, "shipping_method_id": shop.method_id}
    return guest.send("quote", "POST", "/api/cart/quote", body)


def _place(shop: PricedShop, guest: Shopper, total: str) -> Attempt:
    purchase = guest.purchase(
        shipping_address=ADDRESS, shipping_method_id=shop.method_id, expected_total=total
    )
    return guest.insist(partial(guest.place_order, purchase))


def _enter(guest: Shopper, wanted: str) -> None:
    path, body = "/api/cart/codes", {"code": wanted}
    guest.insist(partial(guest.send, "enter_code", "POST", path, body))


def _stored(setting: Setting) -> list[Stored]:
    lines, discounts = defaultdict(list), defaultdict(list)
    for row in rows(setting, LINES):
        lines[row.order_id].append(row)
    for row in rows(setting, DISCOUNTS):
        discounts[row.order_id].append(row)
    return [Stored(row, lines[row.id], discounts[row.id]) for row in rows(setting, ORDERS)]


def _wrong_money(shop: PricedShop, stored: Sequence[Stored]) -> Iterator[Violation]:
    """Orders that no terms which may have been in force come to."""
    asked: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in shop.stage.history.of("place_order"):
        asked[attempt.key or ""].append(attempt)
    for one in stored:
        window = window_of(asked[one.order.note], shop.stage.facts.linger)
        if len(one.discounts) > 1 or not any(
            _comes_to(one, terms) for terms in _terms(shop, one, window)
        ):
            detail = f"{tuple(one.order)} with {one.lines} and {one.discounts}"
            yield Violation("money_wrong", detail, asked[one.order.note])


def _terms(shop: PricedShop, one: Stored, window: Window) -> Iterator[Terms]:
    codes = {id_: name for name, id_ in shop.promotions.items()}
    percentages = [0]
    if one.discounts:
        percentages = _in_force(shop, codes[one.discounts[0].promotion_id], window)
    for percent, shipping, rate in product(
        percentages, _in_force(shop, "shipping", window), _in_force(shop, "rate", window)
    ):
        yield Terms(percent, shipping, rate, shop.is_included)


def _in_force(shop: PricedShop, what: str, window: Window) -> list[int]:
    register = shop.register(what)
    return [v for v in shop.values(what) if register.may_hold(v, window.earliest, window.latest)]


def _comes_to(one: Stored, terms: Terms) -> bool:
    order, money = one.order, worked_out([line.line_total for line in one.lines], terms)
    return (
        sum(discount.amount for discount in one.discounts) == order.discount_total == money.discount
        and (*(line.discount_total for line in one.lines), 0) == money.discount_shares
        and (*(line.tax_total for line in one.lines), order.shipping_tax) == money.tax_shares
        and (order.shipping_total, order.tax_total) == (money.shipping, money.tax)
        and order.total == money.total
    )


def _broken_limits(
    shop: PricedShop, stored: Sequence[Stored], setting: Setting
) -> Iterator[Violation]:
    uses = Counter(
        discount.promotion_id
        for one in stored
        if one.order.status != "cancelled"
        for discount in one.discounts
    )
    for row in rows(setting, USES):
        if row.limit_total is not None and not uses[row.id] == row.uses <= row.limit_total:
            detail = f"{uses[row.id]} orders use it, {row.uses} are counted, of {row.limit_total}"
            yield Violation("limit_broken", f"promotion {row.id}: {detail}")


def _books(setting: Setting) -> Iterator[Violation]:
    audit = setting.flask("audit")
    if audit.exit_code:
        yield Violation("audit", audit.output.strip()[-300:])
    if setting.deadlocks():
        yield Violation("deadlock", f"the database broke {setting.deadlocks()}")
