"""The names of those whom the audit trail knows by their ids, as they are called today.

Nothing personal is in the trail itself: an account that was deleted has no name here any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.extensions import db
from app.models import AuditEvent, Category, Order, Product, User, Variant

CATEGORY_FIELDS = ("category_id", "parent_id")
"""Fields whose values are ids of categories."""


@dataclass(frozen=True)
class Named:
    """A subject as it is called; `page_id` leads to it and is None where it is gone.

    A variant's page is its product's.
    """

    name: str
    page_id: int | None


Names = dict[tuple[str, int], Named]
"""By subject and id."""


def names_of(events: Sequence[AuditEvent]) -> Names:
    """Whom and what these events are about, and who did it; a statement a kind of subject."""
    ids: dict[str, set[int]] = {kind: set() for kind in _QUERIES}
    for event in events:
        for kind, subject_id in _mentioned(event):
            if kind in ids:
                ids[kind].add(subject_id)
    return {
        (kind, row_id): Named(name, page_id)
        for kind, wanted in ids.items()
        for row_id, name, page_id in _found(kind, wanted)
    }


def emails_of(user_ids: set[int]) -> dict[int, str]:
    """The email addresses of accounts that are not deleted."""
    query = select(User.id, User.email).where(User.id.in_(user_ids), User.deleted_at.is_(None))
    return {row.id: row.email for row in db.session.execute(query)} if user_ids else {}


def _mentioned(event: AuditEvent) -> Iterable[tuple[str, int]]:
    if event.subject_id is not None:
        yield event.subject, event.subject_id
    if event.user_id is not None:
        yield "user", event.user_id
    for field in CATEGORY_FIELDS:
        for category_id in event.changes.get(field, ()):
            if isinstance(category_id, int):
                yield "category", category_id


def _found(kind: str, ids: set[int]) -> Iterable[tuple[int, str, int | None]]:
    if not ids:
        return
    identity, name, page_id, gone = _QUERIES[kind]
    columns = [identity, name, page_id, identity if gone is None else gone]
    for row_id, called, page, deleted in db.session.execute(
        select(*columns).where(identity.in_(ids))
    ):
        there = gone is None or deleted is None
        yield row_id, called or f"{kind} {row_id}", page if there else None


# Id, name, id of the page, and when it was deleted, where it can be.
_QUERIES: dict[str, tuple[Any, Any, Any, Any]] = {
    "product": (Product.id, Product.name, Product.id, Product.deleted_at),
    "variant": (Variant.id, Variant.sku, Variant.product_id, Variant.deleted_at),
    "category": (Category.id, Category.name, Category.id, None),
    "order": (Order.id, Order.number, Order.id, None),
    "user": (User.id, User.email, User.id, User.deleted_at),
}
