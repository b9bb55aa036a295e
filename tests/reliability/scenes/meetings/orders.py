"""Meetings about stock: what is promised to an order, given back, and sent away."""

from tests.reliability.scenes.lane import Lane, ending, needed
from tests.reliability.scenes.meetings.hold import VARIANT, answered, meet
from tests.reliability.scenes.order_races import DONE, ILLEGAL, unless
from tests.reliability.scenes.stage import rows
from tests.reliability.world import Article

FIGURES = "SELECT on_hand, allocated FROM variants WHERE id = :id"


def figures(lane: Lane, article: Article) -> tuple[int, int]:
    """What is on hand of an article, and what is allocated, as stored."""
    ((on_hand, allocated),) = rows(lane.stage.setting, FIGURES, id=article.variant_id)
    return on_hand, allocated


def two_for_the_last(lane: Lane) -> str | None:
    """Two buyers have both been told that the last unit is there when they come to order it."""
    for buyer in (lane.ann, lane.bob):
        needed(buyer.add_item(lane.rare.variant_id, 1))

    answers = meet(
        lane, VARIANT, lane.rare.variant_id, lane.checkout(lane.ann), lane.checkout(lane.bob)
    )

    return unless(answers, {(201, None), (409, "out_of_stock")})


def one_line_short(lane: Lane) -> str | None:
    """Of an order's two articles one becomes scarce at the last moment: none is promised.

    Neither order takes all that there is: whoever does waits for the product first, too.
    """
    scarce = lane.stage.article(stock=3)
    needed(lane.ann.add_item(lane.one.variant_id, 1))
    for buyer in (lane.ann, lane.bob):
        needed(buyer.add_item(scarce.variant_id, 2))

    ann, bob = meet(
        lane, VARIANT, lane.one.variant_id, lane.checkout(lane.ann), lane.checkout(lane.bob)
    )

    if (ending(ann), ending(bob)) != ((409, "out_of_stock"), (201, None)):
        return f"it ended in {ending(ann)} and {ending(bob)}"
    return _figures_are(lane, lane.one, 0, 0)


def cancelled_twice(lane: Lane) -> str | None:
    """A guest cancels an order again while the first cancel is at work.

    A customer's two would wait for the account's row already.
    """
    guest = lane.stage.guest()
    lane.order(3)
    needed(guest.add_item(lane.one.variant_id, 2))
    number = needed(lane.checkout(guest)()).answer["number"]
    before = figures(lane, lane.one)

    answers = meet(lane, VARIANT, lane.one.variant_id, *[lambda: guest.cancel(number)] * 2)

    return unless(answers, {DONE, ILLEGAL}) or _figures_are(lane, lane.one, 0, -2, before)


def cancelled_while_shipped(lane: Lane) -> str | None:
    """The owner cancels an order that staff are shipping."""
    number = _order(lane)
    needed(lane.staff.set_status(number, "processing"))
    before = figures(lane, lane.one)

    shipped, cancelled = meet(
        lane, VARIANT, lane.one.variant_id,
        lambda: lane.staff.set_status(number, "shipped"), lambda: lane.ann.cancel(number),
    )  # fmt: skip

    if (ending(shipped), ending(cancelled)) != (DONE, ILLEGAL):
        return f"shipping ended in {ending(shipped)}, the cancel in {ending(cancelled)}"
    return _figures_are(lane, lane.one, -2, -2, before)


def shipped_goods_leave(lane: Lane) -> str | None:
    """What is shipped is neither on hand nor promised any more; of a cancelled order all is back."""
    number, other = _order(lane), _order(lane)
    needed(lane.staff.set_status(number, "processing"))
    before = figures(lane, lane.one)

    needed(lane.staff.set_status(number, "shipped"))

    wrong = _figures_are(lane, lane.one, -2, -2, before)
    needed(lane.ann.cancel(other))
    again = answered(lane.ann.cancel(other))
    if ending(again) != ILLEGAL:
        return f"a second cancel ended in {ending(again)}"
    return wrong or _figures_are(lane, lane.one, -2, -4, before)


def promised_stock_stays(lane: Lane) -> str | None:
    """Staff take away what an order was promised: they may not."""
    needed(lane.ann.add_item(lane.rare.variant_id, 1))
    needed(lane.checkout(lane.ann)())

    taken = answered(lane.staff.adjust_stock(lane.rare.product_id, lane.rare.variant_id, -1))

    if ending(taken) != (409, "stock_promised"):
        return f"it ended in {ending(taken)}"
    found = figures(lane, lane.rare)
    return None if found == (1, 1) else f"on hand and allocated are {found}"


def _order(lane: Lane) -> str:
    """The number of an order of two units; another one keeps three more allocated, so that the
    database does not notice what is given back twice."""
    lane.order(3)
    number: str = lane.order(2).answer["number"]
    return number


def _figures_are(
    lane: Lane, article: Article, on_hand: int, allocated: int,
    before: tuple[int, int] | None = None,
) -> str | None:  # fmt: skip
    """What is wrong, unless the figures have changed by so much; before, nothing was allocated."""
    old = before or (lane.stage.facts.on_hand[article.variant_id], 0)
    found, right = figures(lane, article), (old[0] + on_hand, old[1] + allocated)
    return None if found == right else f"on hand and allocated are {found}, not {right}"


MEETINGS = (
    two_for_the_last, one_line_short, cancelled_twice, cancelled_while_shipped,
    shipped_goods_leave, promised_stock_stays,
)  # fmt: skip
