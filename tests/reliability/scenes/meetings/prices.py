"""Meetings about prices: an order costs what the shop shows when it is placed."""

from tests.reliability.scenes.lane import Lane, ending, needed
from tests.reliability.scenes.meetings.hold import VARIANT, answered, meet
from tests.reliability.scenes.order_races import shown
from tests.reliability.world import PLACES, Article


def paid_as_shown(lane: Lane) -> str | None:
    """A price changes while the article is in the cart: the order costs what the cart shows then.

    Three times, so that no price that was remembered passes for the present one.
    """
    for price in (1_250, 499, 8_000):
        needed(lane.ann.add_item(lane.one.variant_id, 3))
        _set_price(lane, lane.one, price)
        seen = needed(lane.ann.read_cart()).answer
        paid = answered(lane.checkout(lane.ann)())
        if paid.status != 201:
            return f"the order ended in {ending(paid)}"
        line = paid.answer["items"][0]
        totals = (line["unit_price"], paid.answer["total"], seen["subtotal"])
        right = (shown(price), shown(3 * price), shown(3 * price))
        if totals != right:
            return f"unit, order and cart are at {totals}, not {right}"
    return None


def expected_total_holds(lane: Lane) -> str | None:
    """A buyer who says which total they expect is not charged another one."""
    needed(lane.ann.add_item(lane.one.variant_id, 2))
    wishes = {"expected_total": shown(2 * lane.price)}
    _set_price(lane, lane.one, lane.price + 100)

    ordered = answered(lane.checkout(lane.ann, **wishes)())

    return None if ending(ordered) == (409, "total_changed") else f"it ended in {ending(ordered)}"


def priced_at_the_last_moment(lane: Lane) -> str | None:
    """The price of one article changes after it was read: the order is placed, at the new price."""
    for article in (lane.one, lane.other):
        needed(lane.ann.add_item(article.variant_id, 1))
    price = lane.stage.facts.prices[lane.other.variant_id] + 250

    ordered, changed = meet(
        lane, VARIANT, lane.one.variant_id, lane.checkout(lane.ann),
        lambda: lane.staff.change_price(
            lane.other.product_id, lane.other.variant_id, price, PLACES
        ),
    )  # fmt: skip

    needed(changed)
    if ordered.status != 201:
        return f"the order ended in {ending(ordered)}"
    total = shown(lane.price + price)
    return None if ordered.answer["total"] == total else f"it cost {ordered.answer['total']}"


def _set_price(lane: Lane, article: Article, price: int) -> None:
    needed(lane.staff.change_price(article.product_id, article.variant_id, price, PLACES))


MEETINGS = (paid_as_shown, expected_total_holds, priced_at_the_last_moment)
