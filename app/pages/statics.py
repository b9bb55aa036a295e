"""Static files and pages over HTTP: versioned addresses, caching, compression."""

import gzip
from functools import lru_cache

from flask import Flask, Response, current_app, request

from app.web import versioned_files
from app.web.plain_paths import is_for_programs

SMALL = 600
"""Below this many bytes, compression gains nothing."""
COMPRESSIBLE = ("text/html", "text/css", "text/javascript", "image/svg+xml", "application/xml")


def register(app: Flask) -> None:
    """Compress pages and files, and set their caching. The proxy in front compresses the API."""
    app.after_request(compress)
    app.after_request(set_file_caching)


def static(name: str) -> str:
    """The address of a static file. It changes with the content, so that it can be cached for good.

    Does not use `url_for`, which fails in error pages for hosts outside TRUSTED_HOSTS.
    """
    path = f"{current_app.static_url_path}/{name}"
    return versioned_files.versioned_url(path, current_app.static_folder or "", name)


def set_file_caching(response: Response) -> Response:
    """Set how long a static file can be cached, which depends on the version in its address."""
    if request.endpoint == "static" and request.view_args:
        folder = current_app.static_folder or ""
        versioned_files.set_cache_control(response, folder, request.view_args["filename"])
    return response


def compress(response: Response) -> Response:
    """Compress text with gzip if the client accepts it.

    Secrets in pages have a new mask in each response, so sizes reveal nothing about them (BREACH).
    """
    if is_for_programs(request.path) or response.mimetype not in COMPRESSIBLE:
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
    data = _gzip_file(body) if request.endpoint == "static" else gzip.compress(body, 5, mtime=0)
    response.set_data(data)
    response.headers["Content-Encoding"] = "gzip"
    etag, _weak = response.get_etag()
    if etag:  # equivalent content, but other bytes
        response.set_etag(etag, weak=True)
    return response


@lru_cache(maxsize=32)
def _gzip_file(body: bytes) -> bytes:
    return gzip.compress(body, 9, mtime=0)
