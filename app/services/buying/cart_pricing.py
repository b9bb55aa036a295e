"""Prices a cart: loads what may apply to it, and calls the pricing engine.

The cart, the quote and the order are priced by this one module, so that nobody pays another sum than
was shown. Of what the shop has not set up, nothing is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.domain import vat_ids
from app.domain.money import MAX_TOTAL, to_text
from app.domain.pricing.engine import price
from app.domain.pricing.model import Destination, Pricing, PricingLine, PricingRequest
from app.domain.pricing.places import region_of_address
from app.domain.pricing.promotions import applies_alone
from app.errors import Conflict, Invalid
from app.services.buying.addresses import PostalAddress
from app.services.pricing import promotion_rules, shipping_methods, tax_rates
from app.services.pricing.promotion_rules import Cart, CodeInCart, Customer, Rules
from app.services.pricing.setup import PricingSetup, read_setup

NOBODY = Customer()
REFUSALS = {
    "code_unknown": "There is no such code.",
    "code_expired": "This code has expired.",
    "code_used_up": "This code is used up.",
    "code_not_applicable": "This code does not apply to what is in the cart.",
    "code_excluded": "This code cannot be used together with another promotion.",
}
"""Why a code does not apply, for buyers."""


class ArticleLine(Protocol):
    """A line of a cart with its article as it is now; prices in minor units, weights in grams."""

    @property
    def line_id(self) -> int:
        """The id of the line."""

    @property
    def quantity(self) -> int:
        """Units."""

    @property
    def price(self) -> int:
        """Of one unit."""

    @property
    def product_id(self) -> int:
        """The product."""

    @property
    def category_id(self) -> int | None:
        """Its category."""

    @property
    def tax_class(self) -> str:
        """Its tax class."""

    @property
    def weight(self) -> int:
        """Of one unit."""

    @property
    def requires_shipping(self) -> bool:
        """Whether it is sent."""


@dataclass(frozen=True)
class Choices:
    """What the buyer has said so far: where it goes, how it is shipped, and a business's VAT id."""

    shipping_address: PostalAddress | None = None
    billing_address: PostalAddress | None = None
    method_id: int | None = None
    vat_id: str | None = None

    @property
    def destination(self) -> Destination | None:
        """Where the order is taxed: where it is shipped to, else where its bill goes."""
        return place_of(self.shipping_address or self.billing_address)


@dataclass(frozen=True)
class CartPricing:
    """The price of a cart with the buyer's choices."""

    pricing: Pricing
    setup: PricingSetup
    choices: Choices
    rules: Rules
    lines: Sequence[PricingLine]

    @property
    def needs_method(self) -> bool:
        """Whether the order needs an address and a shipping method."""
        return self.pricing.needs_shipping and self.setup.has_methods

    @property
    def is_complete(self) -> bool:
        """Whether the buyer has chosen all that the final total depends on."""
        is_chosen = self.choices.shipping_address is not None and self.pricing.method is not None
        return is_chosen or not self.needs_method


@dataclass(frozen=True)
class CodeState:
    """A code in the cart: whether it applies, or why it does not."""

    code: str
    applied: bool
    reason: str | None


def price_cart(
    cart_id: int,
    lines: Sequence[ArticleLine],
    choices: Choices,
    customer: Customer = NOBODY,
    locks: bool = False,
    with_taxes: bool = True,
) -> CartPricing:
    """The price of these lines of a cart.

    Args:
        customer: whose earlier uses of promotions count.
        locks: whether promotions with limits are locked until the commit.
        with_taxes: whether taxes are wanted, too.
    """
    setup = read_setup()
    rules = _rules(cart_id, lines, setup, customer, locks)
    priced_lines = [_pricing_line(line, rules) for line in lines]
    destination = choices.destination
    shipped_to = place_of(choices.shipping_address)
    reads_rates = setup.has_rates and with_taxes
    reads_methods = setup.has_methods and shipped_to is not None
    request = PricingRequest(
        lines=priced_lines,
        promotions=rules.promotions,
        methods=shipping_methods.methods_for(shipped_to) if reads_methods and shipped_to else (),
        method_id=choices.method_id,
        rates=tax_rates.rates_for(destination, setup.country) if reads_rates else (),
        destination=destination,
        home_country=setup.country,
        vat_country=vat_ids.country_of(choices.vat_id) if choices.vat_id else None,
        prices_include_tax=setup.prices_include_tax,
    )
    return CartPricing(price(request), setup, choices, rules, priced_lines)


