"""The path under which a proxy publishes the API, from X-Forwarded-Prefix."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.web.plain_paths import is_for_programs

if TYPE_CHECKING:  # these types exist for type checkers only
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_LENGTH = 100
_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


class PathPrefix:
    """WSGI middleware that drops a prefix which is no plain path, or is not for the API.

    A proxy that does not set the header passes on the client's, so the prefix must not lead to
    another host. Pages link to the root of their host, and caches may store some of them: they have
    no prefix.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does (PEP 3333)."""
        prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
        if prefix and not _is_plain(prefix, environ["PATH_INFO"]):
            prefix = ""
        environ["SCRIPT_NAME"] = prefix
        return self._application(environ, start_response)


def _is_plain(prefix: str, path: str) -> bool:
    is_path = len(prefix) <= MAX_LENGTH and _PREFIX.fullmatch(prefix) is not None
    return is_path and is_for_programs(path)
