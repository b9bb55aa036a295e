"""The security log for staff: sign-ins, failures and exports, with their network addresses."""

from dataclasses import dataclass
from datetime import datetime

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
from app.services.audit.events import newest_first
from app.services.audit.security_log import KINDS

blp = AdminBlueprint("security", __name__, url_prefix="/admin/security")
PER_PAGE = 50
LABELS = {
    security_log.SIGNED_IN: "Signed in",
    security_log.SIGN_IN_FAILED: "Failed to sign in",
    security_log.REGISTERED: "Registered",
    security_log.PASSWORD_CHANGED: "Changed the password",
    security_log.PASSWORD_REFUSED: "Gave a wrong own password",
    security_log.SIGNED_OUT_EVERYWHERE: "Signed out everywhere",
    security_log.SESSION_ENDED: "Ended a session",
    security_log.CODE_REFUSED: "Gave a wrong code",
    security_log.SECOND_FACTOR_ADDED: "Added a second factor",
    security_log.SECOND_FACTOR_REMOVED: "Removed a second factor",
    security_log.RECOVERY_CODES_RENEWED: "Made new recovery codes",
    security_log.ACCOUNT_DELETED: "Deleted the account",
    security_log.RIGHTS_CHANGED: "Changed somebody's rights",
    security_log.ADDRESS_RELEASED: "Freed an address",
    security_log.EMAIL_CHANGED: "Changed email address",
    security_log.PERSON_ERASED: "Erased personal data",
    security_log.EXPORTED: "Exported",
    security_log.RESTORED: "Restored a backup",
}
BAD = (security_log.SIGN_IN_FAILED, security_log.PASSWORD_REFUSED, security_log.CODE_REFUSED)


class SecurityArgs(PageArgs):
    """Which events to list; `person` is an email address or the id of an account."""

    kind = fields.String(load_default=None, validate=OneOf(KINDS))
    person = Text(254, load_default="")
    address = Text(security_log.LONGEST_ADDRESS, load_default="")


ARGS = SecurityArgs(exclude=["per_page"])


@dataclass(frozen=True)
class LogLine:
    """An event as the page shows it; `user_id` is None where there is no account to link to."""

    at: datetime
    kind: str
    is_bad: bool
    account: str
    user_id: int | None
    address: str
    count: int
    detail: str


@blp.get("")
def list_events() -> Response:
    """The log, newest first."""
    args = read_query(ARGS)
    number = min(args["page"], MAX_DEPTH // PER_PAGE)
    which = {"kind": args["kind"], "address": args["address"] or None}
    events = newest_first(
        SecurityEvent, number, PER_PAGE, user_id=user_id_of(args["person"]), **which
    )
    emails = trail.emails_of({event.user_id for event in events.items if event.user_id})

    return admin_page(
        "security.html",
        results=events,
        lines=[_log_line(event, emails) for event in events.items],
        filters=args,
        kinds=LABELS,
        days=current_app.config["SECURITY_LOG_DAYS"],
        page_href=page_href(ARGS),
    )


def _log_line(event: SecurityEvent, emails: dict[int, str]) -> LogLine:
    account = f"account {event.user_id}" if event.user_id else ""
    return LogLine(
        at=event.at,
        kind=LABELS.get(event.kind, event.kind),
        is_bad=event.kind in BAD,
        account=emails.get(event.user_id or 0, account),
        user_id=event.user_id if event.user_id in emails else None,
        address=event.address or "",
        count=event.count,
        detail=event.detail,
    )
