"""Proof that the books are right: read-only, on one snapshot, so that the shop may go on selling."""

from collections.abc import Iterator

from sqlalchemy import func, select, text

from app.extensions import db
from app.models import Base, Order, Product, StockMovement, Variant
from app.services.audit import book_checks


def violations() -> Iterator[str]:
    """A line for everything that is not as it must be: the rule, the ids, the figures."""
    for check in book_checks.all_checks():
        for row in db.session.execute(text(check.query)):
            yield f"{check.name}: {check.sentence.format(*row)}"


def figures() -> dict[str, int]:
    """How much was looked at."""
    looked_at = {"products": Product, "variants": Variant, "orders": Order}
    return {name: _count(table) for name, table in looked_at.items()} | {
        "movements": _count(StockMovement)
    }


def _count(table: type[Base]) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0
