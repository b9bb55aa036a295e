"""The tables of shipping methods: rows that begin at an amount or a weight, and their prices."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.domain.money import MAX_PRICE, MAX_WRITTEN, NotMoney, read_decimal, to_minor

MAX_ROWS = 50
MAX_GRAMS = 10**9


class NotTable(ValueError):
    """The rows are no table; `row` is the place of the one that is wrong, `name` its field."""

    def __init__(self, row: int, name: str, message: str) -> None:
        super().__init__(message)
        self.row, self.name = row, name


def read_table(
    basis: str, rows: Sequence[Mapping[str, Any]], currency: str
) -> list[dict[str, Any]]:
    """Rows as they are stored, sorted by `from`: minor units where the basis is the subtotal, else grams.

    Raises:
        NotTable: a bound that the basis does not have, or that comes twice; or `until` below `from`.
    """
    table = [
        {
            "from": _bound(basis, row.get("from", 0), currency, place, "from"),
            "price": row["price"],
            "until": _bound(basis, row.get("until"), currency, place, "until"),
        }
        for place, row in enumerate(rows)
    ]
    begun = set()
    for place, row in enumerate(table):
        if row["from"] in begun:
            raise NotTable(place, "from", "Another row begins here, too.")
        if row["until"] is not None and row["until"] < row["from"]:
            raise NotTable(place, "until", "At least `from`.")
        begun.add(row["from"])
    return sorted(table, key=_begin)


def _begin(row: Mapping[str, Any]) -> int:
    return int(row["from"])


def _bound(basis: str, value: object, currency: str, place: int, name: str) -> int | None:
    if value is None and name == "until":
        return None
    try:
        number = _read(basis, value, currency)
    except NotMoney as error:
        raise NotTable(place, name, str(error)) from None
    if basis == "flat" and (name == "until" or number):
        raise NotTable(place, name, "A flat price has one row, from 0 on.")
    return number


def _read(basis: str, value: object, currency: str) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise NotMoney("Not a number.")
    if isinstance(value, str) and len(value) > MAX_WRITTEN:
        raise NotMoney("Not a number.")
    if basis == "subtotal":
        number, highest = to_minor(value, currency), MAX_PRICE
    else:
        number, highest = _whole(value), MAX_GRAMS
    if not 0 <= number <= highest:
        raise NotMoney("Out of range.")
    return number


def _whole(value: str | int | float | Decimal) -> int:
    number = read_decimal(str(value))
    if number != number.to_integral_value():
        raise NotMoney("A whole number of grams.")
    return int(number)
