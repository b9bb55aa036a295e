"""What an order of one promotion, one shipping method and one tax must come to: the contract's rules of money
(R1 to R3) once more, in whole numbers and without a line of the shop's.

Amounts are minor units, percentages thousandths of a percent.
"""

from collections.abc import Sequence
from typing import NamedTuple

HUNDRED = 100_000


class Terms(NamedTuple):
    """What was in force: a percentage off the goods, the price of shipping, and a tax that prices either
    include or not."""

    percent_off: int
    shipping: int
    tax_rate: int
    is_included: bool


class Money(NamedTuple):
    """The sums of an order, with the shares of each line, and of shipping as the last."""

    discount: int
    discount_shares: tuple[int, ...]
    tax: int
    tax_shares: tuple[int, ...]
    shipping: int
    total: int


def worked_out(line_totals: Sequence[int], terms: Terms) -> Money:
    """What lines of these list totals come to."""
    goods = sum(line_totals)
    discount = rounded(goods * terms.percent_off, HUNDRED)
    off = by_largest_remainder(discount, line_totals)
    left = [total - part for total, part in zip(line_totals, off, strict=True)] + [terms.shipping]
    divisor = HUNDRED + terms.tax_rate if terms.is_included else HUNDRED
    tax = rounded(sum(left) * terms.tax_rate, divisor)
    total = goods - discount + terms.shipping + (0 if terms.is_included else tax)
    shares = by_largest_remainder(tax, left)
    return Money(discount, (*off, 0), tax, tuple(shares), terms.shipping, total)


def rounded(dividend: int, divisor: int) -> int:
    """A quotient, half of a unit rounded up."""
    whole, rest = divmod(dividend, divisor)
    return whole + (2 * rest >= divisor)


def by_largest_remainder(amount: int, weights: Sequence[int]) -> list[int]:
    """Parts of an amount by these weights; of equal remainders the earlier one is rounded up."""
    whole = sum(weights)
    if whole == 0:
        return [0 for _ in weights]
    parts = [amount * weight // whole for weight in weights]
    places = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % whole), i))
    for place in places[: amount - sum(parts)]:
        parts[place] += 1
    return parts
