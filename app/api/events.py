"""The feed of events, for staff's own programs."""

from typing import Any

from app.db.unit_of_work import in_transaction
from app.schemas.events import EventFeedArgs, EventFeedSchema
from app.services.messages import event_feed, subscribers
from app.services.messages.event_feed import EventRow
from app.utils.decorators import admin_required
from app.web.blueprints import ShopBlueprint

blp = ShopBlueprint("events", __name__, url_prefix="/api/events", private=True)


@blp.get("")
@admin_required
@blp.arguments(EventFeedArgs, location="query")
@blp.response(200, EventFeedSchema)
def list_events(args: dict[str, Any]) -> dict[str, object]:
    """What happened, in order, for at least 90 days. A reader who goes on from `next_after` misses
    nothing, however late it commits."""
    if event_feed.is_any_unnumbered():
        in_transaction(subscribers.relay_events)
    events = event_feed.list_events(args["after"], args["limit"], args["type"])
    return {
        "items": [_body(event) for event in events],
        "next_after": events[-1].seq if events else args["after"],
    }


def _body(event: EventRow) -> dict[str, object]:
    subject = {"kind": event.subject_kind, "id": event.subject_id}
    return {
        "seq": event.seq, "type": event.type, "at": event.at,
        "subject": subject, "data": event.public_data,
    }  # fmt: skip
