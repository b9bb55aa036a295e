"""Stock: figures, ledger and orders add up, and everybody was told what was there."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.reliability.checker.case import CART_ANSWERS, Case, brief, refusal
from tests.reliability.checker.tracks import what_it_adjusts
from tests.reliability.history import Attempt
from tests.reliability.ledgers import Movement, Order
from tests.reliability.violation import Violation

STOCK_STEPS = {"pending": (0, 1), "shipped": (-1, -1), "cancelled": (0, -1)}
"""What a step of an order does to on hand and allocated, for each unit of a line."""


def the_ledger_sums_to_the_figures(case: Case) -> Iterator[Violation]:
    """Sound: figure and ledger row change in one transaction, and the books are at rest."""
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for row in case.books.movements:
        sums[row.variant_id][0] += row.on_hand
        sums[row.variant_id][1] += row.allocated
    for variant in case.books.variants.values():
        figures = [variant.on_hand, variant.allocated]
        if figures != sums[variant.id]:
            detail = (
                f"Variant {variant.id} has {figures}, and its ledger sums to {sums[variant.id]}."
            )
            yield Violation("ledger_wrong", detail)


def open_orders_hold_what_is_allocated(case: Case) -> Iterator[Violation]:
    """Sound: pending and processing orders hold their units, and nothing else holds any."""
    held: Counter[int] = Counter()
    for order in case.books.orders.values():
        if order.status in ("pending", "processing"):
            for line in order.lines:
                held[line.variant_id] += line.quantity
    for variant in case.books.variants.values():
        if variant.allocated != held[variant.id]:
            detail = (
                f"Variant {variant.id}: {variant.allocated} allocated,"
                f" but open orders hold {held[variant.id]}."
            )
            yield Violation("allocation_wrong", detail)


def nothing_is_sold_that_was_not_there(case: Case) -> Iterator[Violation]:
    """Oversold: more allocated than on hand, at the end or at any moment on the way.

    Sound: `0 <= allocated <= on_hand` holds after every transaction, and a transaction moves a
    variant once; the states of a track are those after each. See Track for their order.
    """
    for track in case.tracks.values():
        for row, (on_hand, allocated) in zip(track.movements, track.states[1:], strict=True):
            if not 0 <= allocated <= on_hand:
                detail = (
                    f"Variant {track.variant_id}: {allocated} allocated of {on_hand} on hand"
                    f" after movement {row.id}."
                )
                yield Violation("oversold", detail)
                break


def orders_move_stock_step_by_step(case: Case) -> Iterator[Violation]:
    """Each order's rows in the ledger are those of its steps, line by line, and no others.

    So no cancel returns stock twice, and no shipment takes it twice. Sound: a step and its rows
    are one transaction.
    """
    rows: dict[int | None, list[Movement]] = defaultdict(list)
    for row in case.books.movements:
        rows[row.order_id].append(row)
    for order in case.books.orders.values():
        found = _by_variant(rows[order.id])
        due = _due(order)
        if found != due:
            detail = f"{order.number} ({order.status}) moved {found}, and should have moved {due}."
            yield Violation("order_moved_stock_wrongly", detail)
    for order_id in rows.keys() - case.books.orders.keys() - {None}:
        yield Violation("order_moved_stock_wrongly", f"Rows for order {order_id}, which is not.")


def adjustments_are_booked_once(case: Case) -> Iterator[Violation]:
    """Acknowledged adjustments are in the ledger, and nothing that nobody asked for.

    Sound: of attempts that look alike at least the acknowledged, and at most those and the
    unknown, have each one row. An adjustment by nothing has none.
    """
    booked = Counter(
        (row.variant_id, row.on_hand, row.reason)
        for track in case.tracks.values()
        for row in track.movements
        if row.order_id is None
    )
    asked: dict[tuple[int, int, str], list[Attempt]] = defaultdict(list)
    for attempt in case.of("adjust_stock"):
        if attempt.outcome != "refused" and attempt.about["delta"]:
            asked[what_it_adjusts(attempt)].append(attempt)
    for what in booked.keys() | asked.keys():
        least = sum(attempt.outcome == "ok" for attempt in asked[what])
        if not least <= booked[what] <= len(asked[what]):
            detail = f"{what}: {booked[what]} times in the ledger, {least} acknowledged."
            yield Violation("adjustment_wrong", detail, asked[what])


def the_ledger_keeps_time(case: Case) -> Iterator[Violation]:
    """A movement that stands before or after one with which its answers do not agree.

    Sound: see Track; such a row was not written together with its deed.
    """
    for track in case.tracks.values():
        wrong = track.timeline.contradictions()
        if wrong:
            rows = brief(track.movements[index].id for index in wrong)
            detail = f"Variant {track.variant_id}: movements {rows} are not where they belong."
            yield Violation("ledger_out_of_order", detail)


def sold_out_is_said_when_it_is_so(case: Case) -> Iterator[Violation]:
    """A shortage names what was available at some moment while the attempt ran, and too little.

    So nobody was told of a sell-out while stock remained. Sound: both placing an order and adding
    to a cart read the figures from the database, never from a cache, and refuse by what they read.
    What is not offered has nothing available.
    """
    for attempt in case.of("place_order", "add_item", "change_item"):
        if attempt.status != 409 or refusal(attempt) != "out_of_stock":
            continue
        for short in attempt.answer["shortages"]:
            if short["available"] >= short["requested"]:
                yield Violation("sold_out_untrue", f"No shortage: {short}", [attempt])
            elif not _may_be_available(case, attempt, short["variant_id"], short["available"]):
                yield Violation("sold_out_untrue", f"There were never so few: {short}", [attempt])


def carts_show_what_is_available(case: Case) -> Iterator[Violation]:
    """Sound: carts never read a cache, so the figures are read while the attempt runs."""
    for attempt in case.ok(*CART_ANSWERS):
        for item in attempt.answer["items"]:
            if not _may_be_available(case, attempt, item["variant_id"], item["available"]):
                detail = f"The cart showed {item['available']} of variant {item['variant_id']}."
                yield Violation("stock_misread", detail, [attempt])


def products_show_what_is_available(case: Case) -> Iterator[Violation]:
    """Sound: as for their prices; stock may trail by an entry's life where the cache can fail."""
    for attempt in case.ok("read_product"):
        for shown in attempt.answer["variants"]:
            lag = case.facts.cache_lag
            if not _may_be_available(case, attempt, shown["id"], shown["stock"], lag):
                detail = f"The page of variant {shown['id']} showed a stock of {shown['stock']}."
                yield Violation("stock_misread", detail, [attempt])


