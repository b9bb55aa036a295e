"""Pictures: regular files whose names `app.gateways.media` gives, and nothing else."""

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.gateways import media
from backups.failure import Failure
from backups.files import (
    FileDigest,
    NoRegularFile,
    copy,
    copy_verified,
    digest_of,
    opened,
    opened_folder,
)
from backups.manifests import MAX_PICTURE_BYTES, MEDIA

STAGED = ".restore-"
"""How folders begin in which pictures wait until all of them are verified."""


def dump(source: Path, target: Path, copies: dict[str, FileDigest]) -> None:
    """Copy the pictures that are not among `copies` yet, and add them there.

    Files that are no pictures of the shop, such as links, are left out and named on standard error.
    """
    if not source.is_dir():
        return
    with opened_folder(source.resolve()) as folder:
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - of the open folder
            if not media.NAME.fullmatch(name) or name in copies:
                continue
            try:
                with opened(name, folder) as file:
                    copies[name] = copy(file, target / name, MAX_PICTURE_BYTES)
            except FileNotFoundError:
                continue  # purged, so the database does not show it
            except Failure as error:
                (target / name).unlink(missing_ok=True)
                print(f"backup: left out: {error}.", file=sys.stderr)


@contextlib.contextmanager
def staged(
    backup: Path, pictures: Mapping[str, FileDigest], target: Path
) -> Iterator[Mapping[str, Path]]:
    """Copies of the pictures that `target` lacks, verified; their paths by name.

    Those that are not moved away by the end of the block are removed.

    Raises:
        Failure: one is damaged, there is too little space, or another restore is going on.
    """
    target.mkdir(parents=True, exist_ok=True)
    with opened_folder(target.resolve()) as there, _alone(there):
        for leftover in target.glob(f"{STAGED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        missing = {
            name: digest for name, digest in pictures.items() if not _has(there, name, digest)
        }
        refuse_full(target, sum(digest.size for digest in missing.values()))
        with tempfile.TemporaryDirectory(prefix=STAGED, dir=target) as staging:
            yield _copied(backup, missing, Path(staging))


def place(pictures: Mapping[str, Path], target: Path) -> None:
    """Show verified pictures. One that is there already and differs, or is a link, is replaced."""
    for name, path in pictures.items():
        path.replace(target / name)


def refuse_full(folder: Path, size: int) -> None:
    """Raises: Failure where a folder's file system lacks space for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise Failure(f"{folder} has {free:,} bytes free, and {size:,} are needed")


def _copied(backup: Path, pictures: Mapping[str, FileDigest], target: Path) -> dict[str, Path]:
    with contextlib.ExitStack() as stack:
        if pictures:
            folder = stack.enter_context(opened_folder(backup.resolve() / MEDIA))
        for name, digest in pictures.items():
            copy_verified(name, folder, target / name, digest, mode=0o644)
    return {name: target / name for name in pictures}


def _has(folder: int, name: str, digest: FileDigest) -> bool:
    try:
        return digest_of(name, folder) == digest
    except (FileNotFoundError, NoRegularFile):
        return False


@contextlib.contextmanager
def _alone(folder: int) -> Iterator[None]:
    """Raises: Failure where somebody else holds the folder; the lock ends with the descriptor."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failure("another restore is going on") from None
    yield
