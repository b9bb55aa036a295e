"""How many products each further choice would leave: by category, price, stock and options.

Each kind of choice is counted under all others that are made, but not under itself, so that a
second value of the same kind can be seen before it is chosen. A fixed number of statements.
"""

from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, func, or_, select

from app.domain import category_tree
from app.domain.actor import ANONYMOUS
from app.domain.money import places
from app.domain.text import words
from app.extensions import db
from app.models import Category, Product, Variant
from app.services import product_search, variant_options
from app.services.product_queries import Wanted, filters, visible_to
from app.services.product_search import Match

STEPS = (10, 25, 50, 100, 250, 500, 1000)
"""Where the ranges of prices end, in major units of a currency with a hundredth."""
MAX_OPTIONS, MAX_VALUES = 6, 12
Condition = ColumnElement[bool]


class Facets(NamedTuple):
    """Counts of products. Prices in minor units; a range's ends are both inside, None is open."""

    categories: list[tuple[int, int]] = []
    prices: list[tuple[int, int | None, int]] = []
    in_stock: int = 0
    options: list[tuple[str, list[tuple[str, int]]]] = []


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
    found = match.conditions if match else ()
    base = (*visible_to(ANONYMOUS), *found)
    asked = filters(wanted)
    # Of options that are chosen, only those that can be had: all but the category anew.
    stocked = {**asked, **filters(replace(wanted, category="", in_stock=True))}
    return Facets(
        _by_category((*base, *_without(asked, "category"))),
        _by_price((*base, *_without(asked, "min_price", "max_price")), currency),
        _in_all((*base, *stocked.values())),
        _by_option((*base, *_without(asked, "options", "in_stock")), wanted) if is_narrow else [],
    )


def _meant(looked_for: list[str]) -> Match | None:
    """What a list of these words shows: where nothing has them all, what has similar ones."""
    if not looked_for:
        return None
    visible = visible_to(ANONYMOUS)
    tries = (product_search.by_words, product_search.by_similar_words)
    matches = (attempt(looked_for) for attempt in tries)
    return next((m for m in matches if m and product_search.any_product(m, visible)), None)


def _without(asked: dict[str, Condition], *names: str) -> list[Condition]:
    return [condition for name, condition in asked.items() if name not in names]


def _by_category(conditions: tuple[Condition, ...]) -> list[tuple[int, int]]:
    query = select(Product.category_id, func.count()).where(*conditions)
    own = {id_: n for id_, n in _rows(query.group_by(Product.category_id)) if id_ is not None}
    nodes = _rows(select(Category.id, Category.parent_id, Category.name, Category.position))
    return [pair for pair in category_tree.totals(own, nodes).items() if pair[1]]


def _by_price(
    conditions: tuple[Condition, ...], currency: str
) -> list[tuple[int, int | None, int]]:
    ends = price_steps(currency)
    range_ = case(*((Product.price < end, n) for n, end in enumerate(ends)), else_=len(ends))
    query = select(range_, func.count()).where(*conditions).group_by(range_).order_by(range_)
    starts = (0, *ends)
    lasts = (*(end - 1 for end in ends), None)
    return [(starts[n], lasts[n], found) for n, found in _rows(query)]


def price_steps(currency: str) -> list[int]:
    """Where the ranges of prices end, in minor units. Currencies without a minor unit have large
    numbers."""
    return [step * 10 ** (places(currency) or 2) for step in STEPS]


def _in_all(conditions: tuple[Condition, ...]) -> int:
    query = select(func.count()).select_from(Product).where(*conditions)
    return db.session.scalar(query) or 0


def _by_option(
    conditions: tuple[Condition, ...], wanted: Wanted
) -> list[tuple[str, list[tuple[str, int]]]]:
    pairs = variant_options.pairs()
    chosen = variant_options.chosen(wanted.options)
    number = func.count(Variant.product_id.distinct())
    query = (
        select(pairs.c.key, pairs.c.value, number)
        .select_from(Product)
        .join(Variant, Variant.product_id == Product.id)
        .where(*conditions, *variant_options.offered(in_stock=bool(wanted.in_stock)))
        .where(*(or_(pairs.c.key == name, fits) for name, fits in chosen.items()))
        .group_by(pairs.c.key, pairs.c.value)
        .order_by(number.desc(), pairs.c.value)
    )
    return _largest(_rows(query))


def _largest(counted: list[Any]) -> list[tuple[str, list[tuple[str, int]]]]:
    groups: dict[str, list[tuple[str, int]]] = {}
    for name, value, number in counted:
        groups.setdefault(name, []).append((value, number))
    by_size = sorted(groups.items(), key=lambda group: (-sum(n for _, n in group[1]), group[0]))
    return [(name, values[:MAX_VALUES]) for name, values in by_size[:MAX_OPTIONS]]


def _rows(query: Any) -> list[Any]:
    return list(db.session.execute(query))
