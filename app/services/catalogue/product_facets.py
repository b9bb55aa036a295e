"""How many products each further choice would leave: by category, price, stock and options.

Each kind of choice is counted under all others that are made, but not under itself, so that a
second value of the same kind can be seen before it is chosen: a statement for each kind that is
chosen, and one for all the others.

Of more than MOST products only SOME are looked at, the newest or those that are found first: the
choices are theirs, and no numbers are told, since nobody chooses by whether it is 7 or 8 hundred.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    case,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from app.db.paging import MAX_DEPTH
from app.db.prepared import run
from app.domain.catalogue import category_tree
from app.domain.money import places
from app.domain.people.actor import ANONYMOUS
from app.domain.text import words
from app.extensions import db
from app.models import Category, Product, Variant
from app.services.catalogue import (
    category_service,
    product_queries,
    product_search,
    variant_options,
)
from app.services.catalogue.product_queries import Wanted
from app.services.catalogue.product_search import Match
from app.services.catalogue.product_statements import MOST_KEPT, VISIBLE, Choices, conditions

STEPS = (10, 25, 50, 100, 250, 500, 1000)
"""Where the ranges of prices end, in major units of a currency with a hundredth."""
MAX_OPTIONS, MAX_VALUES = 6, 12
MOST = 500
"""How many products are counted."""
SOME = 200
"""How many are looked at where there are more than MOST, so that no numbers are told."""
_NODES = select(Category.id, Category.parent_id, Category.name, Category.position)
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


def count(wanted: Wanted, currency: str, total: int) -> Facets:
    """The counts for a wish of somebody who is no staff, whose list has so many products in `total`;
    none where no word can be looked for."""
    looked_for = words(wanted.q)
    if wanted.q and not looked_for:
        return Facets()
    within = category_service.ids_below(wanted.category) if wanted.category else set()
    finds = _Finds(wanted, within, currency, total)
    if not looked_for:
        return _counted(finds)
    finds.look_for(product_search.by_words(), product_search.values(looked_for))
    finds.is_everywhere = total > MAX_DEPTH and len(looked_for) == 1 and not finds.choices
    found = _counted(finds)
    if found != Facets():
        return found
    # As lists do: where nothing has all the words, what has similar ones.
    meant = product_queries.meant(ANONYMOUS, looked_for)
    if meant:
        finds.look_for(*meant)
    return _counted(finds) if meant else found


def _counted(finds: "_Finds") -> Facets:
    return Facets(_by_category(finds), _by_price(finds), _in_stock(finds), _by_option(finds))


class _Shape(NamedTuple):
    """What counts have in common that are asked by the same statement."""

    database: str
    choices: Choices
    match: Match | None
    most: int
    is_everywhere: bool
    newest_first: bool
    ends: tuple[int, ...]
    chosen: int
    """How many options are chosen."""
    only_in_stock: bool
    has_stock: bool
    has_options: bool
    """Which of both is counted."""


class _Counts(NamedTuple):
    """Products by category, range of prices and whether they are in stock; and by option."""

    products: list[tuple[int | None, int, bool, int]]
    options: list[tuple[str, str, int]]

    @property
    def looked_at(self) -> int:
        """How many products that is."""
        return sum(number for *_names, number in self.products)


class _Finds:
    """The products of a wish, less some of its choices: MOST of them and one more are looked at."""

    def __init__(self, wanted: Wanted, within: Collection[int], currency: str, total: int) -> None:
        self.wanted, self.ends = wanted, tuple(price_steps(currency))
        self.choices = product_queries.choices(wanted)
        self.match: Match | None = None
        # With a choice less there are no fewer.
        self.are_many, self.is_everywhere = total > MOST, False
        self._values = product_queries.values(wanted, within)
        self._asked: dict[Choices, _Counts] = {}

    def look_for(self, match: Match, values: Mapping[str, Any]) -> None:
        """Narrow all to these words."""
        self.match, self._values = match, {**self._values, **values}
        self._asked.clear()

    @property
    def is_narrow(self) -> bool:
        """Sizes of everything at once say nothing, and to count them costs most."""
        return bool(self.match or self.wanted.category or self.wanted.options)

    def without(self, *names: str) -> _Counts:
        """What is found without these choices; asked once where several leave out nothing."""
        left = self._left(*names)
        if left not in self._asked:
            self._asked[left] = self._ask(left)
        return self._asked[left]

    def told(self, number: int, counts: _Counts) -> Number:
        """A count as far as it can be told."""
        return None if self.has_more_than(counts) else number

    def has_more_than(self, counts: _Counts) -> bool:
        """Whether there may be more than were looked at."""
        return self.are_many or counts.looked_at > MOST

    def _left(self, *names: str) -> Choices:
        return tuple(choice for choice in self.choices.items() if choice[0] not in names)

    def _ask(self, left: Choices) -> _Counts:
        shape = _Shape(
            db.engine.dialect.name,
            left,
            self.match,
            SOME if self.are_many else MOST + 1,
            self.is_everywhere,
            # Without words there is an order that leads straight to some; a category has few enough.
            self.match is None and "category" not in self.choices,
            self.ends,
            len(variant_options.by_name(self.wanted.options)),
            bool(self.wanted.in_stock),
            not self.wanted.in_stock and left == self._left("in_stock"),
            self.is_narrow and left == self._left("options"),
        )
        is_kept = self.match is None or self.match.is_kept
        rows: list[Any] = list(run(_kept(shape) if is_kept else _made(shape), self._values))
        products = [(row[0], row[1], row[2], row[5]) for row in rows if row[3] is None]
        return _Counts(products, [(row[3], row[4], row[5]) for row in rows if row[3] is not None])


def _made(shape: _Shape) -> Any:
    """Rows of category, range, stock, option, value and number: one pass over some products and
    their variants."""
    some, chosen = _some(shape), variant_options.chosen(shape.chosen)
    offers = _offers(some, [fits for _name, fits in chosen])
    fits = [offers.c[f"fits_{n}"] for n in range(shape.chosen)]
    sold = some.c.id.in_(select(offers.c.id).where(offers.c.in_stock, *fits))
    in_stock = sold if shape.has_stock else literal(False)
    products = select(some.c.category_id, some.c.range, in_stock.label("in_stock")).subquery()
    by_product = select(*products.c, null(), null(), func.count()).group_by(*products.c)
    if not shape.has_options:
        return by_product
    pairs = variant_options.pairs(offers.c.options)
    number = func.count(offers.c.id.distinct())
    by_option = (
        select(null(), null(), null(), pairs.c.key, pairs.c.value, number)
        .select_from(offers)
        .where(*([offers.c.in_stock] if shape.only_in_stock else []))
        .where(*(or_(pairs.c.key == name, fits[n]) for n, (name, _) in enumerate(chosen)))
        .group_by(pairs.c.key, pairs.c.value)
    )
    return union_all(by_product, by_option)


_kept = lru_cache(maxsize=MOST_KEPT)(_made)


def _some(shape: _Shape) -> CTE:
    """The products that are looked at, each with the range that its price lies in."""
    steps = ((Product.price < end, n) for n, end in enumerate(shape.ends))
    range_ = case(*steps, else_=len(shape.ends)).label("range")
    found = select(Product.id, Product.category_id, range_)
    found = found.where(*VISIBLE[False], *conditions(shape.choices))
    if shape.match:
        found = found.where(
            *(shape.match.has_somewhere if shape.is_everywhere else shape.match.has)
        )
    if shape.newest_first or shape.is_everywhere:
        found = found.order_by(Product.created_at.desc() if shape.newest_first else Product.id)
    return found.limit(shape.most).cte("some")


def _offers(some: CTE, fits: Iterable[ColumnElement[bool]]) -> CTE:
    """What of them can be bought, and whether it has each of the options chosen."""
    in_stock = (Variant.on_hand > Variant.allocated).label("in_stock")
    marks = [one.label(f"fits_{n}") for n, one in enumerate(fits)]
    offered = variant_options.offered(in_stock=False, of=some.c.id)
    return select(some.c.id, Variant.options, in_stock, *marks).where(*offered).cte("offers")


def _by_category(finds: _Finds) -> list[tuple[int, Number]]:
    if finds.choices.keys() <= {"category"} and not finds.match:
        return [(id_, number) for id_, number in category_service.offered().items() if number]
    counts = finds.without("category")
    own = _sums((row[0], row[-1]) for row in counts.products if row[0] is not None)
    totals = category_tree.totals(own, run(_NODES).all())
    return [(id_, finds.told(number, counts)) for id_, number in totals.items() if number]


def _by_price(finds: _Finds) -> list[tuple[int, int | None, Number]]:
    counts, ends = finds.without("min_price", "max_price"), finds.ends
    counted = _sums((row[1], row[-1]) for row in counts.products)
    shown: Iterable[int] = sorted(counted)
    if counted and finds.has_more_than(counts):
        shown = range(min(counted), max(counted) + 1)  # others will lie between
    starts = (0, *ends)
    lasts = (*(end - 1 for end in ends), None)
    return [(starts[n], lasts[n], finds.told(counted[n], counts)) for n in shown]


def _in_stock(finds: _Finds) -> Number:
    if finds.wanted.in_stock:
        counts = finds.without()
        return finds.told(counts.looked_at, counts)
    counts = finds.without("in_stock")
    return finds.told(sum(row[-1] for row in counts.products if row[2]), counts)


def _by_option(finds: _Finds) -> list[tuple[str, list[tuple[str, Number]]]]:
    if not finds.is_narrow:
        return []
    counts = finds.without("options")
    groups: dict[str, list[tuple[str, Number]]] = {}
    sizes: Counter[str] = Counter()
    for name, value, number in sorted(counts.options, key=lambda row: (-row[2], row[1])):
        groups.setdefault(name, []).append((value, finds.told(number, counts)))
        sizes[name] += number
    by_size = sorted(groups.items(), key=lambda group: (-sizes[group[0]], group[0]))
    return [(name, values[:MAX_VALUES]) for name, values in by_size[:MAX_OPTIONS]]


def _sums(numbers: Iterable[tuple[int, int]]) -> Counter[int]:
    sums: Counter[int] = Counter()
    for name, number in numbers:
        sums[name] += number
    return sums


def price_steps(currency: str) -> list[int]:
    """Where the ranges of prices end, in minor units. Currencies without a minor unit have large
    numbers."""
    return [step * 10 ** (places(currency) or 2) for step in STEPS]
