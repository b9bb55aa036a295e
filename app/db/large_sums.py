"""Sums of amounts that may not fit 64 bits, where SQLite's SUM fails.

PostgreSQL sums BIGINT as NUMERIC. SQLite raises "integer overflow", and its TOTAL is a float. So the
amounts are summed in two parts, which Python adds.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, func

_PART = 10**9


def sum_parts(amount: SQLColumnExpression[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Two columns for `whole_sum`; both are NULL if there are no rows."""
    return func.sum(amount // _PART), func.sum(amount % _PART)


def whole_sums(parts: Sequence[Any]) -> list[int]:
    """The sums of several `sum_parts`, one after the other."""
    return [whole_sum(*parts[place : place + 2]) for place in range(0, len(parts), 2)]


def whole_sum(high: Any, low: Any) -> int:
    """The sum of the values of `sum_parts`; 0 if there are no rows."""
    return int(high or 0) * _PART + int(low or 0)
