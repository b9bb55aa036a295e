"""A product list and its address: what is chosen, the links to other choices, and how to undo one.

The query string holds all of it, so that a list can be bookmarked, sent, and gone back to:
`?q=mug&category=kitchen&min_price=10&in_stock=true&o.Size=S&o.Size=M&sort=price&page=2`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple
from urllib.parse import urlencode

from marshmallow import fields as ma
from marshmallow.validate import Equal, OneOf
from werkzeug.datastructures import MultiDict

from app.db.paging import MAX_DEPTH
from app.domain.money import to_text
from app.domain.text import NotText, clean
from app.pages.formats import amount, plain_amount, written_amount
from app.schemas.base import Money, Number, QuerySchema, Text, store_currency
from app.services.catalogue.product_facets import Facets
from app.services.catalogue.product_filters import FILTERS, SHOP_FLAGS, Kind, ProductQuery

PER_PAGE = 24
LAST_PAGE = ceil(MAX_DEPTH / PER_PAGE)
MAX_CHOICES = 20
OPTION = "o."
SORTS = {
    "relevance": "Best match",
    "-created_at": "Newest",
    "price": "Price, low to high",
    "-price": "Price, high to low",
    "name": "Name",
}


class Price(Money):
    """An amount as people of the store's locale write it, and addresses have it: `12,50` in de_DE."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        return super()._deserialize(plain_amount(value), attr, data, **kwargs)


def _argument(kind: Kind) -> ma.Field[Any]:
    if kind is Kind.CATEGORY:
        return Text(120, load_default="")
    # In the storefront a flag is set or not looked at.
    if kind is Kind.PRICE:
        return Price(load_default=None)
    return ma.Boolean(load_default=None, validate=Equal(True))


SHOP_FILTERS = {
    name: each
    for name, each in FILTERS.items()
    if each.kind in (Kind.CATEGORY, Kind.PRICE) or name in SHOP_FLAGS
}
PRICES = [name for name, each in SHOP_FILTERS.items() if each.kind is Kind.PRICE]
ARGS = QuerySchema.from_dict(
    {
        "q": Text(200, load_default=""),
        **{name: _argument(each.kind) for name, each in SHOP_FILTERS.items()},
        "sort": ma.String(load_default=None, validate=OneOf(list(SORTS))),
        "page": Number(1, LAST_PAGE, load_default=1),
    },
    name="ListingArgs",
)()


class Link(NamedTuple):
    """A link to another list, with the number of its products, and whether it is chosen already."""

    href: str
    label: str
    number: int | None = None
    is_chosen: bool = False


class Group(NamedTuple):
    """A kind of choice, such as a size, with what there is to choose."""

    title: str
    links: Sequence[Link]


