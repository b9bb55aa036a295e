"""The manifest of a backup: what it holds, signed with BACKUP_KEY.

The signature is an HMAC-SHA256 (RFC 2104) of the manifest's bytes. The manifest lists every file
with its size and SHA-256, so whoever can change files, but does not have the key, can change nothing
that a restore would use.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.config import Config
from app.gateways import media
from backups.failure import Failure
from backups.files import FileDigest, opened, opened_folder
from backups.shop import NAMES

FILE, SIGNATURE = "backup.json", "backup.hmac"
FORMAT = 2
MAX_BYTES = 256 * 1024 * 1024
"""Of a manifest; a picture takes about 150."""
MAX_PICTURE_BYTES = Config.MAX_UPLOAD_BYTES
PURPOSE = b"shopswift backup manifest\n"
"""Goes into the signature, so that nothing else signed with the same key passes for a manifest."""
MEDIA = "media/"
_NAME = re.compile(r"shop-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    name: str
    """Of its folder, which tells the time: another backup cannot pass for this one."""
    made_at: str
    """ISO 8601, UTC."""
    kind: str
    """Of the database: `sqlite` or `postgresql`."""
    database: FileDigest
    pictures: Mapping[str, FileDigest]
    """By file name."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self.database.size + sum(digest.size for digest in self.pictures.values())


def write(folder: Path, manifest: Manifest, key: str) -> None:
    """Write the manifest and its signature into a backup's folder."""
    files = {NAMES[manifest.kind]: manifest.database} | {
        MEDIA + name: digest for name, digest in sorted(manifest.pictures.items())
    }
    body = {
        "format": FORMAT,
        "name": manifest.name,
        "made_at": manifest.made_at,
        "database": manifest.kind,
        "files": {name: digest._asdict() for name, digest in files.items()},
    }
    data = (json.dumps(body, indent=1) + "\n").encode()
    (folder / FILE).write_bytes(data)
    (folder / SIGNATURE).write_text(signature(data, key) + "\n")


def signature(data: bytes, key: str) -> str:
    """What proves that somebody with the key wrote these bytes; in hexadecimal."""
    return hmac.new(key.encode(), PURPOSE + data, hashlib.sha256).hexdigest()


def read(backup: Path, keys: Sequence[str]) -> Manifest:
    """The manifest of a backup, of which nothing is looked at before its signature.

    Raises:
        Failure: there is none, it is not signed with one of the keys, or it is not well-formed.
    """
    data, signature_line = _read_signed(backup)
    if not any(hmac.compare_digest(signature(data, key).encode(), signature_line) for key in keys):
        raise Failure(
            f"the signature of {backup} is not by BACKUP_KEY or BACKUP_KEY_PREVIOUS:"
            " it was changed, or signed with another key"
        )
    try:
        manifest = _parse(json.loads(data))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Failure(f"{backup} is no backup that this release can read") from None
    if manifest.name != backup.resolve().name:
        raise Failure(f"{backup} was renamed: it is {manifest.name}")
    return manifest


def _read_signed(backup: Path) -> tuple[bytes, bytes]:
    try:
        with opened_folder(backup.resolve()) as folder:
            with opened(FILE, folder) as file:
                data = file.read(MAX_BYTES + 1)
            try:
                with opened(SIGNATURE, folder) as file:
                    signature_line = file.read(200).strip()
            except FileNotFoundError:
                raise Failure(f"{backup} is not signed: {SIGNATURE} is missing") from None
    except FileNotFoundError:
        raise Failure(f"{backup} is no backup") from None
    if len(data) > MAX_BYTES:
        raise Failure(f"the manifest of {backup} is longer than {MAX_BYTES:,} bytes")
    return data, signature_line


def _parse(body: dict[str, Any]) -> Manifest:
    """Raises: ValueError, LookupError, TypeError or AttributeError."""
    kind, name, made_at = body["database"], body["name"], body["made_at"]
    if body["format"] != FORMAT or not _NAME.fullmatch(name) or not isinstance(made_at, str):
        raise ValueError
    files = {path: _digest(value) for path, value in body["files"].items()}
    database = files.pop(NAMES[kind])
    pictures = {path.removeprefix(MEDIA): digest for path, digest in files.items()}
    for path, digest in files.items():
        is_picture = path.startswith(MEDIA) and media.NAME.fullmatch(path.removeprefix(MEDIA))
        if not is_picture or digest.size > MAX_PICTURE_BYTES:
            raise ValueError
    return Manifest(name, made_at, kind, database, pictures)


def _digest(value: dict[str, Any]) -> FileDigest:
    size, sha256 = value["size"], value["sha256"]
    if type(size) is not int or size < 0 or not _SHA256.fullmatch(sha256):
        raise ValueError
    return FileDigest(size, sha256)
