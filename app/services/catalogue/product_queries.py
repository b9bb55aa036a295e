"""Reading the catalogue: one product, or lists of them by filter, search and order."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.orm import joinedload

from app.db.paging import MAX_DEPTH, Page, Slice, cut, decode_cursor, refuse_too_deep
from app.db.prepared import run
from app.domain.address import id_or_slug
from app.domain.people.actor import ANONYMOUS, Actor
from app.domain.text import words
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Product
from app.models.paths import at_address
from app.services.catalogue import category_service, product_search, product_views, variant_options
from app.services.catalogue.product_search import Match
from app.services.catalogue.product_statements import SORT_KEYS, VISIBLE, Shape, listing
from app.services.catalogue.product_views import ProductView

SORTS = (*SORT_KEYS, "relevance")
DEFAULT_SORT = "-created_at"
MOST_BRANCHES = 20
"""Of more categories at once, products are looked for along the order of all."""

Found = Page[ProductView] | Slice[ProductView]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What a list of products is asked for; prices in minor units, `category` an id or a slug."""

    q: str = ""
    category: str = ""
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    is_active: bool | None = None
    sort: str | None = None
    page: int | None = None
    cursor: str | None = None
    per_page: int = 20
    # Pairs of an option's name and a value; of one name any value will do.
    options: tuple[tuple[str, str], ...] = ()
    reduced: bool = False

    @property
    def order(self) -> str:
        """The order that is meant: with words to look for, the best first."""
        return self.sort or ("relevance" if self.q else DEFAULT_SORT)


_ONE_BY: dict[tuple[bool, type], Select[Any]] = {
    (is_admin, kind): product_views.whole(*visible, column == bindparam("address"))
    for is_admin, visible in VISIBLE.items()
    for kind, column in ((int, Product.id), (str, Product.slug))
}


def get_product(actor: Actor, address: str) -> Product:
    """A product by id or slug, with category and variants, to be changed; one statement.

    Raises:
        NotFound: there is none that this caller may see.
    """
    query = (
        select(Product)
        .where(*visible_to(actor), at_address(Product, address))
        .options(joinedload(Product.category), joinedload(Product.variants))
    )
    product: Product | None = db.session.scalars(query).unique().one_or_none()
    if product is None:
        raise NotFound("product")
    return product


def view_product(actor: Actor, address: str) -> ProductView:
    """A product by id or slug, to be shown; one statement.

    Raises:
        NotFound: there is none that this caller may see.
    """
    parsed = id_or_slug(address)
    query = _ONE_BY.get((actor.is_admin, type(parsed)))  # none for what is no address
    found = None if query is None else product_views.one(query, address=parsed)
    if found is None:
        raise NotFound("product")
    return found


