"""Files and pages on the wire: named by their content, kept by browsers, compressed."""

import gzip
from functools import lru_cache

from flask import Flask, Response, current_app, request

from app.web import versioned_files
from app.web.plain_paths import is_for_programs

SMALL = 600
"""Below this many bytes compression gains nothing."""
COMPRESSED = ("text/html", "text/css", "text/javascript", "image/svg+xml", "application/xml")


def register(app: Flask) -> None:
    """Hang it around what the pages answer. The API is left to the proxy in front."""
    app.after_request(compress)
    app.after_request(keep_versioned)


def static(name: str) -> str:
    """The address of a file of ours; it changes with the content, so it may be kept for good.

    Written without `url_for`, which knows no addresses where the host is none of TRUSTED_HOSTS.
    """
    path = f"{current_app.static_url_path}/{name}"
    return versioned_files.versioned(path, current_app.static_folder or "", name)


def keep_versioned(response: Response) -> Response:
    """Say how long a file of ours may be kept, which depends on the version it was asked for by."""
    if request.endpoint == "static" and request.view_args:
        folder = current_app.static_folder or ""
        versioned_files.set_cache_control(response, folder, request.view_args["filename"])
    return response


def compress(response: Response) -> Response:
    """Send text in gzip to whoever takes it.

    Secrets in a page are masked anew each time, so that sizes tell nothing about them (BREACH).
    """
    if is_for_programs(request.path) or response.mimetype not in COMPRESSED:
        return response
    response.vary.add("Accept-Encoding")
    is_whole = (
        response.status_code not in (204, 206, 304) and "Content-Encoding" not in response.headers
    )
    if not is_whole or not request.accept_encodings["gzip"]:
        return response
    response.direct_passthrough = False
    body = response.get_data()
    if len(body) < SMALL:
        return response
    packed = _packed_file(body) if request.endpoint == "static" else gzip.compress(body, 5, mtime=0)
    response.set_data(packed)
    response.headers["Content-Encoding"] = "gzip"
    etag, _weak = response.get_etag()
    if etag:  # the same thing, though not the same bytes
        response.set_etag(etag, weak=True)
    return response


@lru_cache(maxsize=32)
def _packed_file(body: bytes) -> bytes:
    return gzip.compress(body, 9, mtime=0)
