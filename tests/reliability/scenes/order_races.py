"""Races about orders: the last unit, cancels, what staff do meanwhile, and prices."""

from tests.reliability.history import Attempt
from tests.reliability.scenes.lane import Lane, ending, needed
from tests.reliability.world import PLACES

DONE = (200, None)
ILLEGAL = (409, "illegal_transition")
PRICES = (199, 500, 1_250, 9_999)
"""In minor units; an article's price goes from one to another."""


def last_unit(lane: Lane) -> str | None:
    """Two buyers order the last unit: one has it, the other hears that it is gone."""
    buyers = (lane.ann, lane.bob)
    for buyer in buyers:
        needed(buyer.add_item(lane.rare.variant_id, 1))

    answers = lane.race(*(lane.checkout(buyer) for buyer in buyers))

    for buyer in buyers:
        lane.contents(buyer)
    needed(lane.staff.adjust_stock(lane.rare.product_id, lane.rare.variant_id, 1))
    return unless(answers, {(201, None), (409, "out_of_stock")})


def cancel_twice(lane: Lane) -> str | None:
    """An order is cancelled twice: once it is done, and the stock is back once."""
    before = lane.stock()
    number = lane.order(lane.rng.randint(1, 3)).answer["number"]

    answers = lane.race(*[lambda: lane.ann.cancel(number)] * 2)

    return unless(answers, {DONE, ILLEGAL}) or _stock_is(lane, before)


def status_or_cancel(lane: Lane) -> str | None:
    """Staff move an order along while its owner cancels it."""
    before, quantity = lane.stock(), lane.rng.randint(1, 3)
    number = lane.order(quantity).answer["number"]
    ships = lane.rng.random() < 0.5
    if ships:
        needed(lane.staff.set_status(number, "processing"))
    target = "shipped" if ships else "processing"

    answers = lane.race(
        lambda: lane.staff.set_status(number, target), lambda: lane.ann.cancel(number)
    )

    moved, cancelled = (attempt.status == 200 for attempt in answers)
    if moved and cancelled and not ships:
        wrong = _went(lane, number, ["pending", "processing", "cancelled"])
    elif not ships and not cancelled:
        wrong = "an order in processing could not be cancelled"
    else:
        wrong = unless(answers, {DONE, ILLEGAL})
    return wrong or _stock_is(lane, before if cancelled else before - quantity)


def price_or_checkout(lane: Lane) -> str | None:
    """A price changes while the article is ordered: all units go at one price, old or new.

    Half of the buyers say which total they expect, and would rather be refused than surprised.
    """
    one, quantity, old = lane.one, lane.rng.randint(2, 5), lane.price
    lane.price = lane.rng.choice([price for price in PRICES if price != old])
    expects = lane.rng.random() < 0.5
    needed(lane.ann.add_item(one.variant_id, quantity))
    wishes = {"expected_total": shown(old * quantity)} if expects else {}

    changed, ordered = lane.race(
        lambda: lane.staff.change_price(one.product_id, one.variant_id, lane.price, PLACES),
        lane.checkout(lane.ann, **wishes),
    )

    lane.contents(lane.ann)
    needed(changed)
    if ordered.status != 201:
        right = expects and ending(ordered) == (409, "total_changed")
        return None if right else f"the order ended in {ending(ordered)}"
    line = ordered.answer["items"][0]
    paid = (line["unit_price"], line["line_total"], ordered.answer["total"])
    fair = [(shown(price), shown(price * quantity), shown(price * quantity))
            for price in ([old] if expects else [old, lane.price])]  # fmt: skip
    return None if paid in fair else f"{quantity} units went for {paid}, not for one of {fair}"


def shown(amount: int) -> str:
    """Minor units as the shop's JSON tells them."""
    return f"{amount // 10**PLACES}.{amount % 10**PLACES:0{PLACES}d}"


def unless(answers: list[Attempt], endings: set[tuple[int | None, str | None]]) -> str | None:
    """What is wrong, unless each of these endings came once."""
    found = [ending(attempt) for attempt in answers]
    right = len(found) == len(endings) and set(found) == endings
    return None if right else f"it ended in {found}"


def _stock_is(lane: Lane, expected: int) -> str | None:
    found = lane.stock()
    return None if found == expected else f"{found} can be sold, not {expected}"


def _went(lane: Lane, number: str, statuses: list[str]) -> str | None:
    history = needed(lane.ann.read_order(number)).answer["history"]
    found = [event["status"] for event in history]
    return None if found == statuses else f"the order went {found}"
