"""Periods that clients give by their first and last date or date-time (RFC 3339)."""

import re
from datetime import datetime, timedelta, timezone

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})", re.ASCII
)


class NotATime(ValueError):
    """A text that is neither a date nor a date-time of RFC 3339."""


def first_moment(text: str) -> datetime:
    """The start of a period: of a date its midnight in UTC, or the date-time itself.

    Raises:
        NotATime: it is no date or date-time of RFC 3339, section 5.6.
    """
    try:
        return _parse(text.strip().upper()).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise NotATime("Not a date or date-time as in RFC 3339.") from None


def moment_after(text: str) -> datetime:
    """The end of a period, exclusive: the midnight after a date, a millisecond after a date-time.

    The shop shows times to the millisecond.

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
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    date, time, fraction, zone = match.groups()
    micros = (fraction or "").ljust(6, "0")[:6]
    return datetime.fromisoformat(f"{date}T{time}.{micros}{'+00:00' if zone == 'Z' else zone}")
