"""Small files in STATUS_FOLDER, by which commands and workers tell the servers how they are."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 65_536


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by the servers, which may run as another user.

    Raises:
        OSError: it cannot be written; the file that was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        Path(temporary).replace(path)
    except OSError:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def content(path: Path) -> bytes:
    """The first MAX_BYTES of a regular file. Follows no link, and waits for no writer of a pipe.

    Raises:
        OSError: there is no such file, or it is a link.
        ValueError: it is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("This is not a regular file.")
        return file.read(MAX_BYTES)
