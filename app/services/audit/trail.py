"""The audit trail: who changed what, when, with the values before and after.

Every operation that staff or commands may use records its changes in the same transaction. The
trail does not record what customers do to their own accounts; sales are in the history of orders and
in the stock ledger. It holds ids and no personal data: `names_of` looks up the names as they are
today, so the name of a deleted account is gone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import SQLColumnExpression, false, select

from app.db.bulk import insert_rows
from app.domain.changes import Changes, differences
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.extensions import db
from app.models import AuditEvent, Category, Order, Product, User, Variant

State = Mapping[str, object]
NOTHING: State = {}
CATEGORY_FIELDS = ("category_id", "parent_id")
"""Fields whose values are ids of categories."""
_COLUMNS = ("at", "user_id", "door", "action", "subject", "subject_id", "changes")


def record(
    actor: Actor, action: str, subject_id: int | None, before: State, after: State = NOTHING
) -> None:
    """Record the fields that differ, and no event if none does.

    `action` names the subject and what happened to it, such as `product.edited`.
    """
    changes = differences(before, after)
    if changes:
        record_many(actor, action, {subject_id: changes})


def record_many(actor: Actor, action: str, changes_by_id: Mapping[int | None, Changes]) -> None:
    """Record the changes of many subjects, by their ids, in one statement."""
    common = (utc_now(), actor.user_id, actor.interface, action, action.partition(".")[0])
    rows = [(*common, subject_id, changes) for subject_id, changes in changes_by_id.items()]
    insert_rows(AuditEvent, _COLUMNS, rows)


def category_state(category: Category) -> State:
    """The fields of a category that the trail records."""
    return {
        "name": category.name,
        "slug": category.slug,
        "description": category.description,
        "parent_id": category.parent_id,
        "position": category.position,
    }


def product_state(product: Product) -> State:
    """The fields of a product and of its variants that the trail records; prices in minor units.

    A variant's fields are named after its id: `variants.7.price`.
    """
    state: dict[str, object] = {
        "name": product.name,
        "slug": product.slug,
        "description": product.description,
        "category_id": product.category_id,
        "compare_at_price": product.compare_at_price,
        "tax_class": product.tax_class,
        "requires_shipping": product.requires_shipping,
        "options": product.options,
        "images": product.images,
        "is_active": product.is_active,
    }
    for variant in product.variants:
        for name in ("sku", "options", "price", "on_hand", "weight", "is_active"):
            state[f"variants.{variant.id}.{name}"] = getattr(variant, name)
    return state


class SubjectName(NamedTuple):
    """The name of a subject today; `page_id` is the id of its page, None where it is deleted.

    A variant's page is its product's.
    """

    name: str
    page_id: int | None


SubjectNames = dict[tuple[str, int], SubjectName]
"""By kind of subject and id."""


class _NameColumns(NamedTuple):
    id: SQLColumnExpression[int]
    name: SQLColumnExpression[str] | SQLColumnExpression[str | None]
    page_id: SQLColumnExpression[int]
    is_deleted: SQLColumnExpression[bool]


def names_of(events: Sequence[AuditEvent]) -> SubjectNames:
    """The names of the subjects and accounts in these events; one statement for each kind."""
    ids: dict[str, set[int]] = {kind: set() for kind in _NAME_COLUMNS}
    for event in events:
        for kind, subject_id in _references(event):
            if kind in ids:
                ids[kind].add(subject_id)
    return {
        (kind, subject_id): name
        for kind, subject_ids in ids.items()
        for subject_id, name in _names(kind, subject_ids)
    }


def emails_of(user_ids: set[int]) -> dict[int, str]:
    """The email addresses of accounts that are not deleted."""
    query = select(User.id, User.email).where(User.id.in_(user_ids), User.deleted_at.is_(None))
    return {row.id: row.email for row in db.session.execute(query)} if user_ids else {}


def _references(event: AuditEvent) -> Iterator[tuple[str, int]]:
    if event.subject_id is not None:
        yield event.subject, event.subject_id
    if event.user_id is not None:
        yield "user", event.user_id
    for field in CATEGORY_FIELDS:
        for category_id in event.changes.get(field, ()):
            if isinstance(category_id, int):
                yield "category", category_id


def _names(kind: str, ids: set[int]) -> Iterable[tuple[int, SubjectName]]:
    if not ids:
        return
    columns = _NAME_COLUMNS[kind]
    query = select(*columns).where(columns.id.in_(ids))
    for subject_id, name, page_id, is_deleted in db.session.execute(query):
        page = None if is_deleted else page_id
        yield subject_id, SubjectName(name or f"{kind} {subject_id}", page)


_NAME_COLUMNS = {
    "product": _NameColumns(Product.id, Product.name, Product.id, Product.deleted_at.is_not(None)),
    "variant": _NameColumns(
        Variant.id, Variant.sku, Variant.product_id, Variant.deleted_at.is_not(None)
    ),
    "category": _NameColumns(Category.id, Category.name, Category.id, false()),
    "order": _NameColumns(Order.id, Order.number, Order.id, false()),
    "user": _NameColumns(User.id, User.email, User.id, User.deleted_at.is_not(None)),
}
