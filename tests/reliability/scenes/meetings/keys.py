"""Meetings about idempotency keys: one key of one buyer is one order, whatever others send."""

from dataclasses import replace

from tests.reliability.history import Attempt
from tests.reliability.scenes.lane import Lane, ending, needed
from tests.reliability.scenes.meetings.hold import answered
from tests.reliability.scenes.stage import code
from tests.reliability.setting import PostgreSQLSetting
from tests.reliability.shopper import Purchase, Shopper

AGE = "UPDATE idempotency_keys SET created_at = created_at - INTERVAL '25 hours' WHERE key = %s"


def key_sent_twice(lane: Lane) -> str | None:
    """The same request comes again: it is the same order, in the same words."""
    guest = _filled(lane, lane.stage.guest())
    purchase = guest.purchase()

    return _replays(guest, purchase, needed(guest.place_order(purchase)))


def answers_are_apart(lane: Lane) -> str | None:
    """Two buyers order under keys of their own; each is told their own order again."""
    first, second = (_filled(lane, lane.stage.guest()) for _ in range(2))
    purchases = [buyer.purchase() for buyer in (first, second)]
    orders = [
        needed(buyer.place_order(purchase))
        for buyer, purchase in zip((first, second), purchases, strict=True)
    ]

    return _replays(first, purchases[0], orders[0]) or _replays(second, purchases[1], orders[1])


def one_key_of_two_buyers(lane: Lane) -> str | None:
    """Two guests, then two customers, send one key with one body: each has an order of their own."""
    guests = (lane.stage.guest(), lane.stage.guest())
    return _share_a_key(lane, guests) or _share_a_key(lane, (lane.ann, lane.bob))


def key_with_another_body(lane: Lane) -> str | None:
    """A key comes again with another body: that is refused."""
    guest = _filled(lane, lane.stage.guest())
    purchase = guest.purchase()
    needed(guest.place_order(purchase))
    _filled(lane, guest)

    other = answered(guest.place_order(_with_note(purchase, "another")))

    right = (422, "idempotency_key_reused")
    return None if (other.status, code(other)) == right else f"it ended in {ending(other)}"


def expired_key(lane: Lane) -> str | None:
    """A key of yesterday is free for another order, whose answer it then repeats."""
    guest = _filled(lane, lane.stage.guest())
    purchase = guest.purchase()
    first = needed(guest.place_order(purchase))
    _age(lane, purchase.key)
    _filled(lane, guest)
    again = _with_note(purchase, "the day after")

    second = answered(guest.place_order(again))

    if second.status != 201 or second.answer["number"] == first.answer["number"]:
        return f"the key was not free: {ending(second)}"
    return _replays(guest, again, second)


def _filled(lane: Lane, buyer: Shopper) -> Shopper:
    needed(buyer.add_item(lane.one.variant_id, 1))
    return buyer


def _share_a_key(lane: Lane, buyers: tuple[Shopper, Shopper]) -> str | None:
    first, second = (_filled(lane, buyer) for buyer in buyers)
    purchase = first.purchase()
    other = replace(purchase, cart_token=second.cart_token)
    orders = [answered(first.place_order(purchase)), answered(second.place_order(other))]
    if [order.status for order in orders] != [201, 201]:
        return f"it ended in {[ending(order) for order in orders]}"
    if orders[1].replayed or orders[0].answer["number"] == orders[1].answer["number"]:
        return "the second buyer was told the first one's order"
    return _replays(first, purchase, orders[0]) or _replays(second, other, orders[1])


def _replays(buyer: Shopper, purchase: Purchase, order: Attempt) -> str | None:
    again = answered(buyer.place_order(purchase))
    if (again.status, again.replayed) != (201, True):
        return f"the same request was answered {ending(again)}, replayed: {again.replayed}"
    return None if again.raw == order.raw else "the same request was answered in other words"


def _with_note(purchase: Purchase, note: str) -> Purchase:
    return replace(purchase, body={**purchase.body, "note": note})


def _age(lane: Lane, key: str) -> None:
    setting = lane.stage.setting
    assert isinstance(setting, PostgreSQLSetting)
    connection = setting.connect()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(AGE, (key,))
    finally:
        connection.close()


MEETINGS = (
    key_sent_twice, answers_are_apart, one_key_of_two_buyers, key_with_another_body, expired_key,
)  # fmt: skip
