"""How many products each further choice would leave: by category, price, stock and options.

Each kind of choice is counted under all others that are made, but not under itself, so that a
second value of the same kind can be seen before it is chosen. A fixed number of statements.

Of more than MOST products only so many are looked at, the newest or those that are found first: the
choices are theirs, and no numbers are told, since nobody chooses by whether it is 7 or 8 thousand.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Subquery, case, func, or_, select

from app.domain import category_tree
from app.domain.actor import ANONYMOUS
from app.domain.money import places
from app.domain.text import words
from app.extensions import db
from app.models import Category, Product, Variant
from app.services import category_service, product_search, variant_options
from app.services.product_queries import Wanted, filters, visible_to
from app.services.product_search import Match

STEPS = (10, 25, 50, 100, 250, 500, 1000)
"""Where the ranges of prices end, in major units of a currency with a hundredth."""
MAX_OPTIONS, MAX_VALUES = 6, 12
MOST = 1_000
"""How many products are counted."""
Condition = ColumnElement[bool]
Number = int | None


class Facets(NamedTuple):
    """Counts of products, None for many. Prices in minor units; a range's ends are both inside,
    None is open."""

    categories: list[tuple[int, Number]] = []
    prices: list[tuple[int, int | None, Number]] = []
    in_stock: Number = 0
    options: list[tuple[str, list[tuple[str, Number]]]] = []


def question(wanted: Wanted) -> Wanted:
    """The same wish without what makes no difference to the counts."""
    return replace(wanted, sort=None, page=None, cursor=None, per_page=1)


def count(wanted: Wanted, currency: str) -> Facets:
    """The counts for a wish of somebody who is no staff; none where no word can be looked for."""
    match = _meant(words(wanted.q))
    if wanted.q and match is None:
        return Facets()
    # Sizes of everything at once say nothing, and to count them costs most.
    is_narrow = bool(wanted.q or wanted.category or wanted.options)
    finds = _Finds(wanted, match, price_steps(currency))
    return Facets(
        _by_category(finds),
        _by_price(finds, currency),
        _in_stock(finds),
        _by_option(finds) if is_narrow else [],
    )


class _Finds:
    """The products of a wish, less some of its choices: MOST of them and one more are looked at."""

    def __init__(self, wanted: Wanted, match: Match | None, ends: list[int]) -> None:
        self._ends = ends
        self.wanted, self.asked = wanted, filters(wanted)
        self._base = (*visible_to(ANONYMOUS), *(match.conditions if match else ()))
        # Without words there is an order that leads straight to some; a category has few enough.
        self._newest_first = match is None and "category" not in self.asked
        self._rows: dict[frozenset[str], list[Any]] = {}
        self.has_words = match is not None

    def some(self, *choices: Condition) -> Subquery:
        """Ids, categories and prices under these choices."""
        query = select(Product.id, Product.category_id, Product.price).where(*self._base, *choices)
        if self._newest_first:
            query = query.order_by(Product.created_at.desc())
        return query.limit(MOST + 1).subquery()

    def without(self, *names: str) -> list[Condition]:
        """The choices that were made, but for these."""
        return [condition for name, condition in self.asked.items() if name not in names]

    def rows_without(self, *names: str) -> list[Any]:
        """What is found without these choices, as category_id, range and number; asked once where
        several leave out nothing."""
        left = frozenset(self.asked.keys() - set(names))
        if left not in self._rows:
            some = self.some(*self.without(*names))
            steps = ((some.c.price < end, n) for n, end in enumerate(self._ends))
            range_ = case(*steps, else_=len(self._ends)).label("range")
            query = select(some.c.category_id, range_, func.count().label("number"))
            self._rows[left] = _rows(query.group_by(some.c.category_id, range_))
        return self._rows[left]


def _meant(looked_for: list[str]) -> Match | None:
    """What a list of these words shows: where nothing has them all, what has similar ones."""
    if not looked_for:
        return None
    visible = visible_to(ANONYMOUS)
    tries = (product_search.by_words, product_search.by_similar_words)
    matches = (attempt(looked_for) for attempt in tries)
    return next((m for m in matches if m and product_search.any_product(m, visible)), None)


def _by_category(finds: _Finds) -> list[tuple[int, Number]]:
    if finds.asked.keys() <= {"category"} and not finds.has_words:
        return [(id_, number) for id_, number in category_service.offered().items() if number]
    rows = finds.rows_without("category")
    own = _sums((row.category_id, row.number) for row in rows if row.category_id is not None)
    nodes = _rows(select(Category.id, Category.parent_id, Category.name, Category.position))
    totals = category_tree.totals(own, nodes)
    return [(id_, _told(number, _all(rows))) for id_, number in totals.items() if number]


def _by_price(finds: _Finds, currency: str) -> list[tuple[int, int | None, Number]]:
    rows, ends = finds.rows_without("min_price", "max_price"), price_steps(currency)
    counted = _sums((row.range, row.number) for row in rows)
    starts = (0, *ends)
    lasts = (*(end - 1 for end in ends), None)
    return [(starts[n], lasts[n], _told(counted[n], _all(rows))) for n in sorted(counted)]


def _sums(numbers: Iterable[tuple[int, int]]) -> Counter[int]:
    sums: Counter[int] = Counter()
    for name, number in numbers:
        sums[name] += number
    return sums


def _all(rows: Iterable[Any]) -> int:
    return sum(row.number for row in rows)


def _told(number: int, looked_at: int) -> Number:
    """A count as far as it can be told: there may be more than were looked at."""
    return None if looked_at > MOST else number


def price_steps(currency: str) -> list[int]:
    """Where the ranges of prices end, in minor units. Currencies without a minor unit have large
    numbers."""
    return [step * 10 ** (places(currency) or 2) for step in STEPS]


def _in_stock(finds: _Finds) -> Number:
    # Of options that are chosen, only those that can be had: all but the category anew.
    stocked = filters(replace(finds.wanted, category="", in_stock=True))
    found = finds.some(*{**finds.asked, **stocked}.values())
    number = db.session.scalar(select(func.count()).select_from(found)) or 0
    return _told(number, number)


def _by_option(finds: _Finds) -> list[tuple[str, list[tuple[str, Number]]]]:
    some = select(finds.some(*finds.without("options", "in_stock"))).cte("some")
    pairs, looked_at = variant_options.pairs(), select(func.count()).select_from(some)
    chosen = variant_options.chosen(finds.wanted.options)
    number = func.count(Variant.product_id.distinct())
    of_those = variant_options.offered(of=some.c.id, in_stock=bool(finds.wanted.in_stock))
    query = (
        select(pairs.c.key, pairs.c.value, number, looked_at.scalar_subquery())
        .select_from(some)
        .join(Variant, Variant.product_id == some.c.id)
        .where(*of_those)
        .where(*(or_(pairs.c.key == name, fits) for name, fits in chosen.items()))
        .group_by(pairs.c.key, pairs.c.value)
        .order_by(number.desc(), pairs.c.value)
    )
    return _largest(_rows(query))


def _largest(counted: list[Any]) -> list[tuple[str, list[tuple[str, Number]]]]:
    groups: dict[str, list[tuple[str, Number]]] = {}
    sizes: Counter[str] = Counter()
    for name, value, number, looked_at in counted:
        groups.setdefault(name, []).append((value, _told(number, looked_at)))
        sizes[name] += number
    by_size = sorted(groups.items(), key=lambda group: (-sizes[group[0]], group[0]))
    return [(name, values[:MAX_VALUES]) for name, values in by_size[:MAX_OPTIONS]]


def _rows(query: Any) -> list[Any]:
    return list(db.session.execute(query))
