"""Orders: those that were told of are there, and as told; and each was asked for."""

from collections.abc import Iterator
from typing import Any

from tests.reliability.checker.case import Case
from tests.reliability.ledgers import Order
from tests.reliability.violation import Violation

Facets = tuple[Any, ...]


def acknowledged_orders_are_there(case: Case) -> Iterator[Violation]:
    """Sound: an order that an answer showed was committed, and nothing ever deletes orders."""
    lost: dict[str, list[Any]] = {}
    for sight in case.sights:
        if sight.shown["number"] not in case.order_ids:
            lost.setdefault(sight.shown["number"], []).append(sight.attempt)
    for number, attempts in lost.items():
        yield Violation("order_lost", f"{number} was answered, and is not there.", attempts)


def orders_are_as_they_were_told(case: Case) -> Iterator[Violation]:
    """Sound: but for its status and history, nothing of an order ever changes."""
    written: dict[str, Facets] = {}
    for sight in case.sights:
        number = sight.shown["number"]
        order_id = case.order_ids.get(number)
        if order_id is None:
            continue
        if number not in written:
            written[number] = _facets_in_books(case.books.orders[order_id])
        told = _facets_told(case, sight.shown)
        if told != written[number]:
            detail = f"{number} was told as {told}, and is {written[number]}."
            yield Violation("order_differs", detail, [sight.attempt])


def orders_belong_to_their_buyers(case: Case) -> Iterator[Violation]:
    """Sound: whoever is signed in orders for themselves, and everybody else as a guest."""
    for asking in case.askings:
        owner = None if asking.is_guest else case.users.get(asking.user)
        if owner is None and not asking.is_guest:
            continue
        for attempt in asking.accepted:
            if attempt.answer["user_id"] != owner:
                detail = f"{attempt.answer['number']}, asked for by {asking.user}, is another's."
                yield Violation("order_of_another", detail, [attempt])


def orders_were_asked_for(case: Case) -> Iterator[Violation]:
    """Sound: an order needs an attempt that was acknowledged, or whose end nobody knows.

    A refused attempt made none, so one that comes of refusals alone was made against its answer.
    Attempts whose key is another's, or whose sender is, do not count; and one without a key makes
    one order at most.
    """
    for order in case.books.orders.values():
        asking = case.origins.get(order.id)
        if asking is None:
            yield Violation("order_unasked", f"Nobody asked for {order.number}.")
        elif all(attempt.outcome == "refused" for attempt in asking.attempts):
            detail = f"{order.number} was made for {asking}, which was only ever refused."
            yield Violation("order_after_refusals", detail, asking.attempts)


def acknowledged_orders_are_found(case: Case) -> Iterator[Violation]:
    """A 404 for one's own order after it was acknowledged.

    Sound: an order was there once its window is over, it never goes away, and its buyer may
    always see it (a guest by the secret that clients send along). Only for orders of the person
    who asks, so that what is not theirs may well be hidden.
    """
    for attempt in case.of("read_order", "cancel"):
        order_id = case.order_ids.get(attempt.about["number"])
        if attempt.status != 404 or order_id is None:
            continue
        asking = case.origins.get(order_id)
        theirs = asking is not None and asking.user == attempt.user
        if theirs and case.stories[order_id].placed.latest < attempt.start:
            detail = f"{attempt.about['number']} was there, and {attempt.user} got a 404 for it."
            yield Violation("order_not_found", detail, [attempt])


def _facets_in_books(order: Order) -> Facets:
    lines = (
        (line.variant_id, line.sku, line.quantity, line.unit_price, line.line_total)
        for line in order.lines
    )
    return (
        order.id, order.user_id, order.subtotal, order.total, order.email, order.note,
        tuple(sorted(lines)),
    )  # fmt: skip


def _facets_told(case: Case, shown: dict[str, Any]) -> Facets:
    lines = (
        (
            item["variant_id"], item["sku"], item["quantity"],
            case.minor(item["unit_price"]), case.minor(item["line_total"]),
        )
        for item in shown["items"]
    )  # fmt: skip
    return (
        shown["id"], shown["user_id"], case.minor(shown["subtotal"]), case.minor(shown["total"]),
        shown["email"], shown["note"],
        tuple(sorted(lines, key=lambda line: line[:3])),
    )  # fmt: skip


RULES = (
    acknowledged_orders_are_there,
    orders_are_as_they_were_told,
    orders_belong_to_their_buyers,
    orders_were_asked_for,
    acknowledged_orders_are_found,
)
