"""Puts back what an import changed, such as wrong prices, from the audit trail.

Batches of audit events are read from the newest to the oldest, each in a transaction of its own. A
field is put back only where it still has the value that the import gave it: whatever staff edited since
stays, with everything else of that product. So the work can be interrupted and begun again: what is
back already differs from what the import wrote.

Stock is not put back, since sales and deliveries went on; a count corrects it. Products that the
import created stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import select

from app.db.bulk import among
from app.domain.changes import Changes
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.extensions import db
from app.models import AuditEvent, Category, Variant
from app.services.audit import trail
from app.services.cache import catalogue_cache
from app.services.imports import import_articles, import_service
from app.services.imports.import_articles import SHEET_NAMES, Article
from app.services.imports.import_service import IMPORTED, REFERENCE

BATCH = 2000
"""Audit events a transaction; those of others in between count."""
UNDONE = "product.import_undone"
LIMIT_OF_EDITED = 1000
"""Products that are named as edited since."""
_LATEST = 2**62


@dataclass
class Undo:
    """An import that is undone, and what a rehearsal has put back in memory.

    `oldest` is an event before which the import cannot have begun, where that is known.
    """

    reference: str
    oldest: int = 0
    articles: dict[str, Article] = field(default_factory=dict)


@dataclass(frozen=True)
class Undone:
    """How far it is: events with an id below `before` are still to be read."""

    before: int = _LATEST
    put_back: int = 0
    edited: Sequence[int] = ()
    is_done: bool = False


def step(actor: Actor, undo: Undo, total: Undone) -> Undone:
    """Put back what the next batch of events tells; how far it is then."""
    events = _events(undo, total.before)
    articles = import_articles.load(_skus(events), lock=True)
    facts = {sku: article.facts for sku, article in articles.items()}
    edited = _put_back(events, articles)
    changed = [article for article in articles.values() if article.facts != facts[article.sku]]
    import_service.write_changes(changed, facts, utc_now())
    changes_of = import_service.changes_by_product(changed, facts, undo.reference)
    trail.record_many(actor, UNDONE, changes_of)
    if changed:
        catalogue_cache.invalidate_catalogue()
    return _count(events, len(changes_of), edited, total)


def rehearse(undo: Undo, total: Undone) -> Undone:
    """Tell what `step` would do, and change nothing."""
    events = _events(undo, total.before)
    skus = [sku for sku in _skus(events) if sku not in undo.articles]
    undo.articles |= import_articles.load(skus, lock=False)
    facts = {sku: article.facts for sku, article in undo.articles.items()}
    edited = _put_back(events, undo.articles)
    products = {a.sheet.id for a in undo.articles.values() if a.facts != facts[a.sku]}
    db.session.rollback()
    return _count(events, len(products), edited, total)


@dataclass(frozen=True)
class _Event:
    id: int
    product_id: int | None
    changes: Changes
    is_ours: bool


def _events(undo: Undo, before: int) -> list[_Event]:
    query = (
        select(AuditEvent.id, AuditEvent.action, AuditEvent.subject_id, AuditEvent.changes)
        .where(AuditEvent.id < before, AuditEvent.id >= undo.oldest)
        .order_by(AuditEvent.id.desc())
        .limit(BATCH)
    )
    return [
        _Event(
            row.id,
            row.subject_id,
            row.changes,
            row.action == IMPORTED and row.changes.get(REFERENCE) == [None, undo.reference],
        )
        for row in db.session.execute(query)
    ]


def _skus(events: Sequence[_Event]) -> list[str]:
    ids = {event.product_id for event in events if event.is_ours and event.product_id}
    query = select(Variant.sku).where(among(Variant.product_id, ids), Variant.deleted_at.is_(None))
    return sorted(db.session.scalars(query)) if ids else []


def _put_back(events: Sequence[_Event], articles: Mapping[str, Article]) -> list[int]:
    """Change articles as they were before the events; the products that were edited since."""
    by_product: dict[int | None, list[Article]] = {}
    for article in articles.values():
        by_product.setdefault(article.sheet.id, []).append(article)
    categories = set(db.session.scalars(select(Category.id)))
    edited = []
    for event in events:
        if not event.is_ours or event.product_id is None:
            continue
        group = by_product.get(event.product_id, [])
        verdict = _judge(event.changes, group, categories)
        if verdict == "as imported":
            for name, (value, _imported) in _fields(event.changes).items():
                _set(name, value, group)
        elif verdict == "edited" and event.product_id not in edited:
            edited.append(event.product_id)
    return edited


def _judge(
    changes: Changes, group: Sequence[Article], categories: set[int]
) -> Literal["as imported", "as before", "edited"]:
    state: dict[str, Any] = {}
    for article in group:
        state |= article.state_of(article.facts)
    fields = _fields(changes)
    if all(name in state and state[name] == old for name, (old, _new) in fields.items()):
        return "as before"
    old_category = fields.get("category_id", [None, None])[0]
    is_there = old_category is None or old_category in categories
    if is_there and all(name in state and state[name] == new for name, (_, new) in fields.items()):
        return "as imported"
    return "edited"


def _fields(changes: Changes) -> Changes:
    """What is put back: not the stock."""
    return {
        name: pair
        for name, pair in changes.items()
        if name in SHEET_NAMES or name.endswith(".price")
    }


def _set(name: str, value: Any, group: Sequence[Article]) -> None:
    if name in SHEET_NAMES:
        setattr(group[0].sheet, name, value)
        return
    variant_id = int(name.split(".")[1])
    for article in group:
        if article.id == variant_id:
            article.price = value


def _count(events: Sequence[_Event], put_back: int, edited: Sequence[int], total: Undone) -> Undone:
    more = [product_id for product_id in edited if product_id not in total.edited]
    return Undone(
        before=events[-1].id if events else total.before,
        put_back=total.put_back + put_back,
        edited=[*total.edited, *more][:LIMIT_OF_EDITED],
        is_done=len(events) < BATCH,
    )
