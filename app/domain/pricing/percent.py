"""Percentages as whole thousandths of a percent: 19 % is 19000, 9.975 % is 9975.

Clients see decimal strings without trailing zeros.
"""

import re

WHOLE = 100_000
"""100 %."""
MAX_PERCENT = 1_000 * 1_000
"""The highest percentage that can be stored, 1000 %."""
PATTERN = r"^(0|[1-9][0-9]{0,3})(?:\.([0-9]{1,3}))?$"
_WRITTEN = re.compile(PATTERN)


class NotPercent(ValueError):
    """The text is no percentage; the message says why."""


def read_percent(text: str, highest: int = MAX_PERCENT) -> int:
    """Thousandths of a percent from a decimal string such as `9.975`.

    Raises:
        NotPercent: no plain decimal number, more than three places, or above `highest`.
    """
    match = _WRITTEN.fullmatch(text) if len(text) <= 8 else None
    if match is None:
        raise NotPercent("A percentage with at most three decimal places, such as 19 or 9.975.")
    whole, places = match.groups()
    thousandths = int(whole) * 1000 + int((places or "").ljust(3, "0"))
    if thousandths > highest:
        raise NotPercent(f"At most {percent_text(highest)}.")
    return thousandths


def percent_text(thousandths: int) -> str:
    """The decimal string of a percentage, without trailing zeros: 9500 is `9.5`."""
    whole, places = divmod(thousandths, 1000)
    return f"{whole}.{places:03}".rstrip("0").rstrip(".")


def percent_of(amount: int, thousandths: int) -> int:
    """A percentage of an amount in minor units, rounded half up."""
    return divide_half_up(amount * thousandths, WHOLE)


def divide_half_up(dividend: int, divisor: int) -> int:
    """The quotient of two numbers that are not negative, rounded half up to a whole number."""
    return (2 * dividend + divisor) // (2 * divisor)
