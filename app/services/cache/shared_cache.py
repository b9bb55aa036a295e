"""The cache that all workers share: a Redis that may be away.

A Redis that is slow or away must not fail a request nor hold it up, and what it held before an
invalidation that it missed must never be served again.

So a Redis that failed is not called for `SKIP_SECONDS` (`app.db.circuit_breaker`); meanwhile answers
come from the database. Invalidations that could not be delivered are kept in this process, and run
before its next read. Measured on a machine six times overloaded, with Redis frozen: no request
failed, p95 0.885 s (0.963 s before the freeze; RELIABILITY.md).

Simpler, but wrong: to drop an invalidation that failed (the old entry would match again when Redis
is back), and to take it for delivered while another thread delivers it (a read in between would
still see the old tokens).
"""

import logging
import os
import secrets
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar, cast

from cachelib.serializers import RedisSerializer
from flask_caching.backends.rediscache import RedisCache
from redis import Redis
from redis.exceptions import RedisError

from app.db.circuit_breaker import CircuitBreaker
from app.extensions import cache
from app.observability import metrics

TOKEN_SECONDS = 3600
MAX_PENDING = 500
"""Where more tokens than this are pending, everything is invalidated instead."""
EVERYTHING = "token:catalogue"
"""The token that every entry carries."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class BytesSerializer(RedisSerializer):
    """Stores bytes as they are, so that reading them runs no code (as unpickling could)."""

    def dumps(self, value: bytes, *_options: object, **_more: object) -> bytes:
        """Return the value unchanged."""
        return value

    def loads(self, bvalue: bytes | None) -> bytes | None:
        """Return the value unchanged."""
        return bvalue


class PendingInvalidations:
    """The tokens that Redis could not be told to rotate, until it has been."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self._additions = 0
        self._lock = threading.Lock()

    def add(self, names: Iterable[str]) -> None:
        """Note tokens whose rotation failed."""
        with self._lock:
            self._additions += 1
            self.names = self.names.union(names)
            if len(self.names) > MAX_PENDING:
                self.names = frozenset({EVERYTHING})

    def snapshot(self) -> tuple[frozenset[str], int]:
        """The tokens to rotate now, and the number to pass to `complete`.

        They stay pending until then, so that no other thread reads before they are rotated.
        """
        with self._lock:
            return self.names, self._additions

    def complete(self, additions: int) -> bool:
        """Note that a snapshot's tokens were rotated; return whether none is pending now.

        If any were added after the snapshot, all stay pending: one of them may be a token of the
        snapshot, and the rotation may have come before the write that asks for another.
        """
        with self._lock:
            if additions == self._additions:
                self.names = frozenset()
            return not self.names


class PlainRedis(RedisCache):
    """Flask-Caching's Redis backend for values that are bytes, and how well it can be reached.

    Each thread keeps a connection of its own. One taken from a pool is checked before each command,
    which costs as much as the command.
    """

    serializer = BytesSerializer()

    def __init__(self, host: Redis, **options: Any) -> None:
        self.breaker = CircuitBreaker()
        self.pending = PendingInvalidations()
        self._thread = threading.local()
        weakref.finalize(self, host.connection_pool.disconnect)
        super().__init__(host, **options)

    def get_many(self, *keys: str) -> list[bytes | None]:
        """The value under each key, None where there is none.

        The command goes to the connection itself: the client's own metrics and locks around a
        command take longer than the command.
        """
        connection: Any = self._read_client.connection
        names = [f"{self._get_prefix()}{key}" for key in keys]

        def read() -> list[bytes | None]:
            connection.send_command("MGET", *names)
            return cast("list[bytes | None]", connection.read_response())

        return cast(
            "list[bytes | None]",
            connection.retry.call_with_retry(read, lambda _error: connection.disconnect()),
        )

    @property
    def _read_client(self) -> Redis:
        client: Redis | None
        pid, client = getattr(self._thread, "client", (0, None))
        if client is None or pid != os.getpid():  # a child must not use its parent's socket
            client = self._pooled_client.client()  # type: ignore[no-untyped-call]
            self._thread.client = os.getpid(), client
        return client

    @_read_client.setter
    def _read_client(self, client: Redis) -> None:
        self._pooled_client = client


class Lookup(NamedTuple):
    """The present tokens of some names, None where there is none yet; and the entry, if any."""

    tokens: tuple[bytes | None, ...]
    entry: bytes | None


def is_configured() -> bool:
    """Whether there is a cache that all workers share."""
    return isinstance(cache.cache, PlainRedis)


def state() -> str:
    """`ok`, `unreachable`, or `in process` where there is no Redis."""
    if not is_configured():
        return "in process"
    return "unreachable" if _read(lambda: cache.has(EVERYTHING)) is None else "ok"


def look_up(key: str, names: tuple[str, ...]) -> Lookup | None:
    """The entry under `key` and the tokens of these names, in one round trip.

    None while the cache cannot be read.
    """
    values = _read(lambda: cache.get_many(key, *names))
    return None if values is None else Lookup(tuple(values[1:]), values[0])


def complete_tokens(names: tuple[str, ...], lookup: Lookup) -> tuple[bytes, ...] | None:
    """The tokens of a lookup, with new ones where there was none; None while the cache is away."""
    present = {name: token for name, token in zip(names, lookup.tokens, strict=True) if token}
    missing = [name for name in names if name not in present]
    new = _read(lambda: _set_tokens(missing)) if missing else {}
    return None if new is None else tuple({**present, **new}[name] for name in names)


def store(key: str, entry: bytes, seconds: int) -> None:
    """Store an entry for so long, if the cache can be reached."""
    _read(lambda: cache.set(key, entry, seconds))


def rotate_tokens(names: set[str]) -> None:
    """Replace tokens in one round trip, or later if that fails.

    A Redis that failed a moment ago is called all the same: other processes may be reading from it.
    """
    if names and _call(lambda: _set_tokens(names)) is None:
        _redis().pending.add(names)


def _set_tokens(names: Iterable[str]) -> dict[str, bytes]:
    # Overwriting a token that another process has just set is harmless: no token is ever reused.
    tokens = {name: secrets.token_hex(8).encode() for name in names}
    cache.set_many(tokens, TOKEN_SECONDS)
    return tokens


def _read(command: Callable[[], T]) -> T | None:
    """The command's result, once no invalidation is pending; None while the cache is away."""
    redis = _redis()
    if not redis.breaker.allows_call():
        return None
    if redis.pending.names and not _deliver_pending(redis.pending):
        return None
    return _call(command)


def _deliver_pending(pending: PendingInvalidations) -> bool:
    names, additions = pending.snapshot()
    return _call(lambda: _set_tokens(names)) is not None and pending.complete(additions)


def _call(command: Callable[[], T]) -> T | None:
    breaker = _redis().breaker
    try:
        result = command()
    except (RedisError, OSError) as error:
        breaker.record_failure()
        metrics.shop.cache_failures.inc()
        log.warning("The cache did not answer: %s", type(error).__name__)
        return None
    breaker.record_success()
    return result


def _redis() -> PlainRedis:
    return cast(PlainRedis, cache.cache)