@dataclass(frozen=True)
class ProductListing:
    """The list at an address: its path, the pairs of its query string, and what they mean."""

    path: str
    pairs: tuple[tuple[str, str], ...]
    query: ProductQuery

    @property
    def is_plain(self) -> bool:
        """Whether nothing is chosen but the page. Search engines index only such lists."""
        return all(name == "page" for name, _ in self.pairs)

    def href(self, *without: str, **changes: str) -> str:
        """The address of the first page of this list without some names, or with other values."""
        return self._address([*self.hidden_fields(*without, *changes), *changes.items()])

    def page_href(self, page: int) -> str:
        """The address of another page of this list."""
        pairs = self.hidden_fields()
        return self._address([*pairs, ("page", str(page))] if page > 1 else pairs)

    def toggle_href(self, name: str, value: str) -> str:
        """The address of this list with one choice more, or without it if it is made already."""
        pairs, pair = self.hidden_fields(), (name, value)
        return self._address([p for p in pairs if p != pair] if pair in pairs else [*pairs, pair])

    def hidden_fields(self, *without: str) -> list[tuple[str, str]]:
        """The pairs that a form or link to the first page repeats, without these names."""
        return [pair for pair in self.pairs if pair[0] not in ("page", *without)]

    @property
    def cleared_href(self) -> str:
        """The address of this list with its words and order, and nothing else."""
        return self._address([pair for pair in self.pairs if pair[0] in ("q", "sort")])

    def value(self, name: str) -> str:
        """The value of a name in the address."""
        return dict(self.pairs).get(name, "")

    def sorts(self) -> list[Link]:
        """The orders to choose from."""
        return [
            Link(self.href(sort=name), label, is_chosen=name == self.query.order)
            for name, label in SORTS.items()
            if name != "relevance" or self.query.q
        ]

    def chips(self) -> list[Link]:
        """What is chosen: each leads to the list without it."""
        query, chips = self.query, []
        if query.min_price is not None or query.max_price is not None:
            label = _range(query.min_price or 0, query.max_price)
            chips.append(Link(self.href(*PRICES), label))
        for name, flag in SHOP_FLAGS.items():
            if getattr(query, name):
                chips.append(Link(self.href(name), flag.shop_label))
        for name, value in query.options:
            chips.append(Link(self.toggle_href(OPTION + name, value), f"{name}: {value}"))
        return chips

    def groups(self, facets: Facets) -> list[Group]:
        """The further choices, with how many products each would leave."""
        groups = [
            Group(flag.shop_group, self._flag(name, flag.shop_label, facets.flags[name]))
            for name, flag in SHOP_FLAGS.items()
        ]
        groups.append(Group("Price", self._prices(facets)))
        groups += [Group(name, self._options(name, values)) for name, values in facets.options]
        return [group for group in groups if group.links]

    def _flag(self, name: str, label: str, number: int | None) -> list[Link]:
        is_chosen = bool(getattr(self.query, name))
        link = Link(self.toggle_href(name, "true"), label, number, is_chosen)
        return [] if number == 0 else [link]

    def _prices(self, facets: Facets) -> list[Link]:
        chosen = (self.query.min_price or 0, self.query.max_price)
        currency, links = store_currency(), []
        for low, high, number in facets.prices:
            ends = {"min_price": written_amount(to_text(low, currency))} if low else {}
            if high is not None:
                ends["max_price"] = written_amount(to_text(high, currency))
            is_chosen = (low, high) == chosen
            href = self.href(*PRICES, **({} if is_chosen else ends))
            links.append(Link(href, _range(low, high), number, is_chosen))
        return links if len(links) > 1 or chosen != (0, None) else []

    def _options(self, name: str, values: Sequence[tuple[str, int | None]]) -> list[Link]:
        chosen = set(self.query.options)
        return [
            Link(self.toggle_href(OPTION + name, value), value, number, (name, value) in chosen)
            for value, number in values
        ]

    def _address(self, pairs: Sequence[tuple[str, str]]) -> str:
        return f"{self.path}?{urlencode(pairs)}" if pairs else self.path


def read_listing(path: str, args: MultiDict[str, str], **fixed: str) -> ProductListing:
    """The list at an address; `fixed` values belong to the path and stay out of the query string.

    Arguments that are unknown or invalid are left out.
    """
    texts = {name: args[name] for name in ARGS.fields if args.get(name) and name not in fixed}
    invalid = ARGS.validate(texts)
    texts = {name: text for name, text in texts.items() if name not in invalid}
    values: dict[str, Any] = {**ARGS.load(texts), **fixed}
    if values["sort"] == "relevance" and not values["q"]:
        del texts["sort"], values["sort"]
    options = _chosen_options(args)
    query = ProductQuery(**values, options=options, per_page=PER_PAGE)
    pairs = {**texts, **_canonical(texts)}.items()
    return ProductListing(
        path, (*pairs, *((OPTION + name, value) for name, value in options)), query
    )


def _canonical(texts: dict[str, str]) -> dict[str, str]:
    """Flags and prices as our own links write them, so that a link recognises what was typed."""
    flags = {name: "true" for name in SHOP_FLAGS if name in texts}
    prices = {name: plain_amount(texts[name]) for name in PRICES if name in texts}
    return flags | {name: written_amount(text) for name, text in prices.items()}


def _chosen_options(args: MultiDict[str, str]) -> tuple[tuple[str, str], ...]:
    options = [
        (name.removeprefix(OPTION), value)
        for name, value in args.items(multi=True)
        if name.startswith(OPTION) and _is_clean(name[len(OPTION) :]) and _is_clean(value)
    ]
    return tuple(dict.fromkeys(options))[:MAX_CHOICES]


def _is_clean(text: str) -> bool:
    try:
        return clean(text, 1, 110) == text
    except NotText:
        return False


def _range(low: int, high: int | None) -> str:
    currency = store_currency()
    if high is None:
        return f"From {amount(to_text(low, currency))}"
    if not low:
        return f"Up to {amount(to_text(high, currency))}"
    return f"{amount(to_text(low, currency))} – {amount(to_text(high, currency))}"
