"""Spans of time as clients name them: RFC 3339 dates and date-times."""

import re
from datetime import datetime, timedelta, timezone

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})", re.ASCII
)


class NotATime(ValueError):
    """A text that is neither a date nor a date-time of RFC 3339."""


def first_moment(text: str) -> datetime:
    """Where the span `text` begins: a date at its midnight in UTC, a date-time at itself.

    Raises:
        NotATime: it is no date or date-time of RFC 3339, section 5.6.
    """
    try:
        return _parse(text.strip().upper()).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise NotATime("Not a date or date-time as in RFC 3339.") from None


def moment_after(text: str) -> datetime:
    """Where the span `text` has ended: a date at the next midnight in UTC, a date-time a
    millisecond later, which is as exact as the shop shows its times.

    Raises:
        NotATime: it is no date or date-time of RFC 3339, section 5.6.
    """
    span = timedelta(days=1) if _DATE.fullmatch(text.strip()) else timedelta(milliseconds=1)
    begin = first_moment(text)
    latest = datetime.max.replace(tzinfo=timezone.utc)
    return begin + span if begin < latest - span else latest


def _parse(text: str) -> datetime:
    if _DATE.fullmatch(text):
        return datetime.fromisoformat(f"{text}T00:00:00+00:00")
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    date, time, fraction, zone = found.groups()
    micros = (fraction or "").ljust(6, "0")[:6]
    return datetime.fromisoformat(f"{date}T{time}.{micros}{'+00:00' if zone == 'Z' else zone}")
