"""Meetings about carts: edits and sign-ins while a cart is ordered or filled."""

from tests.reliability.scenes.lane import Lane, ending, needed, units
from tests.reliability.scenes.meetings.hold import VARIANT, VARIANT_KEY, meet


def edited_while_ordered(lane: Lane) -> str | None:
    """A line is changed when the order of its cart is as good as placed: there is no such line."""
    one = lane.one.variant_id
    needed(lane.ann.add_item(one, 2))
    (item,) = lane.ann.cart

    ordered, edited = meet(
        lane, VARIANT, one, lane.checkout(lane.ann), lambda: lane.ann.change_item(item, 5)
    )

    bought = units(ordered.answer["items"]) if ordered.status == 201 else ending(ordered)
    found = (bought, edited.status, lane.contents(lane.ann))
    return None if found == ({one: 2}, 404, {}) else f"{found} came of it"


def filled_while_merged(lane: Lane) -> str | None:
    """A guest signs in while an article is on its way into the guest's cart: it comes along."""
    guest, one, other = lane.guest(lane.ann), lane.one.variant_id, lane.other.variant_id
    needed(guest.add_item(one, 1))

    added, signed_in = meet(
        lane, VARIANT_KEY, other, lambda: guest.add_item(other, 1), guest.sign_in
    )

    found = (ending(added)[1], ending(signed_in), lane.contents(lane.ann))
    right = (None, (200, None), {one: 1, other: 1})
    return None if found == right else f"{found} came of it"


def carts_are_merged(lane: Lane) -> str | None:
    """What is in both carts is added up, and ordering leaves nothing in the cart."""
    guest, one = lane.guest(lane.ann), lane.one.variant_id
    needed(lane.ann.add_item(one, 2))
    needed(guest.add_item(one, 3))
    needed(guest.sign_in())

    ordered = needed(lane.checkout(lane.ann)())

    found = (units(ordered.answer["items"]), lane.contents(lane.ann))
    return None if found == ({one: 5}, {}) else f"order and cart are {found}"


MEETINGS = (edited_while_ordered, filled_while_merged, carts_are_merged)
