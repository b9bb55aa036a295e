"""Regular files only: copied, bounded and hashed in one pass, and never through a link.

What is hashed is what is used. A file that is hashed first and opened again later may be another
one by then, so a restore copies each file into a folder of its own, hashes it while it copies, and
uses the copy.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from backups.failure import Failure

CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileDigest(NamedTuple):
    """What a manifest says of a file."""

    size: int
    """In bytes."""
    sha256: str
    """In hexadecimal."""


class NoRegularFile(Failure):
    """A link, a folder, a pipe or a device."""


@contextlib.contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """A descriptor of a folder, to open files in it whatever its path leads to later.

    Raises:
        NoRegularFile: the last part of the path is a link, or no folder.
    """
    try:
        descriptor = os.open(path, _READ | os.O_DIRECTORY)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError:
        raise NoRegularFile(f"{path} is a link, or no folder") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened(name: str, folder: int) -> Iterator[BinaryIO]:
    """A regular file in a folder, open for reading.

    Raises:
        NoRegularFile
        FileNotFoundError
    """
    try:  # a pipe without a writer would keep whoever opens it waiting
        descriptor = os.open(name, _READ | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError:
        raise NoRegularFile(f"{name} is a link, or cannot be read") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NoRegularFile(f"{name} is no regular file")
        yield file


def copy(source: BinaryIO, target: Path, limit: int, mode: int = 0o600) -> FileDigest:
    """Write a new file from an open one, and tell what was written.

    Raises:
        Failure: the source is longer than `limit` bytes, of which no more are written.
        FileExistsError: there is a file, or a link, of that name.
    """
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(target, _CREATE, mode), "wb") as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise Failure(f"{target.name} is longer than {limit:,} bytes")
            digest.update(chunk)
            file.write(chunk)
        os.fchmod(file.fileno(), mode)
    return FileDigest(size, digest.hexdigest())


def copy_verified(
    name: str, folder: int, target: Path, expected: FileDigest, mode: int = 0o600
) -> None:
    """Copy a file of a backup to a new place, and prove that the copy is what was backed up.

    Raises:
        Failure: it is missing, no regular file, or another one than the manifest says.
    """
    try:
        with opened(name, folder) as source:
            digest = copy(source, target, expected.size, mode)
    except FileNotFoundError:
        raise Failure(f"the backup is damaged: {name} is missing") from None
    if digest != expected:
        raise Failure(f"the backup is damaged: the size or checksum of {name} is another")


def digest_of(name: str, folder: int) -> FileDigest:
    """Size and checksum of a regular file.

    Raises:
        NoRegularFile
        FileNotFoundError
    """
    digest, size = hashlib.sha256(), 0
    with opened(name, folder) as file:
        while chunk := file.read(CHUNK):
            size += len(chunk)
            digest.update(chunk)
    return FileDigest(size, digest.hexdigest())
