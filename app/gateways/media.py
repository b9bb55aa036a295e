"""Where pictures are kept: in a local folder, unless something else is put in its place."""

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from flask import Flask, current_app

NAME = re.compile(r"[0-9a-f]{32}-[0-9]{1,4}\.webp")
GOING = ".going"
UNFINISHED = "unfinished-"
# A pipe that nobody writes to would keep whoever opens it waiting without O_NONBLOCK.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_FILE = (errno.ENOENT, errno.ELOOP, errno.ENXIO)
"""Nothing of that name, a link, or a socket."""


class MediaStore(Protocol):
    """Files that never change: their names say their content."""

    def save(self, name: str, data: bytes) -> None:
        """Keep a file; one that is there already is the same."""

    def read(self, name: str) -> bytes | None:
        """A file's content, or None."""

    def url(self, name: str) -> str:
        """Where browsers find it."""

    def saved_before(self, moment: datetime) -> Iterator[str]:
        """The names of all files that were last saved before a moment."""

    def discard(self, name: str, before: datetime) -> bool:
        """Remove a file, unless it was saved after that moment; whether it is gone."""


class FolderStore:
    """Files in a folder, which the shop itself serves, or a web server in front of it."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self._folder, self._base_url = folder, base_url.rstrip("/")

    def save(self, name: str, data: bytes) -> None:
        """Write it whole or not at all: readers never see half a picture."""
        path = self._path(name)
        if not path.is_symlink():  # which nobody here makes, and is replaced
            with suppress(OSError):
                os.utime(path)  # wanted again: whoever discards what is old sees it
                return
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=UNFINISHED, delete=False) as file:
            unfinished = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                unfinished.chmod(0o644)  # a web server in front runs as somebody else
                unfinished.replace(path)
            except OSError:  # such as a full disk, which needs no rubbish on top
                unfinished.unlink(missing_ok=True)
                raise

    def read(self, name: str) -> bytes | None:
        """A file's content, or None. A link is never followed: it may lead to any file that the
        shop can read, such as its settings, and would publish it."""
        try:
            descriptor = os.open(self._path(name), _READ)
        except OSError as error:
            if error.errno in _NO_FILE:
                return None
            raise
        with os.fdopen(descriptor, "rb") as file:
            return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None

    def url(self, name: str) -> str:
        """Its address, on our own host unless MEDIA_URL names another."""
        return f"{self._base_url}/{name}"

    def saved_before(self, moment: datetime) -> Iterator[str]:
        """Names of pictures; what a crash has left of others goes meanwhile."""
        files = list(self._folder.iterdir()) if self._folder.is_dir() else []
        for path in files:
            if path.suffix == GOING:
                with suppress(FileNotFoundError):
                    os.utime(path)  # to be looked at another day
                    path.replace(path.with_suffix(""))
                continue
            if not _is_older(path, moment):
                continue
            if NAME.fullmatch(path.name):
                yield path.name
            elif path.name.startswith(UNFINISHED):
                path.unlink(missing_ok=True)

    def discard(self, name: str, before: datetime) -> bool:
        """Out of the way first, then looked at: `save` either has touched the file by then, and it
        is put back, or does not find it, and writes it anew."""
        path = self._path(name)
        going = path.with_name(name + GOING)
        try:
            path.replace(going)
            if _is_older(going, before):
                going.unlink()
                return True
            going.replace(path)
        except FileNotFoundError:  # somebody else discards it
            pass
        return False

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ValueError("This is no name of a picture.")
        return self._folder / name


def _is_older(path: Path, moment: datetime) -> bool:
    with suppress(FileNotFoundError):
        return path.lstat().st_mtime < moment.timestamp()
    return False


def register(app: Flask) -> None:
    """Give the app its store."""
    folder, base_url = Path(app.config["MEDIA_FOLDER"]), app.config["MEDIA_URL"]
    app.extensions["media"] = FolderStore(folder, base_url)


def store() -> MediaStore:
    """The store of the running app."""
    found: MediaStore = current_app.extensions["media"]
    return found
