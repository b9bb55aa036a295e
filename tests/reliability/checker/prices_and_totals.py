"""Prices and totals: everybody pays the price in force, and sums are sums."""

from collections.abc import Iterator
from decimal import Decimal

from tests.reliability.checker.case import CART_ANSWERS, Case, Json
from tests.reliability.history import Attempt
from tests.reliability.violation import Violation


def totals_add_up(case: Case) -> Iterator[Violation]:
    """Sound: sums within one order of the final books."""
    for order in case.books.orders.values():
        lines = sum(line.quantity * line.unit_price for line in order.lines)
        told = sum(line.line_total for line in order.lines)
        if not lines == told == order.subtotal or order.total != order.subtotal + order.extras:
            detail = (
                f"{order.number}: lines come to {lines} (written as {told}),"
                f" subtotal {order.subtotal}, total {order.total}."
            )
            yield Violation("totals_wrong", detail)


def nothing_is_added_to_the_goods(case: Case) -> Iterator[Violation]:
    """Sound for as long as the shop knows no shipping, taxes and discounts."""
    for order in case.books.orders.values():
        if order.extras:
            yield Violation("totals_wrong", f"{order.number} has {order.extras} on top.")


def orders_cost_what_was_in_force(case: Case) -> Iterator[Violation]:
    """Each line's price may have been in force while its order may have been placed.

    Sound: checkout reads each price under the variant's lock, at some moment of the order's
    window. See Register for what may be in force.
    """
    for order in case.books.orders.values():
        placed = case.stories[order.id].placed
        for line in order.lines:
            prices = case.prices.get(line.variant_id)
            if prices and not prices.may_hold(line.unit_price, placed.earliest, placed.latest):
                asking = case.origins.get(order.id)
                detail = (
                    f"{order.number} sold variant {line.variant_id} for {line.unit_price},"
                    " which was not its price then."
                )
                yield Violation("price_not_in_force", detail, asking.attempts if asking else ())


def an_expected_total_is_kept(case: Case) -> Iterator[Violation]:
    """Sound: the contract refuses an order whose total is not the one expected."""
    for attempt in case.ok("place_order"):
        expected = (attempt.body or {}).get("expected_total")
        if expected is not None and Decimal(attempt.answer["total"]) != Decimal(str(expected)):
            detail = f"{attempt.answer['number']}: {attempt.answer['total']}, not {expected}."
            yield Violation("total_not_as_expected", detail, [attempt])


def carts_show_prices_in_force(case: Case) -> Iterator[Violation]:
    """Sound: carts never read a cache, so each price is read while the attempt runs."""
    for attempt in case.ok(*CART_ANSWERS):
        for item in attempt.answer["items"]:
            prices, shown = case.prices.get(item["variant_id"]), case.minor(item["unit_price"])
            if prices and not (
                shown is not None and prices.may_hold(shown, attempt.start, attempt.end)
            ):
                detail = f"The cart showed variant {item['variant_id']} for {item['unit_price']}."
                yield Violation("price_not_in_force", detail, [attempt])


def carts_add_up(case: Case) -> Iterator[Violation]:
    """Sound: a cart's answer is read by one statement, so that its parts agree."""
    for attempt in case.ok(*CART_ANSWERS):
        shown = attempt.answer
        goods = sum(
            item["quantity"] * (case.minor(item["unit_price"]) or 0) for item in shown["items"]
        )
        units = sum(item["quantity"] for item in shown["items"])
        if case.minor(shown["subtotal"]) != goods or shown["item_count"] != units:
            detail = (
                f"{units} units for {goods}, told as {shown['item_count']}, {shown['subtotal']}."
            )
            yield Violation("totals_wrong", detail, [attempt])


def products_show_prices_in_force(case: Case) -> Iterator[Violation]:
    """Sound: a product's answer shows every write that was answered before it began; where the
    cache may have been away, every write of an entry's life earlier."""
    for attempt in case.ok("read_product"):
        for variant in attempt.answer["variants"]:
            yield from _stale(case, attempt, variant)


def price_changes_last(case: Case) -> Iterator[Violation]:
    """Sound: at the end a price is one that may be in force when all is over."""
    over = max((case.last_moment(attempt) for attempt in case.attempts), default=0.0)
    for variant_id, prices in case.prices.items():
        variant = case.books.variants.get(variant_id)
        if variant is None or not prices.may_hold(variant.price, over, over):
            detail = f"Variant {variant_id} ended with {variant}."
            yield Violation("price_change_lost", detail)


def _stale(case: Case, attempt: Attempt, variant: Json) -> Iterator[Violation]:
    prices, shown = case.prices.get(variant["id"]), case.minor(variant["price"])
    if prices is None:
        return
    since = attempt.start - case.facts.cache_lag
    if shown is None or not prices.may_hold(shown, since, attempt.end):
        detail = f"The page of variant {variant['id']} showed {variant['price']}."
        yield Violation("price_not_in_force", detail, [attempt])


RULES = (
    totals_add_up,
    nothing_is_added_to_the_goods,
    orders_cost_what_was_in_force,
    an_expected_total_is_kept,
    carts_show_prices_in_force,
    carts_add_up,
    products_show_prices_in_force,
    price_changes_last,
)
