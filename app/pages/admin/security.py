"""The security log for staff: who signed in from where, who failed, and who took what along."""

from typing import Any

from flask import Response, current_app
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.paging import MAX_DEPTH
from app.models import SecurityEvent
from app.pages.admin.base import AdminBlueprint, admin_page, page_href, read_query
from app.pages.admin.trail import user_id_of
from app.schemas.base import Text
from app.schemas.paging import PageArgs
from app.services.audit import security_log, trail
from app.services.audit.security_log import KINDS, SecurityLogFilters

blp = AdminBlueprint("security", __name__, url_prefix="/admin/security")
PER_PAGE = 50
WORDS = {
    security_log.SIGNED_IN: "Signed in",
    security_log.SIGN_IN_FAILED: "Failed to sign in",
    security_log.REGISTERED: "Registered",
    security_log.PASSWORD_CHANGED: "Changed the password",
    security_log.PASSWORD_REFUSED: "Gave a wrong own password",
    security_log.SIGNED_OUT_EVERYWHERE: "Signed out everywhere",
    security_log.ACCOUNT_DELETED: "Deleted the account",
    security_log.RIGHTS_CHANGED: "Changed somebody's rights",
    security_log.ADDRESS_RELEASED: "Freed an address",
    security_log.PERSON_ERASED: "Erased personal data",
    security_log.EXPORTED: "Exported",
    security_log.RESTORED: "Restored a backup",
}


class SecurityArgs(PageArgs):
    """Which events are wanted; `person` is an email address or the id of an account."""

    kind = fields.String(load_default=None, validate=OneOf(KINDS))
    person = Text(254, load_default="")
    address = Text(security_log.LONGEST_ADDRESS, load_default="")


WANTED = SecurityArgs(exclude=["per_page"])


@blp.get("")
def list_events() -> Response:
    """The log, newest first."""
    wanted = read_query(WANTED)
    number = min(wanted["page"], MAX_DEPTH // PER_PAGE)
    filters = SecurityLogFilters(
        wanted["kind"], user_id_of(wanted["person"]), wanted["address"] or None
    )
    found = security_log.list_events(filters, number, PER_PAGE)
    names = trail.emails_of({event.user_id for event in found.items if event.user_id})

    return admin_page(
        "security.html",
        found=found,
        events=[_in_words(event, names) for event in found.items],
        wanted=wanted,
        kinds=WORDS,
        days=current_app.config["SECURITY_LOG_DAYS"],
        page_href=page_href(WANTED),
    )


def _in_words(event: SecurityEvent, names: dict[int, str]) -> dict[str, Any]:
    who = names.get(event.user_id or 0)
    if who is None and event.user_id:
        who = f"account {event.user_id}"
    return {
        "at": event.at,
        "kind": WORDS.get(event.kind, event.kind),
        "is_bad": event.kind in (security_log.SIGN_IN_FAILED, security_log.PASSWORD_REFUSED),
        "who": who or "",
        "user_id": event.user_id if event.user_id in names else None,
        "address": event.address or "",
        "count": event.count,
        "detail": event.detail,
    }
