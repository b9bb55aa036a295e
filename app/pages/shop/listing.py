"""Lists of products in the address: what was chosen, what else can be, and how to take it back.

Everything stands in the query string, so that a list can be kept, sent and gone back to:
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
from app.pages.formats import amount, plain_amount
from app.schemas.base import Money, Number, QuerySchema, Text, store_currency
from app.services.catalogue.product_facets import Facets
from app.services.catalogue.product_queries import Wanted

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
    """An amount as an address has it, or as people of the store's locale write it: `12,50`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        return super()._deserialize(plain_amount(value), attr, data, **kwargs)


class ListingArgs(QuerySchema):
    """What a page's address may say of a list; what cannot be read is left out."""

    q = Text(200, load_default="")
    category = Text(120, load_default="")
    min_price = Price(load_default=None)
    max_price = Price(load_default=None)
    in_stock = ma.Boolean(load_default=None, validate=Equal(True))
    sort = ma.String(load_default=None, validate=OneOf(list(SORTS)))
    page = Number(1, LAST_PAGE, load_default=1)


ARGS = ListingArgs()


class Link(NamedTuple):
    """Another list: where it is, what it is called, how many products it has, whether it is this one."""

    href: str
    label: str
    number: int | None = None
    chosen: bool = False


class Group(NamedTuple):
    """A kind of choice, such as a size, with what there is to choose."""

    title: str
    links: Sequence[Link]


@dataclass(frozen=True)
class Listing:
    """A list as it was asked for: at a path, with choices as pairs for the query string."""

    path: str
    pairs: tuple[tuple[str, str], ...]
    wanted: Wanted

    @property
    def is_plain(self) -> bool:
        """Whether nothing is chosen but the page: such lists are worth finding."""
        return all(name == "page" for name, _ in self.pairs)

    def href(self, *without: str, **change: str) -> str:
        """The address of this list with something changed; any change leads to its first page."""
        dropped = {"page", *without, *change}
        pairs = [pair for pair in self.pairs if pair[0] not in dropped]
        return self._address([*pairs, *change.items()])

    def page_href(self, page: int) -> str:
        """The address of another page of this list."""
        pairs = [pair for pair in self.pairs if pair[0] != "page"]
        return self._address([*pairs, ("page", str(page))] if page > 1 else pairs)

    def toggled(self, name: str, value: str) -> str:
        """The address of this list with one choice more, or less where it is made already."""
        pairs = [pair for pair in self.pairs if pair[0] != "page"]
        pair = (name, value)
        return self._address([p for p in pairs if p != pair] if pair in pairs else [*pairs, pair])

    def kept(self, *without: str) -> list[tuple[str, str]]:
        """What a form of this list's has to repeat."""
        return [pair for pair in self.pairs if pair[0] not in ("page", *without)]

    @property
    def cleared(self) -> str:
        """The address of this list with the words and the order kept, and nothing else."""
        return self._address([pair for pair in self.pairs if pair[0] in ("q", "sort")])

    def value(self, name: str) -> str:
        """What was chosen for one name, as it stands in the address."""
        return dict(self.pairs).get(name, "")

    def sorts(self) -> list[Link]:
        """The orders to choose from."""
        now = self.wanted.order
        return [
            Link(self.href(sort=name), label, chosen=name == now)
            for name, label in SORTS.items()
            if name != "relevance" or self.wanted.q
        ]

    def chips(self) -> list[Link]:
        """What is chosen, each with the address of the list without it."""
        wanted, found = self.wanted, []
        if wanted.min_price is not None or wanted.max_price is not None:
            label = _range(wanted.min_price or 0, wanted.max_price)
            found.append(Link(self.href("min_price", "max_price"), label))
        if wanted.in_stock:
            found.append(Link(self.href("in_stock"), "In stock"))
        for name, value in wanted.options:
            found.append(Link(self.toggled(OPTION + name, value), f"{name}: {value}"))
        return found

    def groups(self, facets: Facets) -> list[Group]:
        """The further choices, with how many products each would leave."""
        stock = Link(
            self.toggled("in_stock", "true"),
            "In stock",
            facets.in_stock,
            bool(self.wanted.in_stock),
        )
        found = [Group("Availability", [stock] if facets.in_stock != 0 else [])]
        found.append(Group("Price", self._prices(facets)))
        for name, values in facets.options:
            found.append(Group(name, self._options(name, values)))
        return [group for group in found if group.links]

    def _prices(self, facets: Facets) -> list[Link]:
        chosen = (self.wanted.min_price or 0, self.wanted.max_price)
        currency, links = store_currency(), []
        for low, high, number in facets.prices:
            ends = {"min_price": to_text(low, currency)} if low else {}
            if high is not None:
                ends["max_price"] = to_text(high, currency)
            is_chosen = (low, high) == chosen
            href = self.href("min_price", "max_price", **({} if is_chosen else ends))
            links.append(Link(href, _range(low, high), number, is_chosen))
        return links if len(links) > 1 or chosen != (0, None) else []

    def _options(self, name: str, values: Sequence[tuple[str, int | None]]) -> list[Link]:
        made = set(self.wanted.options)
        return [
            Link(self.toggled(OPTION + name, value), value, number, (name, value) in made)
            for value, number in values
        ]

    def _address(self, pairs: Sequence[tuple[str, str]]) -> str:
        return f"{self.path}?{urlencode(pairs)}" if pairs else self.path


def read_listing(path: str, args: MultiDict[str, str], **fixed: str) -> Listing:
    """The list that an address means; `fixed` is given by the path and stays out of the query."""
    given = {name: args[name] for name in ARGS.fields if args.get(name) and name not in fixed}
    refused = ARGS.validate(given)
    sent = {name: value for name, value in given.items() if name not in refused}
    loaded: dict[str, Any] = {**ARGS.load(sent), **fixed}
    if loaded["sort"] == "relevance" and not loaded["q"]:
        del sent["sort"], loaded["sort"]
    sent.update(_in_one_spelling(sent))
    options = _chosen_options(args)
    wanted = Wanted(**loaded, options=options, per_page=PER_PAGE)
    pairs = sent.items()
    return Listing(path, (*pairs, *((OPTION + name, value) for name, value in options)), wanted)


def _in_one_spelling(sent: dict[str, str]) -> dict[str, str]:
    """As our own links write it, so that they know again what was typed."""
    found = {"in_stock": "true"} if "in_stock" in sent else {}
    for name in ("min_price", "max_price"):
        if name in sent:
            found[name] = plain_amount(sent[name])
    return found


def _chosen_options(args: MultiDict[str, str]) -> tuple[tuple[str, str], ...]:
    found = [
        (name.removeprefix(OPTION), value)
        for name, value in args.items(multi=True)
        if name.startswith(OPTION) and _is_sane(name[len(OPTION) :]) and _is_sane(value)
    ]
    return tuple(dict.fromkeys(found))[:MAX_CHOICES]


def _is_sane(text: str) -> bool:
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
