"""The audit trail for staff: who changed what, when, with the values before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Response
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.paging import MAX_DEPTH
from app.models import AuditEvent
from app.pages.admin.base import AdminBlueprint, admin_page, page_href, read_query
from app.pages.admin.changes import Change, readable
from app.schemas.base import Number, Text
from app.schemas.paging import PageArgs
from app.services import user_service
from app.services.audit import trail
from app.services.audit.events import newest_first
from app.services.audit.trail import SubjectName, SubjectNames

blp = AdminBlueprint("trail", __name__, url_prefix="/admin/audit-trail")
PER_PAGE = 50
SUBJECTS = ("product", "variant", "category", "order", "user", "job", "settings", "shop")
ORIGINS = {"api": "API", "pages": "Pages", "cli": "Command line"}
PATHS = {
    "product": "/admin/products/{}",
    "variant": "/admin/products/{}/stock",
    "category": "/admin/categories/{}",
    "order": "/admin/orders/{}",
    "user": "/admin/customers/{}",
}
NOBODY = 0
"""An id that no account has."""


class TrailArgs(PageArgs):
    """Which events to list; `person` is an email address or the id of an account."""

    subject = fields.String(load_default=None, validate=OneOf(SUBJECTS))
    id = Number(1, 2**63 - 1, load_default=None)
    person = Text(254, load_default="")


ARGS = TrailArgs(exclude=["per_page"])


@dataclass(frozen=True)
class TrailEntry:
    """An event as the page shows it. `person_id` and `href` are empty where there is no page to
    link to."""

    at: datetime
    origin: str
    person: str
    person_id: int | None
    action: str
    subject: str
    name: str
    href: str
    changes: Sequence[Change]


@blp.get("")
def list_events() -> Response:
    """The trail, newest first."""
    args = read_query(ARGS)
    number = min(args["page"], MAX_DEPTH // PER_PAGE)
    which = {"subject": args["subject"], "subject_id": args["id"]}
    results = newest_first(
        AuditEvent, number, PER_PAGE, user_id=user_id_of(args["person"]), **which
    )
    names = trail.names_of(results.items)

    return admin_page(
        "trail.html",
        results=results,
        entries=[_entry(event, names) for event in results.items],
        filters=args,
        subjects=SUBJECTS,
        page_href=page_href(ARGS),
    )


def user_id_of(person: str) -> int | None:
    """The account with this email or id; NOBODY if there is none, None for an empty text."""
    if not person:
        return None
    if person.isascii() and person.isdigit():
        return int(person) if len(person) < 19 else NOBODY
    user = user_service.find_by_email(person)
    return user.id if user else NOBODY


def _entry(event: AuditEvent, names: SubjectNames) -> TrailEntry:
    unnamed = f"user {event.user_id}" if event.user_id else "the system"
    person = names.get(("user", event.user_id or NOBODY), SubjectName(unnamed, None))
    subject = names.get((event.subject, event.subject_id or NOBODY), SubjectName("", None))
    return TrailEntry(
        at=event.at,
        origin=ORIGINS.get(event.door, event.door),
        person=person.name,
        person_id=person.page_id,
        action=event.action.partition(".")[2].replace("_", " "),
        subject=" ".join(map(str, filter(None, (event.subject, event.subject_id)))),
        name=subject.name,
        href=PATHS[event.subject].format(subject.page_id) if subject.page_id else "",
        changes=readable(event.changes, names),
    )
