"""Orders of others: nobody sees or cancels them, and one's own are there at once."""

from tests.reliability.scenes.lane import Lane, needed
from tests.reliability.scenes.meetings.hold import answered

ORDERS = 3


def orders_of_others(lane: Lane) -> str | None:
    """A customer asks for somebody else's order, by number and by id, and cannot cancel it."""
    theirs = lane.order().answer
    guest = lane.stage.guest()
    for reference in (theirs["number"], str(theirs["id"])):
        path = f"/api/orders/{reference}"
        told = {
            "read": answered(lane.bob.send("read_order", "GET", path)).status,
            "cancel": answered(lane.bob.send("cancel", "POST", f"{path}/cancel")).status,
            "guest": answered(guest.send("read_order", "GET", path)).status,
        }
        if told != {"read": 404, "cancel": 404, "guest": 401}:
            return f"an order of another was answered {told}"
    return None


def own_orders_are_listed(lane: Lane) -> str | None:
    """A list has the orders of the customer who asks, the newest at once, and nobody else's."""
    needed(lane.bob.add_item(lane.other.variant_id, 1))
    needed(lane.checkout(lane.bob)())
    numbers: list[str] = []
    for _ in range(ORDERS):
        numbers.insert(0, lane.order().answer["number"])
        answer = needed(lane.ann.list_orders()).answer
        found = [order["number"] for order in answer["items"]]
        if found != numbers:
            return f"the list has {found}, not {numbers}"
    return None


MEETINGS = (orders_of_others, own_orders_are_listed)
