"""How many products each further choice would leave: by category, price, flag and option.

Each kind of choice is counted under all other filters but not under itself, so that the storefront
can show a second value of the same kind before it is chosen. That takes a statement for each kind
that is in use, and one for all the others.

Of more than MAX_COUNTED products, only SAMPLE are looked at: the newest or the first that match. Their
choices are shown without numbers, since nobody chooses by whether it is 700 or 800.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    Executable,
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
from app.domain.catalogue import category_tree, option_order
from app.domain.catalogue.search_terms import search_terms
from app.domain.money import places
from app.domain.people.actor import ANONYMOUS
from app.models import Category, Product, Variant
from app.models.availability import IS_IN_STOCK
from app.services.catalogue import (
    category_service,
    product_queries,
    product_search,
    variant_options,
)
from app.services.catalogue.product_filters import SHOP_FLAGS, ProductQuery, conditions
from app.services.catalogue.product_search import Match, Search
from app.services.catalogue.product_statements import Scope, cached_statement
from app.services.catalogue.variant_options import OptionMatch

STEPS = (10, 25, 50, 100, 250, 500, 1000)
"""Where the ranges of prices end, in major units of a currency with a hundredth."""
MAX_OPTIONS, MAX_VALUES = 6, 12
MAX_COUNTED = 500
SAMPLE = 200
_NODES = select(Category.id, Category.parent_id, Category.name, Category.position)
Number = int | None
"""A number of products; None for many."""


class Facets(NamedTuple):
    """Numbers of products by category id; by the lowest and highest price of a range in minor units,
    where None is open; by the name of a flag; by option and value."""

    categories: list[tuple[int, Number]]
    prices: list[tuple[int, int | None, Number]]
    flags: dict[str, Number]
    options: list[tuple[str, list[tuple[str, Number]]]]


NO_FACETS = Facets([], [], dict.fromkeys(SHOP_FLAGS, 0), [])


class _ProductCount(NamedTuple):
    """The number of products of one category, range of prices and set of flags."""

    category_id: int | None
    price_range: int
    flags: tuple[bool, ...]
    number: int


class _OptionCount(NamedTuple):
    name: str
    value: str
    number: int


class _Counts(NamedTuple):
    """What one statement counts."""

    products: list[_ProductCount]
    options: list[_OptionCount]

    @property
    def looked_at(self) -> int:
        """The number of products that were counted."""
        return sum(row.number for row in self.products)


class _StatementKey(NamedTuple):
    """What the text of a statement depends on."""

    scope: Scope
    match: Match | None
    limit: int
    is_common: bool
    newest_first: bool
    range_ends: tuple[int, ...]
    option_count: int
    only_in_stock: bool
    flags: tuple[str, ...]
    """The flags to count; the others are given as false."""
    has_options: bool
    """Whether options are counted."""


def cache_key(query: ProductQuery) -> ProductQuery:
    """The query without what makes no difference to the counts: a key for the cache."""
    return replace(query, sort=None, page=None, cursor=None, per_page=1)


def count(query: ProductQuery, currency: str, total: int) -> Facets:
    """The counts for a query, as everybody sees it, whose list has `total` products."""
    terms = search_terms(query.q)
    if query.q and not terms:
        return NO_FACETS
    products = _Products(query, currency, total)
    if not terms:
        return products.facets()
    search = product_search.exact_search(terms)
    products.search(search)
    products.is_common = total > MAX_DEPTH and search.is_one_term and not products.forms
    facets = products.facets()
    if facets != NO_FACETS:
        return facets
    # Lists show products with similar words if none has all the words.
    similar = product_queries.matching_search(ANONYMOUS, terms)
    if similar is None:
        return facets
    products.search(similar)
    return products.facets()


class _Products:
    """The products of a query, which are counted without one filter or another."""

    def __init__(self, query: ProductQuery, currency: str, total: int) -> None:
        self.forms = query.forms()
        self._all = product_queries.scope_of(query, ANONYMOUS)
        self.is_common = False
        self._query = query
        self._match: Match | None = None
        self._range_ends = tuple(price_steps(currency))
        # Without a filter there are no fewer products.
        self._are_many = total > MAX_COUNTED
        category_ids = category_service.ids_below(query.category) if query.category else ()
        self._parameters: Mapping[str, object] = query.parameters(category_ids)
        self._counts: dict[Scope, _Counts] = {}

    def search(self, search: Search) -> None:
        """Count only the products that match."""
        self._match = search.match
        self._parameters = {**self._parameters, **search.parameters}
        self._counts.clear()

    def facets(self) -> Facets:
        """All counts."""
        flags = {name: self._by_flag(name) for name in SHOP_FLAGS}
        return Facets(self._by_category(), self._by_price(), flags, self._by_option())

    def _by_category(self) -> list[tuple[int, Number]]:
        if self.forms.keys() <= {"category"} and not self._match:
            return [
                (id_, number) for id_, number in category_service.counts_on_sale().items() if number
            ]
        counts = self._without("category")
        own = _sums((row.category_id, row.number) for row in counts.products if row.category_id)
        totals = category_tree.totals(own, run(_NODES).all())
        return [(id_, self._number(number, counts)) for id_, number in totals.items() if number]

    def _by_price(self) -> list[tuple[int, int | None, Number]]:
        counts, ends = self._without("min_price", "max_price"), self._range_ends
        numbers = _sums((row.price_range, row.number) for row in counts.products)
        ranges: Iterable[int] = sorted(numbers)
        if numbers and self._has_more_than(counts):
            ranges = range(min(numbers), max(numbers) + 1)  # only a sample was read
        starts = (0, *ends)
        lasts = (*(end - 1 for end in ends), None)
        return [(starts[n], lasts[n], self._number(numbers[n], counts)) for n in ranges]

    def _by_flag(self, name: str) -> Number:
        if getattr(self._query, name):
            counts = self._without()
            return self._number(counts.looked_at, counts)
        counts, place = self._without(name), list(SHOP_FLAGS).index(name)
        return self._number(sum(row.number for row in counts.products if row.flags[place]), counts)

    def _by_option(self) -> list[tuple[str, list[tuple[str, Number]]]]:
        if not self._is_narrow:
            return []
        counts = self._without("options")
        values: dict[str, list[tuple[str, Number]]] = {}
        sizes: Counter[str] = Counter()
        for row in sorted(counts.options, key=lambda row: (-row.number, row.value)):
            values.setdefault(row.name, []).append((row.value, self._number(row.number, counts)))
            sizes[row.name] += row.number
        by_size = sorted(values, key=lambda name: (-sizes[name], name))
        return [(name, _in_order(values[name][:MAX_VALUES])) for name in by_size[:MAX_OPTIONS]]

    @property
    def _is_narrow(self) -> bool:
        """Whether options are counted: of the whole catalogue that costs most and says nothing."""
        return bool(self._match or self._query.category or self._query.options)

    def _number(self, number: int, counts: _Counts) -> Number:
        return None if self._has_more_than(counts) else number

    def _has_more_than(self, counts: _Counts) -> bool:
        """Whether there may be more products than were looked at."""
        return self._are_many or counts.looked_at > MAX_COUNTED

    def _without(self, *names: str) -> _Counts:
        """The counts without these filters; counted once if several of them are not in use."""
        scope = self._scope(*names)
        if scope not in self._counts:
            self._counts[scope] = self._fetch(scope)
        return self._counts[scope]

    def _scope(self, *names: str) -> Scope:
        forms = tuple(form for form in self.forms.items() if form[0] not in names)
        return self._all._replace(forms=forms)

    def _fetch(self, scope: Scope) -> _Counts:
        flags = [name for name in SHOP_FLAGS if not getattr(self._query, name)]
        key = _StatementKey(
            scope,
            self._match,
            SAMPLE if self._are_many else MAX_COUNTED + 1,
            self.is_common,
            # Along the index of this order; a category has few enough products.
            self._match is None and "category" not in self.forms,
            self._range_ends,
            self._query.option_count,
            bool(self._query.in_stock),
            tuple(name for name in flags if scope == self._scope(name)),
            self._is_narrow and scope == self._scope("options"),
        )
        return _read(run(_statement(key), self._parameters).all())


def _in_order(values: list[tuple[str, Number]]) -> list[tuple[str, Number]]:
    numbers = dict(values)
    return [(value, numbers[value]) for value in option_order.in_order(list(numbers))]


def _read(rows: Iterable[Sequence[Any]]) -> _Counts:
    """The counts in the rows of `_statement`."""
    counts = _Counts([], [])
    for category_id, price_range, *flags, name, value, number in rows:
        if name is None:
            counts.products.append(_ProductCount(category_id, price_range, tuple(flags), number))
        else:
            counts.options.append(_OptionCount(name, value, number))
    return counts


@cached_statement
def _statement(key: _StatementKey) -> Executable:
    """Reads some products and their variants once. Its rows are numbers of products (category, range
    of prices, flags, NULL, NULL, number) and of options (NULLs, name, value, number)."""
    products, options = _product_rows(key), variant_options.options(key.option_count)
    variants = _variant_rows(products, options)
    is_met = [variants.c[f"option_{n}"] for n in range(key.option_count)]
    in_stock = products.c.id.in_(select(variants.c.id).where(variants.c.in_stock, *is_met))
    flags = [
        (in_stock if name == "in_stock" else products.c[name]) if name in key.flags
        else literal(False)
        for name in SHOP_FLAGS
    ]  # fmt: skip
    named = (flag.label(f"flag_{n}") for n, flag in enumerate(flags))
    rows = select(products.c.category_id, products.c.price_range, *named).subquery()
    by_product = select(*rows.c, null(), null(), func.count()).group_by(*rows.c)
    if not key.has_options:
        return by_product
    pairs = variant_options.key_value_rows(variants.c.options)
    nulls = [null() for _ in rows.c]
    by_option = (
        select(*nulls, pairs.c.key, pairs.c.value, func.count(variants.c.id.distinct()))
        .select_from(variants)
        .where(*([variants.c.in_stock] if key.only_in_stock else []))
        .where(*(or_(pairs.c.key == option.name, is_met[n]) for n, option in enumerate(options)))
        .group_by(pairs.c.key, pairs.c.value)
    )
    return union_all(by_product, by_option)


def _product_rows(key: _StatementKey) -> CTE:
    """The products that are looked at, with the range of their price and their flags."""
    steps = ((Product.price < end, n) for n, end in enumerate(key.range_ends))
    price_range = case(*steps, else_=len(key.range_ends)).label("price_range")
    flags = (conditions(((name, True),))[0].label(name) for name in key.flags if name != "in_stock")
    rows = select(Product.id, Product.category_id, price_range, *flags)
    rows = rows.where(*key.scope.conditions())
    if key.match:
        match = key.match
        rows = rows.where(*(match.scan_conditions if key.is_common else match.conditions))
    if key.newest_first or key.is_common:
        rows = rows.order_by(Product.created_at.desc() if key.newest_first else Product.id)
    return rows.limit(key.limit).cte("products_looked_at")


def _variant_rows(products: CTE, options: Sequence[OptionMatch]) -> CTE:
    """Their active variants, and whether each has the options that are chosen."""
    in_stock = IS_IN_STOCK.label("in_stock")
    is_met = [option.is_met.label(f"option_{n}") for n, option in enumerate(options)]
    active = variant_options.active_variants(in_stock=False, product_id=products.c.id)
    return (
        select(products.c.id, Variant.options, in_stock, *is_met).where(*active).cte("variants_of")
    )


def _sums(numbers: Iterable[tuple[int, int]]) -> Counter[int]:
    sums: Counter[int] = Counter()
    for key, number in numbers:
        sums[key] += number
    return sums


def price_steps(currency: str) -> list[int]:
    """Where the ranges of prices end, in minor units. Prices in currencies without a minor unit are
    large numbers."""
    return [step * 10 ** (places(currency) or 2) for step in STEPS]
