"""Money is a whole number of minor units; decimal strings exist in requests and answers only."""

from collections.abc import Callable
from decimal import Decimal

# The currencies of ISO 4217 whose minor unit is not a hundredth; all the others have two places.
_NO_PLACES = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
_PLACES = {
    **dict.fromkeys(_NO_PLACES, 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
_TWO_PLACES = frozenset((
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD",
    "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP",
    "CRC", "CUP", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP",
    "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS",
    "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD",
    "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN",
    "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR",
    "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE",
    "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD",
    "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "VED", "VES", "WST", "XCD", "XCG", "YER", "ZAR",
    "ZMW", "ZWG",
))  # fmt: skip

MAX_WRITTEN = 40
"""The most characters of a number that somebody writes."""
MAX_PRICE = 10**14 - 1
"""The largest price in minor units: 10^12 rupiahs, rials or Lebanese pounds, which have two places."""
MAX_TOTAL = 10**18 - 1
"""The largest total of an order in minor units. It fits a BIGINT; what a cart comes to may not."""


class NotMoney(ValueError):
    """A text or number that is no amount of this currency; the message says why."""


def is_currency(code: str) -> bool:
    """Whether `code` is a currency of ISO 4217 that a shop can sell in."""
    return code in _TWO_PLACES or code in _PLACES


def places(currency: str) -> int:
    """How many decimal places the currency has: 2 for USD, 0 for JPY, 3 for KWD."""
    return _PLACES.get(currency, 2)


def to_minor(amount: str | int | float | Decimal, currency: str) -> int:
    """An amount in major units as whole minor units, never rounded.

    A text with more places than the currency has is refused even where they are zeros: `1.500` may mean
    fifteen hundred. The number 1.500 is 1.5.

    Raises:
        NotMoney: not a finite decimal number, more places than the currency has, or out of range.
    """
    size = places(currency)
    if isinstance(amount, str) and (digits := _all_digits(amount, size)):
        return int(digits)
    number = _decimal(amount)
    if isinstance(amount, str) and -int(number.as_tuple().exponent) > size:
        raise NotMoney(_too_many_places(currency))
    if not number:
        return 0
    if number.adjusted() + size >= 20:
        raise NotMoney("Out of range.")
    # In whole numbers: arithmetic on Decimals rounds to 28 digits.
    shift = int(number.as_tuple().exponent) + size
    coefficient = int("".join(map(str, number.as_tuple().digits)))
    if shift < -MAX_WRITTEN or coefficient % 10 ** max(-shift, 0):
        raise NotMoney(_too_many_places(currency))
    minor: int = coefficient * 10 ** max(shift, 0) // 10 ** max(-shift, 0)
    return -minor if number.is_signed() else minor


def to_text(minor: int, currency: str) -> str:
    """Minor units as the decimal string that clients see: 4900 USD is `49.00`."""
    size = places(currency)
    sign, digits = ("-", str(-minor)) if minor < 0 else ("", str(minor))
    if not size:
        return sign + digits
    digits = digits.rjust(size + 1, "0")
    return f"{sign}{digits[:-size]}.{digits[-size:]}"


def _all_digits(amount: str, size: int) -> str:
    """The digits of an amount that is written with just its currency's places, as nearly all are:
    that needs no Decimal. Of any other, nothing."""
    whole, _point, rest = amount.partition(".")
    digits = whole + rest
    is_plain = len(rest) == size and len(digits) <= 18 and digits.isascii() and digits.isdigit()
    return digits if is_plain else ""


def _decimal(amount: str | int | float | Decimal) -> Decimal:
    text = str(amount)  # of anything that is no number, Decimal can make none
    if "_" in text or not text.isascii() or text != text.strip():
        raise NotMoney("Not a valid amount of money.")
    return read_decimal(text)


def read_decimal(text: str, parse: Callable[[str], Decimal] = Decimal) -> Decimal:
    """The number that `parse` reads from what somebody has written.

    Raises:
        NotMoney: more than 40 characters, no number, or none that is finite.
    """
    try:
        number = parse(text) if len(text) <= MAX_WRITTEN else None
    except (ArithmeticError, ValueError):
        number = None
    if number is None or not number.is_finite():
        raise NotMoney("Not a valid amount of money.")
    return number


def _too_many_places(currency: str) -> str:
    size = places(currency)
    return f"{currency} has {size} decimal places." if size else f"{currency} has no decimals."
