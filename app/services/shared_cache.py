"""The cache that all workers share: how to talk to a Redis that may be away.

One that failed is skipped for a second. What should have been forgotten meanwhile is owed, and
made good before anything is read again.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from cachelib.serializers import RedisSerializer
from flask_caching.backends.base import BaseCache
from flask_caching.backends.rediscache import RedisCache
from redis.exceptions import RedisError

from app import metrics
from app.extensions import cache

TOKEN_SECONDS = 3600
SKIP_SECONDS = 1.0
"""For how long a Redis that failed is not asked again."""
MANY = 500
"""Where more tokens than this are owed, everything is forgotten."""
EVERYTHING = "token:catalogue"
"""The token under which every entry stands."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class AsItIs(RedisSerializer):
    """No serialiser: what is kept are bytes, and reading them can run no code."""

    def dumps(self, value: bytes, *_options: Any, **_more: Any) -> bytes:
        """The value."""
        return value

    def loads(self, bvalue: bytes | None) -> bytes | None:
        """The value."""
        return bvalue


class PlainRedis(RedisCache):
    """Flask-Caching's Redis, for values that are bytes already."""

    serializer = AsItIs()


@dataclass
class Line:
    """How this process gets on with its Redis: until when not to ask it, and what it owes it."""

    skip_until: float = 0.0
    owed: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def owe(self, names: set[str]) -> None:
        """Note tokens that could not be set."""
        with self.lock:
            self.owed |= names
            if len(self.owed) > MANY:
                self.owed = {EVERYTHING}

    def settle(self) -> set[str]:
        """Take what is owed, to set it now."""
        with self.lock:
            owed, self.owed = self.owed, set()
            return owed


_lines: "WeakKeyDictionary[BaseCache, Line]" = WeakKeyDictionary()


def is_there() -> bool:
    """Whether there is a cache that all workers share."""
    return isinstance(cache.cache, RedisCache)


def state() -> str:
    """`ok`, `unreachable`, or `in process` where there is no Redis."""
    if not is_there():
        return "in process"
    return "unreachable" if _ask(lambda: cache.has(EVERYTHING)) is None else "ok"


def look_up(key: str, names: tuple[str, ...]) -> tuple[tuple[bytes, ...], bytes | None]:
    """In one round trip: the present tokens of these names (empty when there is no talking to the
    cache), and what is kept under `key`."""
    found = _ask(lambda: cache.get_many(key, *names))
    if found is None:
        return (), None
    entry, *known = found
    tokens = dict(zip(names, known, strict=True))
    if None in known:
        tokens.update(_ask(lambda: _set_tokens(n for n in names if tokens[n] is None)) or {})
        return (() if None in tokens.values() else tuple(tokens.values())), None
    return tuple(known), entry


def keep(key: str, entry: bytes, seconds: int) -> None:
    """Keep it for so long, if the cache can be reached."""
    _ask(lambda: cache.set(key, entry, seconds))


def renew(names: set[str]) -> None:
    """Make new tokens, in one round trip, even in a cache that failed a moment ago."""
    line = _line()
    if names and _try(line, lambda: _set_tokens(names)) is None:
        line.owe(names)


def _set_tokens(names: Iterable[str]) -> dict[str, bytes]:
    # Setting over a token that somebody made meanwhile does no harm: theirs was never reused.
    tokens = {name: secrets.token_hex(8).encode() for name in names}
    cache.set_many(tokens, TOKEN_SECONDS)
    return tokens


def _ask(question: Callable[[], T]) -> T | None:
    """The cache's answer; None while it is away."""
    line = _line()
    if time.monotonic() < line.skip_until:
        return None
    if line.owed:
        renew(line.settle())
        if line.owed:
            return None
    return _try(line, question)


def _try(line: Line, question: Callable[[], T]) -> T | None:
    try:
        return question()
    except (RedisError, OSError) as error:
        line.skip_until = time.monotonic() + SKIP_SECONDS
        metrics.cache_failed()
        log.warning("The cache did not answer: %s", type(error).__name__)
        return None


def _line() -> Line:
    backend: Any = cache.cache
    return _lines.setdefault(backend, Line())
