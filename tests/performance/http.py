"""Requests as bytes, and what their answers must say."""

from collections.abc import Mapping
from typing import Any

import orjson

from tests.performance.load import Answer, WrongAnswer


def request(
    method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: application/json"]
    content = b""
    if body is not None:
        content = orjson.dumps(body)
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join((*lines, "", "")).encode() + content


def expect(answer: Answer, status: int) -> Any:
    """The JSON of an answer that has this status.

    Raises:
        WrongAnswer: it has another.
    """
    if answer.status != status:
        raise WrongAnswer(f"{answer.status} instead of {status}: {answer.body[:500]!r}")
    return orjson.loads(answer.body)


def insist(holds: bool, what: str) -> None:
    """End the run where an answer is wrong.

    Raises:
        WrongAnswer: naming what does not hold.
    """
    if not holds:
        raise WrongAnswer(what)
