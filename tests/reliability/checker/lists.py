"""Lists of orders: whatever was acknowledged before one began is in it."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from urllib.parse import parse_qs, urlsplit

from tests.reliability.checker.case import Case, brief
from tests.reliability.history import Attempt
from tests.reliability.ledgers import Order
from tests.reliability.violation import Violation


class Shelf:
    """A customer's orders as lists show them: the newest first, equal times by id."""

    def __init__(self, case: Case, orders: Sequence[Order]) -> None:
        self.orders = sorted(orders, key=_place)
        self.places = [_place(order) for order in self.orders]
        windows = [case.stories[order.id].placed for order in self.orders]
        self.there_by = [window.latest for window in windows]
        self._sooner = list(accumulate(self.there_by, min))
        self._starts = sorted(window.earliest for window in windows)
        self._ends = sorted(self.there_by)

    def missing(self, attempt: Attempt) -> list[str]:
        """Orders that were acknowledged before a first page was asked for, and are not on it.

        A full page may end before them; so only those that belong above its last item count. Of
        orders above its first item, of which there may be many, one is named.
        """
        items, per_page = attempt.answer["items"], attempt.about["per_page"]
        shown = {item["number"] for item in items}
        known = [index for index, order in enumerate(self.orders) if order.number in shown]
        first = known[0] if known else len(self.orders)
        end = known[-1] if known and len(items) == per_page else len(self.orders)
        above = [self.orders[0].number] if first and self._sooner[first - 1] < attempt.start else []
        return above + [
            self.orders[index].number
            for index in range(first, end)
            if self.there_by[index] < attempt.start and self.orders[index].number not in shown
        ]

    def may_count(self, total: int, start: float, end: float) -> bool:
        """Whether there may have been so many at some moment within the span."""
        return bisect_left(self._ends, start) <= total <= bisect_left(self._starts, end)


def lists_have_what_was_acknowledged(case: Case) -> Iterator[Violation]:
    """A list that lacks an order which was acknowledged before the list was asked for.

    Sound: such an order was committed before; a list reads the database, and nothing removes an
    order from it. First pages alone are judged: later ones shift while new orders come in.
    """
    shelves = _shelves(case)
    for attempt in _lists(case):
        shelf = shelves.get(case.users.get(attempt.user, 0))
        missing = shelf.missing(attempt) if shelf and attempt.about["page"] == 1 else []
        if missing:
            detail = f"{attempt.user}'s list lacks {brief(missing)}."
            yield Violation("list_lacks_order", detail, [attempt])


def totals_of_lists_count_right(case: Case) -> Iterator[Violation]:
    """Sound: at each moment at least the orders acknowledged before, and at most those that were
    asked for by then, are there; `total` is exact (up to 10,000, where it may be an estimate)."""
    shelves = _shelves(case)
    for attempt in _lists(case):
        shelf, total = shelves.get(case.users.get(attempt.user, 0)), attempt.answer["total"]
        fits = shelf.may_count(total, attempt.start, attempt.end) if shelf else not total
        if not fits and not attempt.answer.get("total_is_estimate"):
            yield Violation("list_miscounts", f"{attempt.user}'s list counts {total}.", [attempt])


def lists_show_ones_own(case: Case) -> Iterator[Violation]:
    """Sound: customers see their own orders, each once, the newest first (by time, then by id)."""
    for attempt in _lists(case):
        numbers = [item["number"] for item in attempt.answer["items"]]
        orders = [case.books.orders[case.order_ids[n]] for n in numbers if n in case.order_ids]
        owner = case.users.get(attempt.user)
        if any(order.user_id != owner for order in orders):
            yield Violation("list_shows_others", f"{attempt.user}: {brief(numbers)}.", [attempt])
        places = [_place(order) for order in orders]
        if places != sorted(set(places)):
            yield Violation("list_disordered", f"{attempt.user}: {brief(numbers)}.", [attempt])


def _lists(case: Case) -> Iterator[Attempt]:
    """The lists of customers that no filter narrows."""
    for attempt in case.ok("list_orders"):
        wishes = parse_qs(urlsplit(attempt.path).query).keys()
        user_id = case.users.get(attempt.user)
        account = case.books.users.get(user_id or 0)
        if wishes <= {"page", "per_page"} and account and account.role == "customer":
            yield attempt


def _shelves(case: Case) -> dict[int | None, Shelf]:
    orders: dict[int | None, list[Order]] = defaultdict(list)
    for order in case.books.orders.values():
        orders[order.user_id].append(order)
    return {user_id: Shelf(case, mine) for user_id, mine in orders.items()}


def _place(order: Order) -> tuple[float, int]:
    return -order.placed_at.timestamp(), order.id


RULES = (
    lists_have_what_was_acknowledged,
    totals_of_lists_count_right,
    lists_show_ones_own,
)
