"""Prices a cart: the one function behind the cart's page, the quote, the order and the preview for staff.

First promotions take their amounts off the goods, then shipping gets its price, and tax is worked out on
what is left of both. Nothing here reads a database or a clock.
"""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.pricing.model import (
    STANDARD,
    Destination,
    Discount,
    OfferedMethod,
    PricedLine,
    Pricing,
    PricingLine,
    PricingRequest,
    TaxTreatment,
)
from app.domain.pricing.promotions import Application, apply_promotions, needs_shipping
from app.domain.pricing.shipping import offer_methods
from app.domain.pricing.taxes import (
    TaxableItem,
    TaxResult,
    tax_destination,
    treatment,
    work_out_taxes,
)

TAX_RELIEF = "Tax relief"


class _Taxation(NamedTuple):
    """The treatment of an order, the tax on top of or in each item, and the relief of each item."""

    treatment: TaxTreatment
    result: TaxResult
    reliefs: Sequence[int]


def price(request: PricingRequest) -> Pricing:
    """Price lines, with shipping as the last item, for where they go.

    A method that is not offered for this cart is as good as none: `Pricing.method` is None then.
    """
    lines = sorted(request.lines)
    applications = apply_promotions(lines, request.promotions)
    left = _left(lines, applications)
    is_shipped = needs_shipping(lines)
    offers = offer_methods(request.methods, lines, sum(left)) if is_shipped else []
    chosen = next((offer for offer in offers if offer.method.id == request.method_id), None)
    shipping_total = chosen.price if chosen else 0
    discounts = _discounts(applications, shipping_total)
    freed = sum(discount.amount for discount in discounts if discount.kind == "free_shipping")
    items = _items(lines, left, chosen, shipping_total - freed)
    taxation = _tax(request, items)
    relief = sum(taxation.reliefs)
    if relief:
        discounts.append(Discount(None, TAX_RELIEF, None, "tax_relief", relief))
    taxes = taxation.result
    return Pricing(
        lines=_priced_lines(request, lines, left, taxation),
        subtotal=sum(line.list_total for line in lines),
        discount_total=sum(discount.amount for discount in discounts),
        shipping_total=shipping_total,
        tax_total=sum(taxes.amounts),
        tax_included=request.prices_include_tax,
        tax_treatment=taxation.treatment,
        shipping_discount=freed + taxation.reliefs[-1],
        shipping_tax=taxes.amounts[-1],
        discounts=[discount for discount in discounts if discount.amount],
        taxes=taxes.taxes,
        offers=offers,
        method=chosen.method if chosen else None,
        needs_shipping=is_shipped,
        applied=frozenset(application.promotion.id for application in applications),
        applied_codes=frozenset(
            application.promotion.code
            for application in applications
            if application.promotion.code is not None
        ),
    )


def _left(lines: Sequence[PricingLine], applications: Sequence[Application]) -> list[int]:
    """What promotions leave of each line."""
    amounts = [application.amounts for application in applications]
    totals = [line.list_total for line in lines]
    return [total - sum(off) for total, *off in zip(totals, *amounts, strict=True)]


def _discounts(applications: Sequence[Application], shipping_total: int) -> list[Discount]:
    """What each promotion takes off; the first one of free shipping takes off all of it."""
    discounts = []
    for promotion, amounts in applications:
        amount = sum(amounts)
        if promotion.kind == "free_shipping":
            amount, shipping_total = shipping_total, 0
        discounts.append(
            Discount(promotion.id, promotion.name, promotion.code, promotion.kind, amount)
        )
    return discounts


def _items(
    lines: Sequence[PricingLine],
    left: Sequence[int],
    chosen: OfferedMethod | None,
    shipping_left: int,
) -> list[TaxableItem]:
    """What is taxed: the lines, and shipping as the last."""
    tax_class = chosen.method.tax_class if chosen else STANDARD
    goods = [TaxableItem(line.tax_class, rest) for line, rest in zip(lines, left, strict=True)]
    return [*goods, TaxableItem(tax_class, shipping_left)]


def _tax(request: PricingRequest, items: Sequence[TaxableItem]) -> _Taxation:
    """The tax of each item; where none is due, prices that include tax lose that of the shop's country."""
    nothing = [0] * len(items)
    how, included = treatment(request), request.prices_include_tax
    if how == "standard":
        destination = tax_destination(request)
        return _Taxation(how, work_out_taxes(items, request.rates, destination, included), nothing)
    reliefs: Sequence[int] = nothing
    if included and request.home_country is not None:
        home = Destination(request.home_country)
        reliefs = work_out_taxes(items, request.rates, home, is_included=True).amounts
    return _Taxation(how, TaxResult((), nothing), reliefs)


def _priced_lines(
    request: PricingRequest, lines: Sequence[PricingLine], left: Sequence[int], taxation: _Taxation
) -> list[PricedLine]:
    priced = []
    for place, line in enumerate(lines):
        paid = left[place] - taxation.reliefs[place]
        tax = taxation.result.amounts[place]
        total = paid if request.prices_include_tax else paid + tax
        priced.append(PricedLine(line.id, line.list_total - paid, tax, total))
    return priced
