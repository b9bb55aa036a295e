"""Money, numbers and times as people read them, in the store's locale."""

import re
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache, partial

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import NumberPattern, format_decimal, parse_decimal
from flask import Flask, current_app

from app.domain.countries import COUNTRIES
from app.domain.money import NotMoney, places, read_decimal, to_text
from app.schemas.base import store_currency

_GROUPED = re.compile(r"[0-9][0-9.,'’\u00a0\u202f ]*")
_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?")


def register(app: Flask) -> None:
    """Make them known to the templates."""
    app.add_template_filter(money)
    app.add_template_filter(amount)
    app.add_template_filter(number)
    app.add_template_filter(day)
    app.add_template_filter(short_day)
    app.add_template_filter(moment)
    app.add_template_filter(country)


def money(minor: int) -> str:
    """Minor units of the store's currency: `$49.00`."""
    return amount(to_text(minor, store_currency()))


def amount(text: str) -> str:
    """A decimal string of the store's currency, as answers of the API hold it."""
    return _written(text, _locale(), store_currency())


@lru_cache(maxsize=2048)
def _written(text: str, locale: str, currency: str) -> str:
    # A list of products took Babel a sixth of its page, and prices come again and again.
    pattern = _money_pattern(locale, places(currency))
    written: str = pattern.apply(Decimal(text), locale, currency, currency_digits=False)
    return written


def plain_amount(text: str) -> str:
    """A decimal string from what people of the store's locale write; what is none stays."""
    if _PLAIN.fullmatch(text) or not _GROUPED.fullmatch(text):
        return text
    try:
        number = read_decimal(text, partial(parse_decimal, locale=_locale(), strict=True))
    except NotMoney:
        return text
    return f"{number:f}"


@cache
def _money_pattern(locale: str, size: int) -> NumberPattern:
    """The locale's way to write money, with the places of ISO 4217: the locale's own data leave out
    those for which there are no coins any more, and prices would be rounded."""
    pattern: NumberPattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (size, size)
    return pattern


def number(value: int) -> str:
    """A whole number with its groups: `12,000`."""
    return format_decimal(value, locale=_locale())


def day(value: date) -> str:
    """A date, or that of an aware time, in UTC."""
    return format_date(value, "medium", locale=_locale())


def short_day(value: date) -> str:
    """A date without its year: `22 Nov`, or as the locale has it."""
    return format_skeleton("MMMd", value, locale=_locale())


def moment(value: datetime) -> str:
    """The date and time of an aware time, in UTC."""
    return format_datetime(value, "medium", locale=_locale()) + " UTC"


def country(code: str) -> str:
    """The English name of a country, from its ISO 3166-1 code."""
    return dict(countries()).get(code, code)


@cache
def countries() -> tuple[tuple[str, str], ...]:
    """Codes and names of all countries, in the order of their names."""
    names = Locale("en").territories
    return tuple(sorted(((code, names[code]) for code in COUNTRIES), key=lambda pair: pair[1]))


def _locale() -> str:
    locale: str = current_app.config["STORE_LOCALE"]
    return locale
