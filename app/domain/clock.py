"""The one place where the program asks what time it is."""

from datetime import datetime, timezone


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(timezone.utc)


def rfc3339(moment: datetime) -> str:
    """An aware time as clients see it: RFC 3339 in UTC with `Z`, in milliseconds."""
    utc = moment.astimezone(timezone.utc)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
