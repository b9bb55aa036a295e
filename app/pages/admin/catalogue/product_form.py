"""The form of a product: its fields, its options, and a table of its variants.

Fields are named as the schema names what is wrong with them, such as `variants.0.price`. An
option's values stand one a line. Rows that were left empty are none.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask import request
from marshmallow import Schema

from app.domain.catalogue.variant_rules import MAX_OPTIONS, MAX_VARIANTS
from app.domain.money import to_text
from app.errors import Invalid, ShopError
from app.models import Product, Variant
from app.pages.forms import EMPTY, Form, parse_whole
from app.schemas.base import store_currency

_CELL = re.compile(r"(options|variants)\.([0-9]{1,3})\.(.+)", re.S)
FLAT = ("name", "slug", "description", "category_id", "compare_at_price", "version")
NEW_ROWS = 3
ROOM = 10
"""Rows that stay free for new variants, however many are off sale."""

Row = dict[str, Any]
"""Of an option: `name`, `values`. Of a variant: `id`, `sku`, `price`, `stock`, `on`, and `choices`,
one for each option. All but `on` and `choices` as text."""


class ProductForm(Form):
    """A product as it was sent, or as it is to be changed; `options` and `variants` are its rows."""

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        options: Sequence[Row] = (),
        variants: Sequence[Row] = (),
    ) -> None:
        super().__init__(values)
        self.options, self.variants = list(options), list(variants)
        self._empty_rows = 1 if options or not variants else 0
        self._rows_of_wishes: list[int] = []

    @classmethod
    def sent(cls) -> "ProductForm":
        """What this request brings, without its empty rows."""
        options = {
            place: cells
            for place, cells in _rows("options")
            if any(text.strip() for text in cells.values())
        }
        variants = [_variant(cells, list(options)) for _place, cells in _rows("variants")]
        values = {name: request.form.get(name) for name in (*FLAT, "is_active", "draw")}
        return cls(values, list(options.values()), [row for row in variants if row])

    @classmethod
    def of(cls, product: Product) -> "ProductForm":
        """A product as it is; after the variants on sale as many others as leave some room."""
        currency, was = store_currency(), product.compare_at_price
        values = {name: getattr(product, name) for name in FLAT}
        values["compare_at_price"] = None if was is None else to_text(was, currency)
        options = [
            {"name": option["name"], "values": "\n".join(option["values"])}
            for option in product.options
        ]
        off_sale = [variant for variant in product.variants if not variant.is_active]
        on_sale = product.active_variants
        variants = [*on_sale, *off_sale[: max(0, MAX_VARIANTS - ROOM - len(on_sale))]]
        return cls(values, options, [_shown(v, product, currency) for v in variants])

    @property
    def option_rows(self) -> list[Row]:
        """The options, and room for another."""
        return [*self.options, {"name": "", "values": ""}][:MAX_OPTIONS]

    @property
    def variant_rows(self) -> list[Row]:
        """The variants, and room for more."""
        return [*self.variants, *(_new_row() for _ in range(self._empty_rows))][:MAX_VARIANTS]

    def choices(self, place: int) -> list[str]:
        """What there is to choose of an option."""
        return _lines(self.options[place]["values"])

    @property
    def faults(self) -> list[tuple[str, str, str]]:
        """What is wrong, as fields, what these are called, and why: a wide table hides some."""
        words = {"options": "Option", "variants": "Row"}
        found = []
        for name in self.errors:
            kind, *rest = name.split(".")
            called = f"{words[kind]} {int(rest[0]) + 1}, {rest[1]}" if rest else kind.capitalize()
            found.append((name, called.replace("_id", "").replace("_", " "), self.error(name)))
        return found

    def redraw(self) -> bool:
        """Whether only more rows were asked for, which are here then."""
        wish = self.value("draw")
        if wish == "rows":
            self._empty_rows = NEW_ROWS
        elif wish == "combinations":
            self._combine()
        return bool(wish)

    def show_refusal(self, refusal: ShopError) -> None:
        """Keep a refusal, and tell it beside the field that it is about."""
        super().show_refusal(refusal)
        if refusal.code == "slug_taken":
            self.errors = {"slug": [refusal.detail]}
        elif refusal.code == "sku_taken":
            self.errors = {
                f"variants.{place}.sku": [refusal.detail]
                for place, row in enumerate(self.variants)
                if row["sku"].strip() == refusal.extra["sku"]
            }
        else:
            self.errors = dict(self._beside_their_fields())

    def _combine(self) -> None:
        """A row for each combination of values that has none; rows without any come first."""
        values = [self.choices(place) for place in range(len(self.options))]
        there = {tuple(row["choices"]) for row in self.variants}
        vacant = [row for row in self.variants if not any(row["choices"])]
        price = self.variants[0]["price"] if self.variants else ""
        for choices in itertools.product(*values) if values else ():
            if choices in there:
                continue
            if vacant:
                vacant.pop(0)["choices"] = list(choices)
            elif len(self.variants) < MAX_VARIANTS:
                self.variants.append({**_new_row(), "price": price, "choices": list(choices)})
            else:
                break
        self._empty_rows = 0 if self.variants else 1

    def _load(self, schema: Schema) -> dict[str, Any]:
        wishes = list(self._wishes())
        body: dict[str, Any] = {
            "name": self.value("name"),
            "description": self.value("description"),
            "category_id": parse_whole(self.value("category_id")) or None,
            "compare_at_price": self.value("compare_at_price").strip() or None,
            "options": [
                {"name": option["name"], "values": _lines(option["values"])}
                for option in self.options
            ],
            "variants": wishes,
        }
        if self.value("slug").strip():
            body["slug"] = self.value("slug")
        if not schema.partial:
            body["is_active"] = bool(self.value("is_active"))
        if not wishes:
            raise Invalid({"variants": ["At least one variant must be on sale, with a price."]})
        return self._read(schema, body)

    def _wishes(self) -> Iterator[dict[str, Any]]:
        """The variants for the service, which switches off those that it is not told of."""
        for place, row in enumerate(self.variants):
            if row["id"] and not row["on"]:
                continue
            self._rows_of_wishes.append(place)
            pairs = zip(self.options, row["choices"], strict=True)
            wish = {
                "price": row["price"].strip(),
                "is_active": row["on"],
                "options": {option["name"]: choice for option, choice in pairs if choice},
            }
            if row["sku"].strip():
                wish["sku"] = row["sku"]
            if row["id"]:
                wish["id"] = parse_whole(row["id"])
            elif row["stock"].strip():
                wish["stock"] = parse_whole(row["stock"])
            yield wish

    def _beside_their_fields(self) -> Iterator[tuple[str, list[str]]]:
        for name, messages in self.errors.items():
            kind, *rest = name.split(".")
            if kind in ("options", "variants") and len(rest) > 1 and rest[0].isdigit():
                place = int(rest[0])
                if kind == "variants":
                    place = self._rows_of_wishes[place]
                rows = self.variants if kind == "variants" else self.options
                told = [EMPTY] if rows[place].get(rest[1]) == "" else messages
                yield f"{kind}.{place}.{rest[1]}", told
            else:
                yield name, messages


def _rows(kind: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table that were sent, by their places: names of cells and what is in them."""
    found: dict[int, dict[str, str]] = {}
    for name, text in request.form.items():
        match = _CELL.fullmatch(name)
        if match and match[1] == kind:
            found.setdefault(int(match[2]), {})[match[3]] = text
    limit = MAX_OPTIONS if kind == "options" else MAX_VARIANTS
    blank = {"name": "", "values": ""} if kind == "options" else {}
    return [(place, {**blank, **found[place]}) for place in sorted(found)[:limit]]


def _variant(cells: Mapping[str, str], options: Sequence[int]) -> Row:
    """A row that was sent, with choices of these options alone; empty if nothing was written."""
    row: Row = {name: cells.get(name, "") for name in ("id", "sku", "price", "stock")}
    row["choices"] = [cells.get(f"options.{place}", "").strip() for place in options]
    if not any(text.strip() for name, text in cells.items() if name != "on"):
        return {}
    return {**row, "on": "on" in cells}


def _shown(variant: Variant, product: Product, currency: str) -> Row:
    return {
        "id": str(variant.id),
        "sku": variant.sku,
        "price": to_text(variant.price, currency),
        "stock": "",
        "on": variant.is_active,
        "choices": [variant.options.get(option["name"], "") for option in product.options],
    }


def _new_row() -> Row:
    return {"id": "", "sku": "", "price": "", "stock": "", "on": True, "choices": []}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]