def visible_to(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    """Undeleted products; inactive ones only for staff."""
    return VISIBLE[actor.is_admin]


def list_products(actor: Actor, wanted: Wanted) -> Found:
    """Products as filtered, searched and sorted: a slice where a cursor is given, else a page.

    Raises:
        Invalid: an order or cursor that cannot be, or a page that lies too deep.
    """
    refuse_impossible_order(wanted)
    if wanted.cursor is None:
        refuse_too_deep(wanted.page or 1, wanted.per_page)
    within = category_service.ids_below(wanted.category) if wanted.category else set()
    asked = _Asked(actor.is_admin, wanted, within)
    looked_for = words(wanted.q)
    if not wanted.q:
        return asked.found()
    return asked.found_by(looked_for) if looked_for else asked.nothing()


def meant(actor: Actor, looked_for: list[str]) -> tuple[Match, Values] | None:
    """What a list of these words shows: where nothing that the caller may see has them all, what
    has similar ones; None where nothing has."""
    everything = _Asked(actor.is_admin, Wanted(), ())
    exactly = product_search.by_words(), product_search.values(looked_for)
    if everything.has_any(*exactly):
        return exactly
    similar = product_search.by_similar_words(looked_for)
    return (similar, {}) if similar and everything.has_any(similar, {}) else None


def newest_slugs(limit: int) -> list[tuple[str, datetime]]:
    """Slugs of what is on offer and when it was last changed, the newest first."""
    query = select(Product.slug, Product.updated_at).where(*visible_to(ANONYMOUS))
    newest = query.order_by(Product.created_at.desc(), Product.id).limit(limit)
    return [(row.slug, row.updated_at) for row in db.session.execute(newest)]


def refuse_impossible_order(wanted: Wanted) -> None:
    """Relevance needs words to be relevant to, and gives no order that a cursor could follow.

    Raises:
        Invalid: on `sort` or `cursor`.
    """
    if wanted.order != "relevance":
        return
    if not wanted.q:
        raise Invalid({"sort": ["relevance needs q."]})
    if wanted.cursor is not None:
        raise Invalid({"cursor": ["Results by relevance have pages only: name another sort."]})


def choices(wanted: Wanted) -> dict[str, Any]:
    """The choices that a wish makes beside its words: by name, with what of each makes another
    statement. `values` has the rest."""
    names = variant_options.by_name(wanted.options)
    made = {
        "category": wanted.category != "" or None,
        "min_price": wanted.min_price is not None or None,
        "max_price": wanted.max_price is not None or None,
        "is_active": wanted.is_active,
        # With options, those have to be in stock: no need to ask it twice.
        "in_stock": None if wanted.in_stock and names else wanted.in_stock,
        "options": (len(names), bool(wanted.in_stock)) if names else None,
        "reduced": wanted.reduced or None,
    }
    return {name: detail for name, detail in made.items() if detail is not None}


def values(wanted: Wanted, within: Collection[int]) -> dict[str, Any]:
    """The parameters of a wish's choices; `within` are the ids of its category and those below."""
    prices = {"min_price": wanted.min_price, "max_price": wanted.max_price}
    given: dict[str, Any] = {name: price for name, price in prices.items() if price is not None}
    if wanted.category:
        given["within"] = sorted(within)
    return given | variant_options.values(wanted.options)


class _Asked:
    """A list that somebody asks for."""

    def __init__(self, staff: bool, wanted: Wanted, within: Collection[int]) -> None:
        self._wanted, self._within = wanted, sorted(within)
        self._page = wanted.page or 1
        self._choices = choices(wanted)
        self._values = values(wanted, within)
        self._shape = Shape(
            db.engine.dialect.name, staff, tuple(self._choices.items()), "", wanted.order
        )

    def found(self) -> Found:
        """The products wanted, where no words are looked for."""
        if self._wanted.cursor is not None:
            return self._slice(None, {})
        has_branches = SORT_KEYS[self._wanted.order].column is not Product.name_key
        several = has_branches and 1 < len(self._within) <= MOST_BRANCHES
        branches = self._within if several else []
        given = {f"branch_{n}": category for n, category in enumerate(branches)}
        way = "merged" if several else "in order"
        return self._shown(way, None, given, branches=len(branches))

    def found_by(self, looked_for: list[str]) -> Found:
        """The products with these words; where none has all of them, with similar ones."""
        match, given = product_search.by_words(), product_search.values(looked_for)
        found = self._matched(match, given, [] if self._choices else looked_for)
        if found.items or self.has_any(match, given):
            return found
        similar = product_search.by_similar_words(looked_for)
        return self._matched(similar, {}, []) if similar else found

    def has_any(self, match: Match, given: Values) -> bool:
        """Whether the words alone find anything that the caller may see."""
        shape = self._shape._replace(way="any", choices=(), order="", match=match)
        return run(listing(shape).shown, given).first() is not None

    def nothing(self) -> Found:
        """The answer to what is no word."""
        if self._wanted.cursor:
            decode_cursor(self._wanted.cursor, SORT_KEYS[self._wanted.order])
        if self._wanted.cursor is not None:
            return Slice((), self._wanted.per_page, None)
        return Page((), self._page, self._wanted.per_page, 0)

    def _matched(self, match: Match, given: Values, alone: list[str]) -> Found:
        """What words find; they are given once more where nothing else narrows the list."""
        if self._wanted.cursor is not None:
            return self._slice(match, given)
        order = self._wanted.order
        if order == "relevance":
            return self._best(match, given, alone)
        is_easy = order.endswith("created_at") and product_search.is_everywhere(alone)
        return self._shown("everywhere" if is_easy else "sorted", match, given)

    def _best(self, match: Match, given: Values, alone: list[str]) -> Found:
        if product_search.is_everywhere(alone, in_names=True):
            return self._shown("names alone", match, given)
        found = self._shown("best", match, given)
        too_many = found.total > product_search.MOST_RANKED and product_search.has_limits()
        return self._shown("names first", match, given) if too_many else found

    def _shown(
        self, way: str, match: Match | None, given: Values, branches: int = 0
    ) -> Page[ProductView]:
        """A page; past the end, how many there are has to be asked for."""
        size = self._wanted.per_page
        part = {"limit": size, "offset": (self._page - 1) * size}
        made = listing(self._shape._replace(way=way, match=match, branches=branches))
        asked = {**self._values, **given, **part}
        rows, total = product_views.some(made.shown, asked)
        if total is None:
            total = run(made.total, asked).scalar_one() if part["offset"] else 0
        return Page(rows, self._page, size, total, total_is_estimate=total > MAX_DEPTH)

    def _slice(self, match: Match | None, given: Values) -> Slice[ProductView]:
        key, size = SORT_KEYS[self._wanted.order], self._wanted.per_page
        asked = {**self._values, **given, "limit": size + 1}
        if self._wanted.cursor:
            asked["after"], asked["after_id"] = decode_cursor(self._wanted.cursor, key)
        way = "after" if self._wanted.cursor else "from the start"
        made = listing(self._shape._replace(way=way, match=match))
        return cut(product_views.some(made.shown, asked)[0], key, size)
