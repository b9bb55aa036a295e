"""What pricing works on, and what it yields.

Amounts are whole minor units, percentages thousandths of a percent, weights grams.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

PromotionKind = Literal["percentage", "fixed_amount", "free_shipping", "buy_x_get_y"]
PROMOTION_KINDS: tuple[PromotionKind, ...] = (
    "percentage", "fixed_amount", "free_shipping", "buy_x_get_y",
)  # fmt: skip
DiscountKind = Literal["percentage", "fixed_amount", "free_shipping", "buy_x_get_y", "tax_relief"]
DISCOUNT_KINDS: tuple[DiscountKind, ...] = (*PROMOTION_KINDS, "tax_relief")
ShippingBasis = Literal["flat", "subtotal", "weight"]
BASES: tuple[ShippingBasis, ...] = ("flat", "subtotal", "weight")
TaxTreatment = Literal["standard", "reverse_charge", "export"]
TREATMENTS: tuple[TaxTreatment, ...] = ("standard", "reverse_charge", "export")
STANDARD, ZERO = "standard", "zero"
"""Tax classes with a meaning of their own: the one that others fall back to, and the one without tax."""
NOTHING: frozenset[int] = frozenset()


class PricingLine(NamedTuple):
    """A line of a cart. `category_ids` are the product's category and its ancestors; `weight` is that
    of one unit."""

    id: int
    product_id: int
    category_ids: frozenset[int]
    unit_price: int
    quantity: int
    tax_class: str = STANDARD
    weight: int = 0
    requires_shipping: bool = True

    @property
    def list_total(self) -> int:
        """What the line costs before discounts."""
        return self.unit_price * self.quantity


class Destination(NamedTuple):
    """Where an order goes: codes of ISO 3166-1 and of ISO 3166-2 without the country."""

    country: str
    region: str = ""


class TaxRate(NamedTuple):
    """A tax of a country, or of one of its regions."""

    name: str
    country: str
    region: str
    tax_class: str
    rate: int


class ShippingRate(NamedTuple):
    """A row of a method's table: from `from_` on, and up to and including `until`, it costs `price`."""

    from_: int
    price: int
    until: int | None = None


@dataclass(frozen=True)
class ShippingMethod:
    """A way to ship. `rates` compare with 0, with the goods after promotions, or with the grams of what
    needs shipping; from goods of `free_from` on it costs nothing."""

    id: int
    name: str
    rates: Sequence[ShippingRate]
    basis: ShippingBasis = "flat"
    description: str = ""
    free_from: int | None = None
    tax_class: str = STANDARD
    min_days: int | None = None
    max_days: int | None = None


@dataclass(frozen=True)
class Promotion:
    """A promotion that may apply to a cart. `value` is a percentage, or minor units of a fixed amount.

    Without `product_ids` and `category_ids` it is about all articles; those to get are the same
    unless others are named. `code` is the code by which it is in the cart; None if it is automatic.
    """

    id: int
    name: str
    kind: PromotionKind
    value: int = 0
    product_ids: frozenset[int] = NOTHING
    category_ids: frozenset[int] = NOTHING
    min_subtotal: int = 0
    min_quantity: int = 0
    buy_quantity: int = 0
    get_quantity: int = 0
    get_product_ids: frozenset[int] = NOTHING
    get_category_ids: frozenset[int] = NOTHING
    max_sets: int | None = None
    priority: int = 0
    exclusive: bool = False
    code: str | None = None


@dataclass(frozen=True)
class PricingRequest:
    """What is to be priced, where it goes, and how the shop prices.

    Args:
        methods: those of the destination; one that is chosen is `method_id`.
        rates: those of the destination's country and of the shop's.
        home_country: the shop's own, where it is set.
        vat_country: the country of the buyer's VAT id.
    """

    lines: Sequence[PricingLine]
    promotions: Sequence[Promotion] = ()
    methods: Sequence[ShippingMethod] = ()
    method_id: int | None = None
    rates: Sequence[TaxRate] = ()
    destination: Destination | None = None
    home_country: str | None = None
    vat_country: str | None = None
    prices_include_tax: bool = True


class Discount(NamedTuple):
    """What a promotion, or the relief from tax, takes off."""

    promotion_id: int | None
    name: str
    code: str | None
    kind: DiscountKind
    amount: int


class Tax(NamedTuple):
    """A tax of an order; `taxable` is net, whether or not prices include tax."""

    name: str
    rate: int
    taxable: int
    amount: int


class PricedLine(NamedTuple):
    """What is paid for a line: `total` includes its tax."""

    id: int
    discount_total: int
    tax_total: int
    total: int


class OfferedMethod(NamedTuple):
    """A way to ship that this cart can be sent by, and its price."""

    method: ShippingMethod
    price: int


@dataclass(frozen=True)
class Pricing:
    """What a cart or an order costs, and how that comes about. Lines are in the order of their ids.

    `shipping_total` is before free shipping, which is among the discounts; `shipping_discount` and
    `shipping_tax` are the shares of shipping in `discount_total` and `tax_total`.
    """

    lines: Sequence[PricedLine]
    subtotal: int
    discount_total: int = 0
    shipping_total: int = 0
    tax_total: int = 0
    tax_included: bool = True
    tax_treatment: TaxTreatment = "standard"
    shipping_discount: int = 0
    shipping_tax: int = 0
    discounts: Sequence[Discount] = ()
    taxes: Sequence[Tax] = ()
    offers: Sequence[OfferedMethod] = ()
    method: ShippingMethod | None = None
    needs_shipping: bool = False
    applied: frozenset[int] = field(default=NOTHING)
    """The promotions that apply, also where they take nothing off yet."""
    applied_codes: frozenset[str] = frozenset()
    """The codes of those."""

    @property
    def goods_total(self) -> int:
        """The goods after their discounts."""
        return self.subtotal - self.discount_total + self.shipping_discount

    @property
    def total(self) -> int:
        """What the buyer pays."""
        added = 0 if self.tax_included else self.tax_total
        return self.subtotal - self.discount_total + self.shipping_total + added
