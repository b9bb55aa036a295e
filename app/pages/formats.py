"""Money, numbers and times as people read them, in the store's locale."""

from datetime import date, datetime
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_currency, format_decimal
from flask import Flask, current_app

from app.domain.countries import COUNTRIES
from app.domain.money import to_text
from app.schemas.base import store_currency


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
    return format_currency(Decimal(text), store_currency(), locale=_locale())


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