def adjustments_answer_the_figures(case: Case) -> Iterator[Violation]:
    """Sound: the answer is the state right after the adjustment, read under the variant's lock."""
    for attempt in case.ok("adjust_stock"):
        shown = attempt.answer
        track = case.tracks.get(shown["variant_id"])
        figures = (shown["on_hand"], shown["allocated"])
        if track and not track.may_show(figures, attempt.start, attempt.end):
            detail = f"Variant {track.variant_id} was never at {figures} then."
            yield Violation("stock_misread", detail, [attempt])


def _may_be_available(
    case: Case, attempt: Attempt, variant_id: int, units: int, lag: float = 0.0
) -> bool:
    track, variant = case.tracks.get(variant_id), case.books.variants.get(variant_id)
    if track is None or variant is None:
        return True
    if units == 0 and not variant.is_offered:
        return True
    return track.may_have_available(units, attempt.start - lag, attempt.end)


def _by_variant(rows: list[Movement]) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        found[row.variant_id].append((row.on_hand, row.allocated))
    return dict(found)


def _due(order: Order) -> dict[int, list[tuple[int, int]]]:
    steps = [STOCK_STEPS[e.status] for e in order.events if e.status in STOCK_STEPS]
    return {
        line.variant_id: [(line.quantity * hand, line.quantity * held) for hand, held in steps]
        for line in order.lines
    }


RULES = (
    the_ledger_sums_to_the_figures,
    open_orders_hold_what_is_allocated,
    nothing_is_sold_that_was_not_there,
    orders_move_stock_step_by_step,
    adjustments_are_booked_once,
    the_ledger_keeps_time,
    sold_out_is_said_when_it_is_so,
    carts_show_what_is_available,
    products_show_what_is_available,
    adjustments_answer_the_figures,
)
