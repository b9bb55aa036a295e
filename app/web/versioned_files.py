"""Files whose address names their content, so that caches may keep them for good (RFC 8246).

The version in the address is a hash of the content. Only the file's own version makes an answer
`immutable`: during a release, an instance that still has the old file can be asked for the new
version. If it answered `immutable`, caches in between would show the old file for a year.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Response, request

YEAR = 365 * 24 * 3600
IMMUTABLE = f"public, max-age={YEAR}, immutable"
STATUSES_OF_A_FILE = (200, 206, 304)


def versioned_url(path: str, folder: str, name: str) -> str:
    """The address of a file: its path with its version."""
    return f"{path}?v={version_of(folder, name)}"


def version_of(folder: str, name: str) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a file's content; raises OSError."""
    path = Path(folder, name)
    state = path.stat()
    return _version(path, state.st_mtime_ns, state.st_size)


def set_cache_control(response: Response, folder: str, name: str) -> None:
    """Let caches store an answer with a file for good under the file's own version, and not at all
    under another one. Without a version the answer stays as it is."""
    if "v" not in request.args or response.status_code not in STATUSES_OF_A_FILE:
        return
    # The whole query is compared: with anything else in it, a cache would store the file again.
    is_own = request.query_string == b"v=" + version_of(folder, name).encode()
    response.headers["Cache-Control"] = IMMUTABLE if is_own else "no-store"


@lru_cache(maxsize=256)
def _version(path: Path, _mtime: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
