"""Paths of categories as one line of text: `Home > Kitchen`."""

import re
from collections.abc import Iterable
from functools import lru_cache

from app.domain.text import NotText, clean

MAX_NAME = 200
MAX_DEPTH = 10
Path = tuple[str, ...]
_BORDER = re.compile(r"(?<!\\)>")


@lru_cache(1000)  # the rows of a list share a few paths
def read_path(text: str) -> Path:
    r"""The names from the root down; `\>` is a `>` within a name. An empty text is an empty path.

    Raises:
        NotText: an empty or overlong name, control characters, or more than MAX_DEPTH levels.
    """
    if not text.strip():
        return ()
    names = tuple(
        clean(name.replace(r"\>", ">"), 1, MAX_NAME) for name in _BORDER.split(clean(text, 1, 5000))
    )
    if len(names) > MAX_DEPTH:
        raise NotText(f"At most {MAX_DEPTH} levels.")
    return names


def write_path(names: Iterable[str]) -> str:
    """The text that `read_path` reads these names from."""
    return " > ".join(name.replace(">", r"\>") for name in names)
