"""What callers may set on a product. A key that is missing leaves the field as it is, or, of
something new, to its default. Prices are in minor units, stock in units that can be sold, weights in
grams."""

from typing import Literal, TypedDict


class Option(TypedDict):
    """A choice that buyers have: `{"name": "Size", "values": ["S", "M"]}`."""

    name: str
    values: list[str]


class ImageInput(TypedDict, total=False):
    """A picture by its id, with a new description."""

    id: str
    alt: str


class VariantInput(TypedDict, total=False):
    """A variant: an existing one with an `id`, else a new one, which needs a price."""

    id: int
    sku: str
    options: dict[str, str]
    price: int
    stock: int
    weight: int
    is_active: bool


class ProductInput(TypedDict, total=False):
    """A product; `sku`, `price`, `stock` and `weight` belong to its only variant."""

    name: str
    slug: str
    description: str
    category_id: int | None
    compare_at_price: int | None
    tax_class: str
    requires_shipping: bool
    is_active: bool
    options: list[Option]
    images: list[ImageInput]
    sku: str
    price: int
    stock: int
    weight: int
    variants: list[VariantInput]


SINGLE_VARIANT_FIELDS: tuple[Literal["sku", "price", "stock", "weight"], ...] = (
    "sku", "price", "stock", "weight",
)  # fmt: skip
"""Fields of a variant that may be set on a product that has only one."""
