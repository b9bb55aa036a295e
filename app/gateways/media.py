"""Where pictures are kept: in a local folder, unless something else is put in its place."""

import os
import re
import tempfile
from pathlib import Path
from typing import Protocol

from flask import Flask, current_app

NAME = re.compile(r"[0-9a-f]{32}-[0-9]{1,4}\.webp")


class MediaStore(Protocol):
    """Files that never change: their names say their content."""

    def save(self, name: str, data: bytes) -> None:
        """Keep a file; one that is there already is the same."""

    def read(self, name: str) -> bytes | None:
        """A file's content, or None."""

    def url(self, name: str) -> str:
        """Where browsers find it."""


class FolderStore:
    """Files in a folder, which the shop itself serves, or a web server in front of it."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self._folder, self._base_url = folder, base_url.rstrip("/")

    def save(self, name: str, data: bytes) -> None:
        """Write it whole or not at all: readers never see half a picture."""
        path = self._path(name)
        if path.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
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
        """A file's content, or None."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def url(self, name: str) -> str:
        """Its address, on our own host unless MEDIA_URL names another."""
        return f"{self._base_url}/{name}"

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ValueError("This is no name of a picture.")
        return self._folder / name


def register(app: Flask) -> None:
    """Give the app its store."""
    folder, base_url = Path(app.config["MEDIA_FOLDER"]), app.config["MEDIA_URL"]
    app.extensions["media"] = FolderStore(folder, base_url)


def store() -> MediaStore:
    """The store of the running app."""
    found: MediaStore = current_app.extensions["media"]
    return found
