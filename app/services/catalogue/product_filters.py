"""The query of a product list, and its filters: each one is defined once.

A filter is a field of `ProductQuery` with its definition beside it: the condition in SQL, and what
the storefront and the staff's pages call it. The arguments of the API and of the pages, the links
and counts beside a list, the key of the cache and the statement all follow from that definition.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, exists, func

from app.models import Product
from app.services.catalogue import variant_options

Condition = ColumnElement[bool]
SqlFilters = tuple[tuple[str, Hashable], ...]
"""The filters in use, by name, each with the part of its value that is written into the SQL."""
DEFAULT_SORT = "-created_at"


class Kind(Enum):
    """The type of a filter's value. It decides how the value is read and passed to the database."""

    CATEGORY = "category"  # an id or a slug; includes the categories below
    PRICE = "price"  # an integer in minor units
    FLAG = "flag"  # true or false
    OPTIONS = "options"  # pairs of an option's name and a value


class StaffChoice(NamedTuple):
    """A flag in the form of the staff's list: its label, and the labels of its three settings."""

    label: str
    either: str
    yes: str
    no: str


@dataclass(frozen=True)
class ProductFilter:
    """The definition of a filter.

    `condition` gets the value of a flag, or else a bound parameter. `shop_label` and `shop_group`
    name the link of a flag in the storefront, which has no such link without them. `staff` likewise.
    """

    kind: Kind
    condition: Callable[[Any], Condition]
    is_argument: bool = True
    description: str = ""
    shop_label: str = ""
    shop_group: str = ""
    staff: StaffChoice | None = None


def _filter(default: object, definition: ProductFilter) -> Any:
    return field(default=default, metadata={"filter": definition})


def _is_in_stock(value: bool) -> Condition:
    in_stock = exists().where(*variant_options.active_variants(in_stock=True))
    return in_stock if value else ~in_stock


def _has_options(form: tuple[int, bool]) -> Condition:
    count, in_stock = form
    matches = [option.is_met for option in variant_options.options(count)]
    return exists().where(*variant_options.active_variants(in_stock), *matches)


@dataclass(frozen=True)
class ProductQuery:
    """Which products a list shows: words, filters, order, and the part of the list.

    Equal queries have equal answers, so the cache stores answers by query. Prices are in minor units.
    Of `options`, a product needs one of the values for each name.
    """

    q: str = ""
    category: str = _filter("", ProductFilter(
        Kind.CATEGORY, lambda ids: Product.category_id.in_(ids), description="Id or slug."
    ))  # fmt: skip
    min_price: int | None = _filter(None, ProductFilter(
        Kind.PRICE, lambda price: Product.price >= price, description="The lowest price."
    ))  # fmt: skip
    max_price: int | None = _filter(None, ProductFilter(
        Kind.PRICE, lambda price: Product.price <= price, description="The highest price."
    ))  # fmt: skip
    in_stock: bool | None = _filter(None, ProductFilter(
        Kind.FLAG, _is_in_stock, description="Only products that can be bought now, or cannot.",
        shop_label="In stock", shop_group="Availability",
        staff=StaffChoice("Stock", "Any", "In stock", "Sold out"),
    ))  # fmt: skip
    is_active: bool | None = _filter(None, ProductFilter(
        Kind.FLAG, lambda value: Product.is_active.is_(value),
        description="Only staff see inactive products.",
        staff=StaffChoice("Sale", "On and off", "On sale", "Off sale"),
    ))  # fmt: skip
    reduced: bool | None = _filter(None, ProductFilter(
        Kind.FLAG,
        lambda value: (func.coalesce(Product.compare_at_price, 0) > Product.price).is_(value),
        is_argument=False,
    ))  # fmt: skip
    options: tuple[tuple[str, str], ...] = _filter((), ProductFilter(
        Kind.OPTIONS, _has_options, is_argument=False
    ))  # fmt: skip
    sort: str | None = None
    page: int | None = None
    cursor: str | None = None
    per_page: int = 20

    @property
    def order(self) -> str:
        """The order of the list: without `sort`, searches show the best match first."""
        return self.sort or ("relevance" if self.q else DEFAULT_SORT)

    def forms(self) -> dict[str, Hashable]:
        """The active filters. Flags are part of the SQL text and form the key of its cache; all other
        values are bound (`parameters`)."""
        forms: dict[str, Hashable] = {}
        for name, definition in FILTERS.items():
            value = getattr(self, name)
            if value not in (None, "", ()):
                forms[name] = value if definition.kind is Kind.FLAG else True
        if self.options:
            # The variant with these options has to be in stock, so one condition checks both.
            forms["options"] = (self.option_count, bool(self.in_stock))
            if self.in_stock:
                del forms["in_stock"]
        return forms

    @property
    def option_count(self) -> int:
        """The number of different options that are chosen."""
        return len(variant_options.by_name(self.options))

    def parameters(self, category_ids: Collection[int]) -> dict[str, object]:
        """The bound values of the filters; `category_ids` are those of the category and below it."""
        parameters: dict[str, object] = {}
        for name, definition in FILTERS.items():
            if definition.kind is Kind.PRICE and getattr(self, name) is not None:
                parameters[name] = getattr(self, name)
        if self.category:
            parameters["category"] = sorted(category_ids)
        if self.options:
            parameters.update(variant_options.parameters(self.options))
        return parameters


FILTERS: Mapping[str, ProductFilter] = {
    each.name: each.metadata["filter"] for each in fields(ProductQuery) if "filter" in each.metadata
}
"""All filters, by the name of their field and argument."""
SHOP_FLAGS = {name: each for name, each in FILTERS.items() if each.shop_label}
"""The flags that the storefront links to, with the number of products."""


def conditions(forms: SqlFilters) -> list[Condition]:
    """The conditions of these filters on `products`, with bound parameters for the values."""
    return [FILTERS[name].condition(_operand(name, form)) for name, form in forms]


def _operand(name: str, form: Hashable) -> object:
    kind = FILTERS[name].kind
    if kind is Kind.CATEGORY:
        return bindparam(name, expanding=True)
    return bindparam(name) if kind is Kind.PRICE else form
