"""How many requests one user or network may send.

Each request counts against several budgets, and is refused by the first that is used up:

- the network's, over all routes together (RATELIMIT_NETWORK);
- the route's: on routes of signing in the network's (RATELIMIT_AUTH), whatever credential is sent;
  elsewhere the user's, or without a user the network's (RATELIMIT_DEFAULT). Requests that match no
  route share the budget of one;
- on routes that hash passwords the network's, over all these routes together
  (RATELIMIT_PASSWORDS);
- where guests put articles into carts the network's, over all its guests (RATELIMIT_GUEST_ITEMS),
  and for each cart that is opened (RATELIMIT_GUEST_CARTS).

A token's signature is checked before the limits, its session after them. Where the session turns
out to have ended, `count_as_network` counts the request against the network's budget for the route.

A round trip to Redis for every request would cost more than most answers do. So each process
counts locally, and reports to Redis every `limit / SHARES` requests; then it learns what the others
counted. With P processes a client can exceed a limit by (P - 1) * limit / SHARES at most. Limits
below 2 * SHARES are reported with every request, and are exact.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Blueprint, Flask, current_app, g, request
from limits import RateLimitItem, parse_many
from limits.storage import Storage

from app.domain.people.networks import network_of
from app.errors import RateLimited
from app.extensions import limiter
from app.keyed_hashes import keyed_hash

SHARES = 50
MAX_CALLERS = 50_000
"""Where more than this are counted at a time, counting in this process begins anew."""
UNMATCHED = "unmatched"
"""Stands for the route of requests that match none (404, 405)."""
SETTINGS = (
    "RATELIMIT_NETWORK", "RATELIMIT_DEFAULT", "RATELIMIT_AUTH", "RATELIMIT_PASSWORDS",
    "RATELIMIT_GUEST_CARTS", "RATELIMIT_GUEST_ITEMS",
)  # fmt: skip
_auth_blueprints: set[str] = set()
V = TypeVar("V", bound=Callable[..., Any])


def limit_as_sign_in(blp: Blueprint) -> None:
    """Give each POST of a blueprint's routes RATELIMIT_AUTH, counted by network."""
    _auth_blueprints.add(blp.name)


def shares_password_budget(view: V) -> V:
    """Count requests to a view that hashes passwords against RATELIMIT_PASSWORDS as well."""
    vars(view)["hashes_passwords"] = True
    return view


def hashes_passwords(view: Callable[..., Any]) -> bool:
    """Whether a view shares the budget for passwords."""
    return "hashes_passwords" in vars(view)


def unlimited(view: V) -> V:
    """Let everybody ask a view as often as they like: for answers as cheap as a refusal."""
    vars(view)["is_unlimited"] = True
    return view


def limits_guests(view: V) -> V:
    """Count a guest's requests to a view against RATELIMIT_GUEST_ITEMS as well."""
    vars(view)["limits_guests"] = True
    return view


def apart_from_network(view: V) -> V:
    """Do not count a view against RATELIMIT_NETWORK: monitoring goes on where the shop's other
    callers use that up, as they do when all of them seem to have one address."""
    vars(view)["is_apart"] = True
    return view


def register(app: Flask) -> None:
    """Prepare the limits that the configuration names."""
    limiter.init_app(app)
    if app.config["RATELIMIT_ENABLED"]:
        app.extensions["rate_limits"] = {
            name: [Counts(limit) for limit in parse_many(app.config[name])] for name in SETTINGS
        }


def name_network() -> None:
    """Name the caller's network, who is counted unless `g.rate_limit_key` names a user.

    By a keyed hash: Redis, and whoever reads along, learns no address.
    """
    network = keyed_hash("rate limit", network_of(request.remote_addr)).hex()[:32]
    g.network_key = g.rate_limit_key = f"address:{network}"


def check() -> None:
    """Count this request.

    Raises:
        RateLimited: it is one too many from this user or network.
    """
    if "rate_limits" not in current_app.extensions:
        return
    view = vars(current_app.view_functions[request.endpoint or ""])
    if "is_unlimited" in view:
        return
    if "is_apart" not in view:
        _hit("RATELIMIT_NETWORK", g.network_key)
    if request.blueprint in _auth_blueprints and request.method == "POST":
        _hit("RATELIMIT_AUTH", f"{g.network_key}/{request.endpoint}")
    else:
        _hit("RATELIMIT_DEFAULT", f"{g.rate_limit_key}/{request.endpoint}")
    if "hashes_passwords" in view:
        _hit("RATELIMIT_PASSWORDS", f"{g.network_key}/passwords")
    if g.rate_limit_key == g.network_key:
        _check_guest()


def count_new_cart() -> None:
    """Count a guest's cart that is about to be opened.

    Raises:
        RateLimited: it is one too many from this network.
    """
    if "rate_limits" in current_app.extensions:
        _hit("RATELIMIT_GUEST_CARTS", f"{g.network_key}/guest carts")


def _check_guest() -> None:
    if "limits_guests" in vars(current_app.view_functions[request.endpoint or ""]):
        _hit("RATELIMIT_GUEST_ITEMS", f"{g.network_key}/guest items")


def check_unmatched() -> None:
    """Count a request that matches no route, or none with its method.

    Raises:
        RateLimited: it is one too many from this network.
    """
    if "rate_limits" in current_app.extensions:
        _hit("RATELIMIT_NETWORK", g.network_key)
        _hit("RATELIMIT_DEFAULT", f"{g.network_key}/{UNMATCHED}")


def count_as_network() -> None:
    """Count this request once more, by network: its token's user is not signed in any more.

    Raises:
        RateLimited: it is one too many from this network.
    """
    if "rate_limits" in current_app.extensions and g.rate_limit_key != g.network_key:
        _hit("RATELIMIT_DEFAULT", f"{g.network_key}/{request.endpoint}")
        _check_guest()


@limiter.request_filter
def _is_checked_here() -> bool:
    """Keep Flask-Limiter from counting, too: it would ask Redis with every request."""
    return True


def _hit(setting: str, who: str) -> None:
    budgets: dict[str, list[Counts]] = current_app.extensions["rate_limits"]
    for counts in budgets[setting]:
        wait = counts.hit(who, limiter.storage)
        if wait:
            raise RateLimited(wait)


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
