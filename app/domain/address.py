"""Ids and slugs in paths."""

import re

from app.domain.text import is_slug

_ID = re.compile(r"[1-9][0-9]{0,18}")
MAX_ID = 2**63 - 1


def id_or_slug(text: str) -> int | str | None:
    """An id as int, a slug as str, None for any other text. No slug consists of digits only."""
    if _ID.fullmatch(text) and int(text) <= MAX_ID:
        return int(text)
    return text if is_slug(text) else None
