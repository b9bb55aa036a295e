"""Any number of products, made up from the demo shop's vocabulary."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from sqlalchemy import func, select

from app.extensions import db
from app.models import Category, Product
from app.services.catalogue.bulk_catalogue import NewProduct, NewVariant, add_products
from app.services.seeding.content import read, scale
from app.services.seeding.written import OPENING

T = TypeVar("T")
BATCH = 10_000
"""Products a transaction."""


def count() -> int:
    """How many products there are, deleted ones included, which are not generated again."""
    return db.session.scalar(select(func.count()).select_from(Product)) or 0


def fill_up(target: int, seed: int, currency: str, now: datetime) -> int:
    """Add a batch of products, or what is missing to `target`; return how many there are then.

    The caller holds the store's lock, so that nobody else counts at the same time. Numbers follow
    the count, which never falls: SKUs and slugs are new ones.
    """
    existing = count()
    missing = min(target - existing, BATCH)
    if missing <= 0:
        return existing
    rng = Random(f"{seed}:{existing}")  # noqa: S311 - made-up goods, not secrets
    ids = {row.slug: row.id for row in db.session.execute(select(Category.slug, Category.id))}
    kinds = [(ids.get(slug), slug, kind) for slug, kind in read("vocabulary")["categories"].items()]
    maker = _Maker(rng, scale(currency), now)
    numbers = range(existing + 1, existing + missing + 1)
    add_products([maker.make(number, *kinds[number % len(kinds)]) for number in numbers], OPENING)
    return existing + missing


class _Maker:
    """Makes products up from random words and figures."""

    def __init__(self, rng: Random, scale: int, now: datetime) -> None:
        self._rng, self._scale, self._now = rng, scale, now
        self._words = read("vocabulary")

    def make(
        self, number: int, category_id: int | None, category: str, kind: dict[str, Any]
    ) -> NewProduct:
        """The product with this number, which is part of its slug and SKU."""
        thing, low, high = self._pick(kind["things"])
        words = {name: self._pick(self._words[name + "s"]) for name in ("line", "look")}
        stuff = self._pick(kind["stuff"])
        name = f"{words['line']} {stuff} {thing}, {words['look']}"
        price = (low * 100 + self._below((high - low) * 2 + 1) * 50) * self._scale
        plain = name.lower().replace(" ", "-").replace(",", "")
        return NewProduct(
            name=name,
            slug=f"{plain}-{number}",
            variants=[NewVariant(f"{category[:3].upper()}-{number:07}", price, self._stock())],
            created_at=self._now - timedelta(minutes=60 * 24 * 60 + self._below(340 * 24 * 60)),
            description=self._text(stuff=stuff, **words),
            category_id=category_id,
            compare_at_price=price * 5 // 4 if self._below(8) == 0 else None,
        )

    def _text(self, **words: str) -> str:
        first, second = self._pick(self._words["openings"]), self._pick(self._words["endings"])
        return f"{first.format(**words)} {second}"

    def _stock(self) -> int:
        return self._below(120) if self._below(12) else 0

    def _pick(self, choices: Sequence[T]) -> T:
        return choices[self._below(len(choices))]

    def _below(self, limit: int) -> int:
        return int(self._rng.random() * limit)
