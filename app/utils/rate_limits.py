"""How often one user or address may ask each route.

A round trip to Redis for every request would cost more than most answers do. So each process
counts for itself, and tells Redis whenever it has a share of the limit together; then it learns
what the others counted. Of a limit of N, N get through and for each further process N / SHARES at
most; below 2 * SHARES every request is told, and the limit is exact.

The stricter limits of signing in are Flask-Limiter's, which asks Redis each time.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Blueprint, Flask, current_app, g, request
from limits import RateLimitItem, parse_many
from limits.storage import Storage

from app.errors import RateLimited
from app.extensions import limiter

SHARES = 50
MAX_CALLERS = 50_000
"""Where more than this are counted at a time, counting in this process begins anew."""
_elsewhere: set[str] = set()
"""Blueprints that the default limit is not for, and which of them Flask-Limiter sees to."""
_strict: set[str] = set()


def be_strict(blp: Blueprint, limit: Callable[[], str]) -> None:
    """Give a blueprint's routes a limit of their own, which is always exact."""
    limiter.limit(limit)(blp)
    _elsewhere.add(blp.name)
    _strict.add(blp.name)


def exempt(blp: Blueprint) -> None:
    """Let everybody ask a blueprint's routes as often as they like."""
    _elsewhere.add(blp.name)


def register(app: Flask) -> None:
    """Prepare the limits that the configuration names."""
    limiter.init_app(app)
    if app.config["RATELIMIT_ENABLED"]:
        limits = parse_many(app.config["RATELIMIT_DEFAULT"])
        app.extensions["rate_limits"] = [Counts(limit) for limit in limits]


def check() -> None:
    """Count this request.

    Raises:
        RateLimited: it is one too many from this user or address.
    """
    everybody: list[Counts] | None = current_app.extensions.get("rate_limits")
    if everybody is None or request.blueprint in _elsewhere or request.endpoint == "static":
        return
    who = f"{g.rate_limit_key}/{request.endpoint}"
    for counts in everybody:
        wait = counts.hit(who, limiter.storage)
        if wait:
            raise RateLimited(wait)


@limiter.request_filter
def _is_not_strict() -> bool:
    return request.blueprint not in _strict or not current_app.config["RATELIMIT_ENABLED"]


@dataclass
class Count:
    """One caller's requests in a window that ends at `ends` (seconds since 1970)."""

    ends: float
    known: int = 0
    """As Redis last said, all processes together."""
    since: int = 0
    """In this process, and not told yet."""


@dataclass
class Counts:
    """All callers' requests under one limit, as far as this process knows."""

    limit: RateLimitItem
    callers: dict[str, Count] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hit(self, who: str, storage: Storage) -> int:
        """Count a request; 0 when it is within the limit, else the seconds to wait."""
        now = time.time()
        with self.lock:
            count = self._count(who, now)
            if count.known > self.limit.amount:
                return _seconds(count.ends - now)
            count.since += 1
            # Only Redis says that it is enough: its window may have ended before this one.
            is_enough = count.known + count.since > self.limit.amount
            if not is_enough and count.since < self.limit.amount // SHARES:
                return 0
            share, count.since = count.since, 0
        return self._tell(who, count, share, storage)

    def _count(self, who: str, now: float) -> Count:
        period = self.limit.get_expiry()
        count = self.callers.get(who)
        # Further away than a whole window is what a clock that was set back left behind.
        if count is not None and now < count.ends <= now + period:
            return count
        if len(self.callers) >= MAX_CALLERS:
            self.callers.clear()
        count = self.callers[who] = Count(now + period)
        return count

    def _tell(self, who: str, count: Count, share: int, storage: Storage) -> int:
        key = self.limit.key_for(current_app.config["RATELIMIT_KEY_PREFIX"], who)
        count.known = storage.incr(key, self.limit.get_expiry(), share)
        if count.known <= self.limit.amount:
            return 0
        count.ends = storage.get_expiry(key)
        return _seconds(count.ends - time.time())


def _seconds(wait: float) -> int:
    return max(1, int(wait) + 1)
