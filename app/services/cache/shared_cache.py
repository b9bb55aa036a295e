"""The cache that all workers share: how to talk to a Redis that may be away.

One that failed is skipped for a second. What should have been forgotten meanwhile is owed, and
made good before anything is read again.
"""

import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, cast

from cachelib.serializers import RedisSerializer
from flask_caching.backends.base import BaseCache
from flask_caching.backends.rediscache import RedisCache
from redis import Redis
from redis.exceptions import RedisError

from app.extensions import cache
from app.observability import metrics

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
    """Flask-Caching's Redis, for values that are bytes already.

    Each thread keeps a connection of its own. Taken from a pool for every question, it would be
    asked each time whether it is still good, which costs as much again.
    """

    serializer = AsItIs()

    def __init__(self, host: Redis, **options: Any) -> None:
        self._own = threading.local()
        weakref.finalize(self, host.connection_pool.disconnect)
        super().__init__(host, **options)

    def get_many(self, *keys: str) -> list[bytes | None]:
        """What is kept under each key, None where nothing is.

        Said to the connection itself: the client's own measuring and locking around a question
        takes longer than the question.
        """
        connection: Any = self._read_client.connection
        names = [f"{self._get_prefix()}{key}" for key in keys]

        def ask() -> list[bytes | None]:
            connection.send_command("MGET", *names)
            found: list[bytes | None] = connection.read_response()
            return found

        return cast(
            "list[bytes | None]",
            connection.retry.call_with_retry(ask, lambda _error: connection.disconnect()),
        )

    @property
    def _read_client(self) -> Redis:
        client: Redis | None
        pid, client = getattr(self._own, "connected", (0, None))
        if client is None or pid != os.getpid():  # a child must not speak on its parent's line
            client = self._shared.client()  # type: ignore[no-untyped-call]
            self._own.connected = os.getpid(), client
        return client

    @_read_client.setter
    def _read_client(self, client: Redis) -> None:
        self._shared = client


@dataclass
class Line:
    """How this process gets on with its Redis: until when not to ask it, and what it owes it."""

    skip_until: float = 0.0
    owed: set[str] = field(default_factory=set)
    times: int = 0
    """How often something came to be owed."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def owe(self, names: set[str]) -> None:
        """Note tokens that could not be set."""
        with self.lock:
            self.times += 1
            self.owed = self.owed | names
            if len(self.owed) > MANY:
                self.owed = {EVERYTHING}

    def debts(self) -> tuple[set[str], int]:
        """What is owed, to set it now: it stays owed meanwhile, so that nobody reads before."""
        with self.lock:
            return self.owed, self.times

    def paid(self, times: int) -> bool:
        """Note that it was set; whether nothing is owed now. What was owed once more meanwhile, is
        owed still."""
        with self.lock:
            if times == self.times:
                self.owed = set()
            return not self.owed


_lines: weakref.WeakKeyDictionary[BaseCache, Line] = weakref.WeakKeyDictionary()


def is_there() -> bool:
    """Whether there is a cache that all workers share."""
    return isinstance(cache.cache, RedisCache)


def state() -> str:
    """`ok`, `unreachable`, or `in process` where there is no Redis."""
    if not is_there():
        return "in process"
    return "unreachable" if _ask(lambda: cache.has(EVERYTHING)) is None else "ok"


class Found(NamedTuple):
    """The present tokens of some names, None where there is none yet; and what is kept."""

    tokens: tuple[bytes | None, ...]
    entry: bytes | None


def look_up(key: str, names: tuple[str, ...]) -> Found | None:
    """In one round trip: the tokens of these names, and what is kept under `key`; None while there
    is no talking to the cache."""
    found = _ask(lambda: cache.get_many(key, *names))
    return None if found is None else Found(tuple(found[1:]), found[0])


def with_tokens(names: tuple[str, ...], found: Found) -> tuple[bytes, ...] | None:
    """The tokens that were found, and new ones where there was none; None while the cache is away."""
    known = {name: token for name, token in zip(names, found.tokens, strict=True) if token}
    missing = [name for name in names if name not in known]
    made = _ask(lambda: _set_tokens(missing)) if missing else {}
    return None if made is None else tuple({**known, **made}[name] for name in names)


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
    if line.owed and not _pay(line):
        return None
    return _try(line, question)


def _pay(line: Line) -> bool:
    owed, times = line.debts()
    return _try(line, lambda: _set_tokens(owed)) is not None and line.paid(times)


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
