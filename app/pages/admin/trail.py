"""The audit trail for staff: who changed what, when, before and after."""

from typing import Any

from flask import Response
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.paging import MAX_DEPTH
from app.models import AuditEvent
from app.pages.admin.base import AdminBlueprint, admin_page, page_href, read_query
from app.pages.admin.changes import readable
from app.schemas.base import Number, Text
from app.schemas.paging import PageArgs
from app.services import user_service
from app.services.audit import trail
from app.services.audit.trail import SubjectNames, TrailFilters

blp = AdminBlueprint("trail", __name__, url_prefix="/admin/audit-trail")
PER_PAGE = 50
SUBJECTS = ("product", "variant", "category", "order", "user", "shop")
DOORS = {"api": "API", "pages": "Pages", "cli": "Command line"}
PLACES = {
    "product": "/admin/products/{}",
    "variant": "/admin/products/{}/stock",
    "category": "/admin/categories/{}",
    "order": "/admin/orders/{}",
    "user": "/admin/customers/{}",
}
NOBODY = 0
"""An id that no account has."""


class TrailArgs(PageArgs):
    """Which events are wanted; `person` is an email address or the id of an account."""

    subject = fields.String(load_default=None, validate=OneOf(SUBJECTS))
    id = Number(1, 2**63 - 1, load_default=None)
    person = Text(254, load_default="")


WANTED = TrailArgs(exclude=["per_page"])


@blp.get("")
def list_events() -> Response:
    """The trail, newest first."""
    wanted = read_query(WANTED)
    number = min(wanted["page"], MAX_DEPTH // PER_PAGE)
    filters = TrailFilters(wanted["subject"], wanted["id"], user_id_of(wanted["person"]))
    found = trail.list_events(filters, number, PER_PAGE)
    names = trail.names_of(found.items)

    return admin_page(
        "trail.html",
        found=found,
        events=[_told(event, names) for event in found.items],
        wanted=wanted,
        subjects=SUBJECTS,
        page_href=page_href(WANTED),
    )


def user_id_of(person: str) -> int | None:
    """The account that an email or an id names; NOBODY where it names none, None for no text."""
    if not person:
        return None
    if person.isascii() and person.isdigit():
        return int(person) if len(person) < 19 else NOBODY
    user = user_service.find_by_email(person)
    return user.id if user else NOBODY


def _told(event: AuditEvent, names: SubjectNames) -> dict[str, Any]:
    """An event in words."""
    who = names.get(("user", event.user_id or NOBODY))
    what = names.get((event.subject, event.subject_id or NOBODY))
    subject = event.subject if event.subject_id is None else f"{event.subject} {event.subject_id}"
    return {
        "at": event.at,
        "door": DOORS.get(event.door, event.door),
        "who": who.name if who else f"user {event.user_id}" if event.user_id else "the system",
        "who_id": who.page_id if who else None,
        "action": event.action.partition(".")[2].replace("_", " "),
        "subject": subject,
        "name": what.name if what else "",
        "href": PLACES[event.subject].format(what.page_id) if what and what.page_id else "",
        "changes": readable(event.changes, names),
    }
