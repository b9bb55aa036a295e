"""What others see while an order is being committed, and right afterwards."""

import time

from tests.reliability.scenes.lane import Lane, ending, needed
from tests.reliability.scenes.meetings.hold import MOMENT, answered, gate
from tests.reliability.scenes.meetings.orders import FIGURES
from tests.reliability.setting import PostgreSQLSetting
from tests.reliability.shopper import Shopper

SKIPPED = 1.3
"""Seconds after which a Redis that failed is asked again."""


def answer_follows_commit(lane: Lane) -> str | None:
    """While the commit of an order waits, nobody is told of the order."""
    needed(lane.ann.add_item(lane.one.variant_id, 1))
    with gate(lane, "orders", at_commit=True) as held:
        order = held.send(lane.checkout(lane.ann))
        time.sleep(MOMENT)
        is_early = order.done()
        held.let_go()
        ordered = answered(order.result())
    if is_early:
        return "an order was acknowledged before its commit"
    return None if ordered.status == 201 else f"it ended in {ending(ordered)}"


def ledger_goes_along(lane: Lane) -> str | None:
    """While the ledger of an order is being written, nobody sees the figures that it explains."""
    needed(lane.ann.add_item(lane.one.variant_id, 1))
    statement = FIGURES.replace(":id", "%(id)s")
    with gate(lane, "stock_movements", at_commit=False) as held:
        order = held.send(lane.checkout(lane.ann))
        _on_hand, allocated = held.query(statement, id=lane.one.variant_id)
        held.let_go()
        answered(order.result())
    return None if allocated == 0 else "figures were committed before their ledger"


def cached_while_committed(lane: Lane) -> str | None:
    """A product is read, and cached, while an order of it is being committed."""
    guest = lane.stage.guest()
    before = _stock(lane, guest)
    needed(lane.ann.add_item(lane.one.variant_id, 1))
    with gate(lane, "orders", at_commit=True) as held:
        order = held.send(lane.checkout(lane.ann))
        for _ in range(2):
            held.send(lambda: _stock(lane, guest)).result()
        held.let_go()
        needed(order.result())
    return _shows(lane, guest, before - 1)


def cache_follows_orders(lane: Lane) -> str | None:
    """An order, a cancel and a correction of the stock show on the product at once."""
    guest = lane.stage.guest()
    before = _stock(lane, guest)
    number = lane.order(2).answer["number"]
    wrong = _shows(lane, guest, before - 2)
    needed(lane.ann.cancel(number))
    wrong = wrong or _shows(lane, guest, before)
    needed(lane.staff.adjust_stock(lane.one.product_id, lane.one.variant_id, 7))
    return wrong or _shows(lane, guest, before + 7)


def ordered_without_cache(lane: Lane) -> str | None:
    """The cache is away: an order is placed all the same, and said to be."""
    setting = lane.stage.setting
    assert isinstance(setting, PostgreSQLSetting)
    needed(lane.ann.add_item(lane.one.variant_id, 1))
    setting.kill_redis()
    try:
        # Once: a second request with the key would only be told of the order.
        ordered = answered(lane.ann.place_order(lane.ann.purchase()))
    finally:
        setting.start_redis()
        time.sleep(SKIPPED)
    return None if ordered.status == 201 else f"it ended in {ending(ordered)}"


def _stock(lane: Lane, reader: Shopper) -> int:
    """What can be sold, as the product's answer says; asked twice, so that it is in the cache."""
    for _ in range(2):
        seen = needed(reader.read_product(lane.one.product_id, lane.one.variant_id))
    stock: int = seen.answer["stock"]
    return stock


def _shows(lane: Lane, reader: Shopper, stock: int) -> str | None:
    found = _stock(lane, reader)
    return None if found == stock else f"the product shows {found}, not {stock}"


MEETINGS = (
    answer_follows_commit, ledger_goes_along, cached_while_committed, cache_follows_orders,
    ordered_without_cache,
)  # fmt: skip
