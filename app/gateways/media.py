"""Storage of picture files: a protocol, and an implementation in a local folder."""

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
DISCARDED = ".going"
UNFINISHED = "unfinished-"
# Without O_NONBLOCK, opening a pipe that has no writer would block.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_FILE = (errno.ENOENT, errno.ELOOP, errno.ENXIO)
"""No such file, a symbolic link, or a socket."""


class MediaStore(Protocol):
    """Files that never change: their names depend on their content."""

    def save(self, name: str, data: bytes) -> bool:
        """Store a file, unless there is one of that name, which has the same content; whether it
        was written."""

    def read(self, name: str) -> bytes | None:
        """A file's content, or None."""

    def url(self, name: str) -> str:
        """The address of a file for browsers."""

    def saved_before(self, moment: datetime) -> Iterator[str]:
        """The names of all files that were last saved before `moment`."""

    def discard(self, name: str, before: datetime) -> bool:
        """Remove a file, unless it was saved after `before`; whether it was removed."""


class FolderStore:
    """Files in a folder that the shop serves, or a web server in front of it."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self._folder, self._base_url = folder, base_url.rstrip("/")

    def save(self, name: str, data: bytes) -> bool:
        """Write the file completely or not at all: readers never see half a picture."""
        path = self._path(name)
        if not path.is_symlink():  # the shop creates none; one is replaced below
            with suppress(OSError):
                os.utime(path)  # in use again: tells `discard` that it is not old
                os.lstat(path)  # fails if `discard` has renamed it, and may have judged it before
                return False
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=UNFINISHED, delete=False) as file:
            unfinished = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                unfinished.chmod(0o644)  # a web server in front runs as somebody else
                unfinished.replace(path)
            except OSError:  # such as a full disk: leave no temporary file on it
                unfinished.unlink(missing_ok=True)
                raise
        return True

    def read(self, name: str) -> bytes | None:
        """A file's content, or None. Symbolic links are not followed: a link could point to any file
        that the shop can read, such as its settings, and would publish it."""
        try:
            descriptor = os.open(self._path(name), _READ)
        except OSError as error:
            if error.errno in _NO_FILE:
                return None
            raise
        with os.fdopen(descriptor, "rb") as file:
            return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None

    def url(self, name: str) -> str:
        """The address, on the shop's own host unless MEDIA_URL names another."""
        return f"{self._base_url}/{name}"

    def saved_before(self, moment: datetime) -> Iterator[str]:
        """The names of pictures. Also removes or restores what a crash has left behind."""
        files = list(self._folder.iterdir()) if self._folder.is_dir() else []
        for path in files:
            if path.suffix == DISCARDED:
                with suppress(FileNotFoundError):
                    os.utime(path)  # makes it new, so that a later run decides
                    path.replace(path.with_suffix(""))
                continue
            if not _is_older(path, moment):
                continue
            if NAME.fullmatch(path.name):
                yield path.name
            elif path.name.startswith(UNFINISHED):
                path.unlink(missing_ok=True)

    def discard(self, name: str, before: datetime) -> bool:
        """Rename the file first, then check its age. A concurrent `save` has either touched the file
        before, so that it is renamed back, or does not find it and writes it again."""
        path = self._path(name)
        renamed = path.with_name(name + DISCARDED)
        try:
            path.replace(renamed)
            if _is_older(renamed, before):
                renamed.unlink()
                return True
            renamed.replace(path)
        except FileNotFoundError:  # another process discards it
            pass
        return False

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ValueError("Not the name of a picture.")
        return self._folder / name


def _is_older(path: Path, moment: datetime) -> bool:
    with suppress(FileNotFoundError):
        return path.lstat().st_mtime < moment.timestamp()
    return False


def register(app: Flask) -> None:
    """Create the store of the app."""
    folder, base_url = Path(app.config["MEDIA_FOLDER"]), app.config["MEDIA_URL"]
    app.extensions["media"] = FolderStore(folder, base_url)


def store() -> MediaStore:
    """The store of the running app."""
    media: MediaStore = current_app.extensions["media"]
    return media
