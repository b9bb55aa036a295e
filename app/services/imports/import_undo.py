"""Puts back what an import changed, such as wrong prices, from the audit trail.

Batches of audit events are read from the newest to the oldest, each in a transaction of its own. A
field is put back only where it still has the value that the import gave it. If any of these
fields was edited after the import, nothing of that product is restored. The work can be interrupted and begun again: a
field that was put back no longer has the import's value.

Stock is not put back, since sales and deliveries went on; a count corrects it. Products that the
import created stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sqlalchemy import select

from app.db.bulk import among
from app.domain.changes import Changes
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.extensions import db
from app.models import AuditEvent, Category, Variant
from app.services.audit import trail
from app.services.cache import catalogue_cache
from app.services.imports import import_service, import_state
from app.services.imports.import_service import IMPORTED, REFERENCE
from app.services.imports.import_state import ProductValues, VariantState

BATCH = 2000
"""Audit events a transaction, those of other changes included."""
UNDONE = "product.import_undone"
MAX_EDITED = 1000
"""How many products are named as edited since."""
_LATEST = 2**62


@dataclass
class ImportUndo:
    """An import that is undone, and what a preview has put back in memory.

    `oldest` is the id of an audit event before which the import cannot have begun, if that is known.
    """

    reference: str
    oldest: int = 0
    variants: dict[str, VariantState] = field(default_factory=dict)


@dataclass(frozen=True)
class UndoProgress:
    """How far it is: events with an id below `before` are still to be read."""

    before: int = _LATEST
    put_back: int = 0
    edited: Sequence[int] = ()
    is_done: bool = False


def step(actor: Actor, undo: ImportUndo, progress: UndoProgress) -> UndoProgress:
    """Put back what the next batch of events records, and return how far it is then."""
    events = _events(undo, progress.before)
    variants = import_state.load(_skus(events), lock=True)
    before = {sku: variant.values for sku, variant in variants.items()}
    edited = _put_back(events, variants)
    changed = [variant for variant in variants.values() if variant.values != before[variant.sku]]
    import_service.write_changes(changed, before, utc_now())
    changes_of = import_service.changes_by_product(changed, before, undo.reference)
    trail.record_many(actor, UNDONE, changes_of)
    if changed:
        catalogue_cache.invalidate_catalogue()
    return _advance(progress, events, len(changes_of), edited)


def preview_step(undo: ImportUndo, progress: UndoProgress) -> UndoProgress:
    """What `step` would do. Changes nothing."""
    events = _events(undo, progress.before)
    skus = [sku for sku in _skus(events) if sku not in undo.variants]
    undo.variants |= import_state.load(skus, lock=False)
    before = {sku: variant.values for sku, variant in undo.variants.items()}
    edited = _put_back(events, undo.variants)
    products = {v.product.id for v in undo.variants.values() if v.values != before[v.sku]}
    return _advance(progress, events, len(products), edited)


class _Event(NamedTuple):
    id: int
    product_id: int | None
    changes: Changes
    is_ours: bool


def _events(undo: ImportUndo, before: int) -> list[_Event]:
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


def _put_back(events: Sequence[_Event], variants: Mapping[str, VariantState]) -> list[int]:
    """Give variants the values from before the events, and return the ids of the products that
    were edited since."""
    by_product: dict[int | None, list[VariantState]] = {}
    for variant in variants.values():
        by_product.setdefault(variant.product.id, []).append(variant)
    categories = set(db.session.scalars(select(Category.id)))
    edited = []
    for event in events:
        if not event.is_ours or event.product_id is None:
            continue
        group = by_product.get(event.product_id, [])
        state = _state_since(event.changes, group, categories)
        if state == "as imported":
            for name, (value, _imported) in _fields(event.changes).items():
                _set(name, value, group)
        elif state == "edited" and event.product_id not in edited:
            edited.append(event.product_id)
    return edited


def _state_since(
    changes: Changes, group: Sequence[VariantState], categories: set[int]
) -> Literal["as imported", "as before", "edited"]:
    """How the variants of a product compare with the values before and after an import."""
    state: dict[str, object] = {}
    for variant in group:
        state |= variant.audit_state(variant.values)
    fields = _fields(changes)
    if all(name in state and state[name] == old for name, (old, _new) in fields.items()):
        return "as before"
    old_category = fields.get("category_id", [None, None])[0]
    exists = old_category is None or old_category in categories
    if exists and all(name in state and state[name] == new for name, (_, new) in fields.items()):
        return "as imported"
    return "edited"


def _fields(changes: Changes) -> Changes:
    """The fields that are put back: all but the stock."""
    return {
        name: pair
        for name, pair in changes.items()
        if name in ProductValues._fields or name.endswith((".price", ".weight"))
    }


def _set(name: str, value: object, group: Sequence[VariantState]) -> None:
    if name in ProductValues._fields:
        product = group[0].product
        product.values = ProductValues(**{**product.values._asdict(), name: value})
        return
    _variants, variant_id, field = name.split(".")
    for variant in group:
        if variant.id == int(variant_id) and isinstance(value, int):
            setattr(variant, field, value)


def _advance(
    progress: UndoProgress, events: Sequence[_Event], put_back: int, edited: Sequence[int]
) -> UndoProgress:
    more = [product_id for product_id in edited if product_id not in progress.edited]
    return UndoProgress(
        before=events[-1].id if events else progress.before,
        put_back=progress.put_back + put_back,
        edited=[*progress.edited, *more][:MAX_EDITED],
        is_done=len(events) < BATCH,
    )
