"""Sends the copy of all that the shop knows of the caller, as a file of JSON, piece by piece."""

from collections.abc import Iterable, Iterator, Mapping

import orjson
from flask import Response, stream_with_context

from app.db.unit_of_work import in_transaction
from app.domain.clock import rfc3339, utc_now
from app.domain.people.actor import Actor
from app.schemas.base import store_currency
from app.services.audit import security_log
from app.services.operations import personal_data
from app.services.operations.personal_data import Part

CHUNK = 64 * 1024
"""Bytes that are sent at once."""


def send_copy(actor: Actor) -> Response:
    """The caller's copy; the security log records that it was made."""
    in_transaction(lambda: security_log.record_of(actor, security_log.EXPORTED, "own account"))
    parts = personal_data.parts(actor.user_id or 0, store_currency())
    body = stream_with_context(_in_chunks(_pieces(parts)))
    response = Response(body, mimetype="application/json")
    name = f"my-data-{utc_now():%Y-%m-%d}.json"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _pieces(parts: Iterable[Part]) -> Iterator[bytes]:
    yield b'{"exported_at":' + orjson.dumps(rfc3339(utc_now()))
    for name, content in parts:
        yield b"," + orjson.dumps(name) + b":"
        if isinstance(content, Mapping):
            yield orjson.dumps(content)
            continue
        separator = b"["
        for item in content:
            yield separator + orjson.dumps(item)
            separator = b","
        yield b"]" if separator == b"," else b"[]"
    yield b"}"


def _in_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    chunk = bytearray()
    for piece in pieces:
        chunk += piece
        if len(chunk) >= CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk)
