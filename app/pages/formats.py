"""Template filters that format money, numbers and times in the store's locale."""

import re
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache, partial

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import NumberPattern, format_decimal, get_decimal_symbol, parse_decimal
from flask import Flask, current_app

from app.domain.countries import COUNTRIES
from app.domain.money import NotMoney, places, read_decimal, to_text
from app.domain.pricing.percent import percent_text
from app.schemas.base import store_currency
from app.web.order_sums import sums_of

_GROUPED = re.compile(r"[0-9][0-9.,'’\u00a0\u202f ]*")
_GROUP_MARK = re.compile("(?<=[0-9])['’\u00a0\u202f ](?=[0-9]{3}(?![0-9]))")


def register(app: Flask) -> None:
    """Register the filters."""
    for template_filter in (money, amount, number, day, short_day, moment, country, percent):
        app.add_template_filter(template_filter)
    app.add_template_filter(sums_of, "sums")


def money(minor: int) -> str:
    """Minor units of the store's currency: `$49.00`."""
    return amount(to_text(minor, store_currency()))


def amount(text: str) -> str:
    """An amount in the store's currency, from a decimal string as in answers of the API."""
    return _format_amount(text, _locale(), store_currency())


@lru_cache(maxsize=2048)
def _format_amount(text: str, locale: str, currency: str) -> str:
    # Without the cache, Babel took a sixth of the time of a page of products. Prices repeat.
    pattern = _money_pattern(locale, places(currency))
    amount: str = pattern.apply(Decimal(text), locale, currency, currency_digits=False)
    return amount


def plain_amount(text: str) -> str:
    """A decimal string from an amount as people of the store's locale write it: `1.500` is 1500 in
    de_DE. Any other text is returned as it is; so is `12.50`, which can mean nothing else there.

    Between groups of three digits a space or an apostrophe may stand in any locale.
    """
    if not _GROUPED.fullmatch(text):
        return text
    try:
        written = _GROUP_MARK.sub("", text)
        number = read_decimal(written, partial(parse_decimal, locale=_locale(), strict=True))
    except NotMoney:
        return text
    return f"{number:f}"


def written_amount(text: str) -> str:
    """An amount as people of the store's locale write it, from a decimal string: `12,50` in de_DE."""
    return text.replace(".", get_decimal_symbol(_locale()))


@cache
def _money_pattern(locale: str, size: int) -> NumberPattern:
    """The locale's format for money, with the decimal places of ISO 4217. The locale data omit the
    places of some currencies whose coins are no longer in use, and would round prices."""
    pattern: NumberPattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (size, size)
    return pattern


def number(value: int) -> str:
    """A whole number with thousands separators: `12,000`."""
    return format_decimal(value, locale=_locale())


def day(value: date) -> str:
    """A date, or the date (UTC) of an aware time."""
    return format_date(value, "medium", locale=_locale())


def short_day(value: date) -> str:
    """A date without the year, such as `22 Nov`."""
    return format_skeleton("MMMd", value, locale=_locale())


def moment(value: datetime) -> str:
    """The date and time (UTC) of an aware time."""
    return format_datetime(value, "medium", locale=_locale()) + " UTC"


def percent(thousandths: int) -> str:
    """A percentage from thousandths of a percent: `25,5 %` in de_DE."""
    return f"{written_amount(percent_text(thousandths))} %"


def country(code: str) -> str:
    """The English name of a country, from its ISO 3166-1 code."""
    return dict(countries()).get(code, code)


@cache
def countries() -> tuple[tuple[str, str], ...]:
    """Codes and English names of all countries, sorted by name."""
    names = Locale("en").territories
    return tuple(sorted(((code, names[code]) for code in COUNTRIES), key=lambda pair: pair[1]))


def _locale() -> str:
    locale: str = current_app.config["STORE_LOCALE"]
    return locale
