"""The feed of events in the API."""

from marshmallow import fields as ma
from marshmallow.validate import OneOf

from app.domain.event_types import EVENT_TYPES, SUBJECT_KINDS
from app.schemas.base import Number, QuerySchema, ShopSchema, Time

DEFAULT_LIMIT = 100
MAX_LIMIT = 500


class EventFeedArgs(QuerySchema):
    """`?after=17&type=order.placed&limit=100`."""

    after = Number(
        0, 2**63 - 1, load_default=0,
        metadata={"description": "The `next_after` of the last answer; 0 for the oldest events."},
    )  # fmt: skip
    type = ma.String(
        load_default=None, validate=OneOf(EVENT_TYPES),
        metadata={"description": "Only events of this type."},
    )  # fmt: skip
    limit = Number(
        1, MAX_LIMIT, load_default=DEFAULT_LIMIT,
        metadata={"description": f"At most so many events; {DEFAULT_LIMIT} if it is left out."},
    )  # fmt: skip


class SubjectSchema(ShopSchema):
    """What an event is about."""

    kind = ma.String(validate=OneOf(SUBJECT_KINDS))
    id = ma.Integer()


class EventSchema(ShopSchema):
    """One thing that happened."""

    seq = ma.Integer()
    type = ma.String(validate=OneOf(EVENT_TYPES))
    at = Time()
    subject = ma.Nested(SubjectSchema)
    data = ma.Dict(metadata={"description": "Facts at the time of the event, by its type."})


class EventFeedSchema(ShopSchema):
    """A part of the feed."""

    items = ma.List(ma.Nested(EventSchema))
    next_after = ma.Integer()