def _rules(
    cart_id: int,
    lines: Sequence[ArticleLine],
    setup: PricingSetup,
    customer: Customer,
    locks: bool,
) -> Rules:
    if not setup.has_promotions:
        return Rules()
    cart = Cart(
        cart_id,
        product_ids={line.product_id for line in lines},
        category_ids={line.category_id for line in lines if line.category_id is not None},
        subtotal=sum(line.price * line.quantity for line in lines),
        quantity=sum(line.quantity for line in lines),
    )
    return promotion_rules.rules_for(cart, customer, setup.has_automatic_promotions, locks)


def code_states(cart: CartPricing) -> list[CodeState]:
    """What is to be said about each code in a cart, in the order in which they were added."""
    return [_code_state(cart, code) for code in cart.rules.codes]


def _code_state(cart: CartPricing, code: CodeInCart) -> CodeState:
    if code.refusal is not None:
        return CodeState(code.code, False, code.refusal)
    if code.code in cart.pricing.applied_codes:
        return CodeState(code.code, True, None)
    is_excluded = any(
        applies_alone(sorted(cart.lines), promotion)
        for promotion in cart.rules.promotions
        if promotion.code == code.code
    )
    return CodeState(code.code, False, "code_excluded" if is_excluded else "code_not_applicable")


def refuse_codes(cart: CartPricing) -> None:
    """Refuse to order with a code that cannot be used any more, as nobody pays more than was agreed.

    Raises:
        Conflict: `code_unknown`, `code_expired`, `code_used_up`.
    """
    for code in cart.rules.codes:
        if code.refusal is not None:
            raise Conflict(code.refusal, f"{code.code}: {REFUSALS[code.refusal]}")


def refuse_incomplete(cart: CartPricing) -> None:
    """Refuse to order without what the order has to be shipped by.

    Raises:
        Invalid: `address_required`, `shipping_method_required`, `shipping_method_not_available`.
    """
    if not cart.needs_method:
        return
    if cart.choices.shipping_address is None:
        raise Invalid(code="address_required", detail="Give the address to ship to.")
    if cart.choices.method_id is None:
        raise Invalid(code="shipping_method_required", detail="Choose how to ship the order.")
    if cart.pricing.method is None:
        detail = "This order cannot be shipped by this method. Choose another one."
        raise Invalid(code="shipping_method_not_available", detail=detail)


def refuse_large(pricing: Pricing, currency: str) -> None:
    """Refuse sums that the shop cannot store.

    Raises:
        Invalid: `total_too_large`.
    """
    if max(pricing.subtotal, pricing.total, pricing.shipping_total, pricing.tax_total) > MAX_TOTAL:
        detail = f"An order can come to {to_text(MAX_TOTAL, currency)} {currency} at most."
        raise Invalid(code="total_too_large", detail=detail)


def place_of(address: PostalAddress | None) -> Destination | None:
    """The country and the region of an address."""
    if not address or not address.get("country"):
        return None
    return Destination(address["country"], region_of_address(address))


def _pricing_line(line: ArticleLine, rules: Rules) -> PricingLine:
    categories = rules.ancestors.get(line.category_id or 0, frozenset())
    return PricingLine(
        line.line_id, line.product_id, categories, line.price, line.quantity, line.tax_class,
        line.weight, line.requires_shipping,
    )  # fmt: skip
