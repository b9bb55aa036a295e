"""The form of a product: its fields, its options, and a table of its variants.

Fields have the names that the schema gives to errors, such as `variants.0.price`. The values of an
option are lines of text. Empty rows are ignored.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

from flask import request
from marshmallow import Schema

from app.domain.catalogue.variant_rules import MAX_OPTIONS, MAX_VARIANTS
from app.domain.money import to_text
from app.errors import Invalid, ShopError
from app.models import Product, Variant
from app.pages.formats import plain_amount, written_amount
from app.pages.forms import EMPTY, Form, parse_whole
from app.schemas.base import store_currency

_CELL = re.compile(r"(options|variants)\.([0-9]{1,3})\.(.+)", re.S)
PRODUCT_FIELDS = (
    "name", "slug", "description", "category_id", "compare_at_price", "tax_class",
    "requires_shipping", "version",
)  # fmt: skip
NEW_ROWS = 3
ROOM = 10
"""Rows that stay free for new variants, however many are off sale."""


class OptionRow(TypedDict):
    """An option as text, its values one a line."""

    name: str
    values: str


class VariantRow(TypedDict):
    """A variant as text; `on` if it is on sale, and a choice for each option."""

    id: str
    sku: str
    price: str
    stock: str
    weight: str
    on: bool
    choices: list[str]


class ProductForm(Form):
    """A product as the request has it, or as it is stored, with rows of options and variants."""

    def __init__(
        self,
        values: Mapping[str, object] | None = None,
        options: Sequence[OptionRow] = (),
        variants: Sequence[VariantRow] = (),
    ) -> None:
        super().__init__(values)
        self.options, self.variants = list(options), list(variants)
        self._empty_rows = 1 if options or not variants else 0
        self._rows_of_inputs: list[int] = []

    @classmethod
    def from_request(cls) -> "ProductForm":
        """The product of this request, without its empty rows."""
        options = {
            place: OptionRow(name=cells.get("name", ""), values=cells.get("values", ""))
            for place, cells in _rows("options", MAX_OPTIONS)
            if any(text.strip() for text in cells.values())
        }
        variants = [
            _variant_row(cells, list(options))
            for _place, cells in _rows("variants", MAX_VARIANTS)
            if any(text.strip() for name, text in cells.items() if name != "on")
        ]
        values = {name: request.form.get(name) for name in (*PRODUCT_FIELDS, "is_active", "draw")}
        return cls(values, list(options.values()), variants)

    @classmethod
    def of(cls, product: Product) -> "ProductForm":
        """A stored product: its variants on sale, and of the others as many as leave some room."""
        currency, compare_at = store_currency(), product.compare_at_price
        values = {name: getattr(product, name) for name in PRODUCT_FIELDS}
        values["requires_shipping"] = str(int(product.requires_shipping))
        if compare_at is not None:
            values["compare_at_price"] = written_amount(to_text(compare_at, currency))
        options = [
            OptionRow(name=option["name"], values="\n".join(option["values"]))
            for option in product.options
        ]
        off_sale = [variant for variant in product.variants if not variant.is_active]
        on_sale = product.active_variants
        variants = [*on_sale, *off_sale[: max(0, MAX_VARIANTS - ROOM - len(on_sale))]]
        return cls(values, options, [_stored_row(v, product, currency) for v in variants])

    @property
    def option_rows(self) -> list[OptionRow]:
        """The options, and room for another."""
        return [*self.options, OptionRow(name="", values="")][:MAX_OPTIONS]

    @property
    def variant_rows(self) -> list[VariantRow]:
        """The variants, and room for more."""
        return [*self.variants, *(_new_row() for _ in range(self._empty_rows))][:MAX_VARIANTS]

    def choices(self, place: int) -> list[str]:
        """The values of an option."""
        return _lines(self.options[place]["values"])

    @property
    def faults(self) -> list[tuple[str, str, str]]:
        """All errors, as field, label and message: a wide table may hide those beside its cells."""
        words = {"options": "Option", "variants": "Row"}
        faults = []
        for name in self.errors:
            kind, *path = name.split(".")
            label = f"{words[kind]} {int(path[0]) + 1}, {path[1]}" if path else kind.capitalize()
            faults.append((name, label.replace("_id", "").replace("_", " "), self.error(name)))
        return faults

    def add_rows(self) -> bool:
        """Whether the button was one that only adds rows; they are added then."""
        button = self.value("draw")
        if button == "rows":
            self._empty_rows = NEW_ROWS
        elif button == "combinations":
            self._combine()
        return bool(button)

    def show_refusal(self, refusal: ShopError) -> None:
        """Keep a refusal, with its messages beside the fields that they are about."""
        super().show_refusal(refusal)
        if refusal.code == "sku_taken":
            self.errors = {
                f"variants.{place}.sku": [refusal.detail]
                for place, row in enumerate(self.variants)
                if row["sku"].strip() == refusal.extra["sku"]
            }
        else:
            self.errors = dict(self._beside_their_fields())

    def _combine(self) -> None:
        """Add a row for each combination of values that has none; rows without choices come first."""
        values = [self.choices(place) for place in range(len(self.options))]
        existing = {tuple(row["choices"]) for row in self.variants}
        vacant = [row for row in self.variants if not any(row["choices"])]
        price = self.variants[0]["price"] if self.variants else ""
        for choices in itertools.product(*values) if values else ():
            if choices in existing:
                continue
            if vacant:
                vacant.pop(0)["choices"] = list(choices)
            elif len(self.variants) < MAX_VARIANTS:
                self.variants.append(_new_row(price, choices))
            else:
                break
        self._empty_rows = 0 if self.variants else 1

    def _load(self, schema: Schema) -> dict[str, Any]:
        variants = list(self._variant_inputs())
        body: dict[str, object] = {
            "name": self.value("name"),
            "description": self.value("description"),
            "category_id": parse_whole(self.value("category_id")) or None,
            "compare_at_price": plain_amount(self.value("compare_at_price").strip()) or None,
            "options": [
                {"name": option["name"], "values": _lines(option["values"])}
                for option in self.options
            ],
            "variants": variants,
        }
        if self.value("tax_class").strip():
            body["tax_class"] = self.value("tax_class")
        if self.value("requires_shipping"):
            body["requires_shipping"] = self.value("requires_shipping") == "1"
        if self.value("slug").strip():
            body["slug"] = self.value("slug")
        if not schema.partial:
            body["is_active"] = bool(self.value("is_active"))
        if not any(entry["is_active"] for entry in variants):
            raise Invalid({"variants": ["At least one variant must be on sale, with a price."]})
        return self._read(schema, body)

    def _variant_inputs(self) -> Iterator[dict[str, object]]:
        """The variants for the service, which switches off those that are missing. Of those that are
        off sale only the SKU is read."""
        for place, row in enumerate(self.variants):
            is_off_sale = bool(row["id"]) and not row["on"]
            if is_off_sale and not row["sku"].strip():
                continue
            self._rows_of_inputs.append(place)
            if is_off_sale:
                yield {"id": parse_whole(row["id"]), "sku": row["sku"], "is_active": False}
                continue
            pairs = zip(self.options, row["choices"], strict=True)
            fields: dict[str, object] = {
                "price": plain_amount(row["price"].strip()),
                "is_active": row["on"],
                "options": {option["name"]: choice for option, choice in pairs if choice},
            }
            if row["sku"].strip():
                fields["sku"] = row["sku"]
            if row["weight"].strip():
                fields["weight"] = parse_whole(row["weight"])
            if row["id"]:
                fields["id"] = parse_whole(row["id"])
            elif row["stock"].strip():
                fields["stock"] = parse_whole(row["stock"])
            yield fields

    def _beside_their_fields(self) -> Iterator[tuple[str, list[str]]]:
        for name, messages in self.errors.items():
            kind, *path = name.split(".")
            if kind not in ("options", "variants") or len(path) < 2 or not path[0].isdigit():
                yield name, messages
                continue
            place = int(path[0])
            if kind == "variants":
                place = self._rows_of_inputs[place]
            rows = self.variants if kind == "variants" else self.options
            is_empty = rows[place].get(path[1]) == ""
            yield f"{kind}.{place}.{path[1]}", [EMPTY] if is_empty else messages


def _rows(table: str, limit: int) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table in the request, by their places: cells by name."""
    rows: dict[int, dict[str, str]] = {}
    for name, text in request.form.items():
        match = _CELL.fullmatch(name)
        if match and match[1] == table:
            rows.setdefault(int(match[2]), {})[match[3]] = text
    return sorted(rows.items())[:limit]


def _variant_row(cells: Mapping[str, str], options: Sequence[int]) -> VariantRow:
    """A row of the request, with choices for these options only."""
    return VariantRow(
        id=cells.get("id", ""),
        sku=cells.get("sku", ""),
        price=cells.get("price", ""),
        stock=cells.get("stock", ""),
        weight=cells.get("weight", ""),
        on="on" in cells,
        choices=[cells.get(f"options.{place}", "").strip() for place in options],
    )


def _stored_row(variant: Variant, product: Product, currency: str) -> VariantRow:
    return VariantRow(
        id=str(variant.id),
        sku=variant.sku,
        price=written_amount(to_text(variant.price, currency)),
        stock="",
        weight=str(variant.weight) if variant.weight else "",
        on=variant.is_active,
        choices=[variant.options.get(option["name"], "") for option in product.options],
    )


def _new_row(price: str = "", choices: Sequence[str] = ()) -> VariantRow:
    return VariantRow(
        id="", sku="", price=price, stock="", weight="", on=True, choices=list(choices)
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]
