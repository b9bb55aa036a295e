"""The audit trail: who changed what, when, before and after. It only grows.

Verbs that staff or commands may use record what they changed, in the same transaction. What a
customer does to the own account is nobody else's business and not recorded; an order's history
and the stock ledger tell of sales.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.db.bulk import insert_rows
from app.db.paging import Page, fetch_page
from app.domain.changes import Changes, differences
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.models import AuditEvent, Category, Product

State = Mapping[str, Any]
NOTHING: State = {}
_COLUMNS = ("at", "user_id", "door", "action", "subject", "subject_id", "changes")


@dataclass(frozen=True)
class Filters:
    """Which events are wanted; what is None does not matter."""

    subject: str | None = None
    subject_id: int | None = None
    user_id: int | None = None


def record(
    actor: Actor, action: str, subject_id: int | None, before: State, after: State = NOTHING
) -> None:
    """Note a change, with the fields that differ; `action` is spelled `product.edited`.

    Where nothing differs, nothing is noted.
    """
    changes = differences(before, after)
    if changes:
        record_many(actor, action, {subject_id: changes})


def record_many(actor: Actor, action: str, changes_of: Mapping[int | None, Changes]) -> None:
    """Note the changes of many subjects, by their ids, in one statement."""
    who = (utc_now(), actor.user_id, actor.door, action, action.partition(".")[0])
    rows = [(*who, subject_id, changes) for subject_id, changes in changes_of.items()]
    insert_rows(AuditEvent, _COLUMNS, rows)


def list_events(filters: Filters, page: int, per_page: int) -> Page[AuditEvent]:
    """The trail, newest first.

    Raises:
        Invalid: `use_cursor`, where the page lies too deep.
    """
    query = select(AuditEvent)
    if filters.subject is not None:
        query = query.where(AuditEvent.subject == filters.subject)
    if filters.subject_id is not None:
        query = query.where(AuditEvent.subject_id == filters.subject_id)
    if filters.user_id is not None:
        query = query.where(AuditEvent.user_id == filters.user_id)
    return fetch_page(query, [AuditEvent.id.desc()], page, per_page)


def category_state(category: Category) -> State:
    """What the trail tells of a category."""
    return {
        "name": category.name,
        "slug": category.slug,
        "description": category.description,
        "parent_id": category.parent_id,
        "position": category.position,
    }


def product_state(product: Product) -> State:
    """What the trail tells of a product and its variants; prices in minor units.

    A variant's fields are named after its id: `variants.7.price`.
    """
    state: dict[str, Any] = {
        "name": product.name,
        "slug": product.slug,
        "description": product.description,
        "category_id": product.category_id,
        "compare_at_price": product.compare_at_price,
        "options": product.options,
        "images": product.images,
        "is_active": product.is_active,
    }
    for variant in product.variants:
        for name in ("sku", "options", "price", "on_hand", "is_active"):
            state[f"variants.{variant.id}.{name}"] = getattr(variant, name)
    return state
