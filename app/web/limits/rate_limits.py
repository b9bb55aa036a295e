"""How many requests one user or network may send.

Each request counts against several budgets, and the first that is used up refuses it:

- RATELIMIT_NETWORK: the network's, over all routes together;
- RATELIMIT_AUTH: the network's for each sign-in route, whatever credential is sent;
- RATELIMIT_DEFAULT: the user's for each other route, or without a user the network's. Requests that
  match no route count as one route;
- RATELIMIT_PASSWORDS: the network's, over all routes that hash passwords;
- RATELIMIT_GUEST_ITEMS: the network's, over all routes where guests put articles into carts;
- RATELIMIT_GUEST_CARTS: the network's, for each cart that a guest opens.

A token's signature is checked before the limits, its session after them. If the session has ended,
`count_for_network` counts the request against the network's budget for the route.

A round trip to Redis for every request takes 0.14 to 0.4 ms, longer than some answers. So each
process counts locally and reports to Redis every `limit / SHARES` requests; Redis answers with the
count of all processes. With P processes a client can therefore exceed a limit by at most
(P - 1) * limit / SHARES. Limits below 2 * SHARES are reported with every request, and are exact.

Each answer of the API names its budgets, and how much of them is left, in `RateLimit-Policy` and
`RateLimit` (draft-ietf-httpapi-ratelimit-headers).

Simpler, but wrong: to count in each process alone, since P processes then allow P times the limit.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from flask import Blueprint, Flask, Response, current_app, g, request
from limits import RateLimitItem, parse_many
from limits.storage import Storage

from app.domain.people.networks import network_of
from app.errors import RateLimited
from app.extensions import limiter
from app.keyed_hashes import keyed_hash
from app.web.plain_paths import is_for_programs

SHARES = 50
MAX_CALLERS = 50_000
"""When a process counts more callers than this, it starts all of its counts afresh."""
UNMATCHED = "unmatched"
"""The route name under which requests that match no route are counted (404, 405)."""
SETTINGS = (
    "RATELIMIT_NETWORK", "RATELIMIT_DEFAULT", "RATELIMIT_AUTH", "RATELIMIT_PASSWORDS",
    "RATELIMIT_GUEST_CARTS", "RATELIMIT_GUEST_ITEMS",
)  # fmt: skip
V = TypeVar("V", bound=Callable[..., object])


def limit_as_sign_in(blp: Blueprint) -> None:
    """Count each POST to a blueprint's routes against RATELIMIT_AUTH, by network."""
    vars(blp)["is_for_sign_in"] = True


def shares_password_budget(view: V) -> V:
    """Count requests to a view that hashes passwords against RATELIMIT_PASSWORDS as well."""
    vars(view)["hashes_passwords"] = True
    return view


def hashes_passwords(view: Callable[..., object]) -> bool:
    """Whether a view counts against RATELIMIT_PASSWORDS."""
    return "hashes_passwords" in vars(view)


def exempt(view: V) -> V:
    """Do not limit requests to a view: for answers that cost no more than a refusal."""
    vars(view)["is_exempt"] = True
    return view


def limits_guests(view: V) -> V:
    """Count a guest's requests to a view against RATELIMIT_GUEST_ITEMS as well."""
    vars(view)["limits_guests"] = True
    return view


def exempt_from_network(view: V) -> V:
    """Do not count requests to a view against RATELIMIT_NETWORK.

    Monitoring has to go on when other callers use that budget up, for example because all of them
    seem to have one address.
    """
    vars(view)["is_exempt_from_network"] = True
    return view


def register(app: Flask) -> None:
    """Create the counts of the limits that the settings name."""
    limiter.init_app(app)
    if app.config["RATELIMIT_ENABLED"]:
        app.extensions["rate_limits"] = {
            name: _budgets(name, parse_many(app.config[name])) for name in SETTINGS
        }


def _budgets(setting: str, limits: list[RateLimitItem]) -> list["LimitCounts"]:
    """The counts of a setting's limits. Of several, each has its seconds in its name."""
    name = setting.removeprefix("RATELIMIT_").lower().replace("_", "-")
    names = [f"{name}-{limit.get_expiry()}" if limits[1:] else name for limit in limits]
    return [LimitCounts(limit, name) for name, limit in zip(names, limits, strict=True)]


def name_network() -> None:
    """Set the keys of the caller's network. `g.rate_limit_key` may be set to a user's later.

    They are keyed hashes, so that Redis holds no network address.
    """
    network = keyed_hash("rate limit", network_of(request.remote_addr)).hex()[:32]
    g.network_key = g.rate_limit_key = f"address:{network}"


def check() -> None:
    """Count this request against all of its budgets; raises RateLimited if one is used up."""
    if "rate_limits" not in current_app.extensions:
        return
    view = vars(current_app.view_functions[request.endpoint or ""])
    if "is_exempt" in view:
        return
    if "is_exempt_from_network" not in view:
        _hit("RATELIMIT_NETWORK", g.network_key)
    blp = current_app.blueprints.get(request.blueprint or "")
    if request.method == "POST" and getattr(blp, "is_for_sign_in", False):
        _hit("RATELIMIT_AUTH", f"{g.network_key}/{request.endpoint}")
    else:
        _hit("RATELIMIT_DEFAULT", f"{g.rate_limit_key}/{request.endpoint}")
    if request.method == "OPTIONS":
        return  # browsers ask before they send; nothing is hashed or put into a cart for that
    if "hashes_passwords" in view:
        _hit("RATELIMIT_PASSWORDS", f"{g.network_key}/passwords")
    if g.rate_limit_key == g.network_key:
        _check_guest()


def count_new_cart() -> None:
    """Count a cart that a guest is about to open; raises RateLimited."""
    if "rate_limits" in current_app.extensions:
        _hit("RATELIMIT_GUEST_CARTS", f"{g.network_key}/guest carts")


def _check_guest() -> None:
    if "limits_guests" in vars(current_app.view_functions[request.endpoint or ""]):
        _hit("RATELIMIT_GUEST_ITEMS", f"{g.network_key}/guest items")


def check_unmatched() -> None:
    """Count a request that matches no route, or none with its method; raises RateLimited."""
    if "rate_limits" in current_app.extensions:
        _hit("RATELIMIT_NETWORK", g.network_key)
        _hit("RATELIMIT_DEFAULT", f"{g.network_key}/{UNMATCHED}")


def count_for_network() -> None:
    """Count this request for its network, since its session has ended; raises RateLimited."""
    if "rate_limits" in current_app.extensions and g.rate_limit_key != g.network_key:
        _hit("RATELIMIT_DEFAULT", f"{g.network_key}/{request.endpoint}")
        _check_guest()


@limiter.request_filter
def _is_checked_here() -> bool:
    """Keep Flask-Limiter from counting as well, which would call Redis with every request."""
    return True


def _hit(setting: str, caller: str) -> None:
    budgets: dict[str, list[LimitCounts]] = current_app.extensions["rate_limits"]
    quotas: dict[str, Quota] = g.setdefault("quotas", {})
    for counts in budgets[setting]:
        quota = counts.hit(caller, limiter.storage)
        quotas[counts.name] = quota
        if quota.is_exceeded:
            raise RateLimited(quota.seconds)


def add_quota_headers(response: Response) -> Response:
    """Add the headers that name the budgets which this request was counted against."""
    quotas: dict[str, Quota] | None = g.get("quotas")
    if quotas and is_for_programs(request.path):
        # `add`, unlike assignment, compares the name with no other.
        policies = ", ".join([quota.counts.policy for quota in quotas.values()])
        response.headers.add("RateLimit-Policy", policies)
        response.headers.add("RateLimit", ", ".join([quota.state for quota in quotas.values()]))
    return response


class Quota(NamedTuple):
    """What is left of a budget for one caller, and in how many seconds it is renewed."""

    counts: "LimitCounts"
    remaining: int
    seconds: int
    is_exceeded: bool = False

    @property
    def state(self) -> str:
        """An item of the `RateLimit` header."""
        return f'"{self.counts.name}";r={self.remaining};t={self.seconds}'


@dataclass
class CallerCount:
    """One caller's requests in a window that ends at `ends_at` (seconds since 1970)."""

    ends_at: float
    reported: int = 0
    """The count of all processes together, when this process last reported."""
    unreported: int = 0
    """Requests to this process since then."""


@dataclass
class LimitCounts:
    """The counts of all callers of this process under one limit."""

    limit: RateLimitItem
    name: str
    callers: dict[str, CallerCount] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Format the item of the `RateLimit-Policy` header."""
        self.policy = f'"{self.name}";q={self.limit.amount};w={self.limit.get_expiry()}'

    def hit(self, caller: str, storage: Storage) -> Quota:
        """Count a request, and return what is left afterwards."""
        now = time.time()
        with self.lock:
            count = self._count_of(caller, now)
            if count.reported > self.limit.amount:
                return self._exceeded(count, now)
            count.unreported += 1
            # Only Redis may refuse: its window may have ended before this one.
            used = count.reported + count.unreported
            if used <= self.limit.amount and count.unreported < self.limit.amount // SHARES:
                return self._quota(count, used, now)
            share, count.unreported = count.unreported, 0
        return self._report(caller, count, share, storage)

    def _count_of(self, caller: str, now: float) -> CallerCount:
        period = self.limit.get_expiry()
        count = self.callers.get(caller)
        # After the clock was set back, a window may seem to end later than a whole period from now.
        if count is not None and now < count.ends_at <= now + period:
            return count
        if len(self.callers) >= MAX_CALLERS:
            self.callers.clear()
        count = self.callers[caller] = CallerCount(now + period)
        return count

    def _report(self, caller: str, count: CallerCount, share: int, storage: Storage) -> Quota:
        key = self.limit.key_for(current_app.config["RATELIMIT_KEY_PREFIX"], caller)
        count.reported = storage.incr(key, self.limit.get_expiry(), share)
        now = time.time()
        if count.reported <= self.limit.amount:
            return self._quota(count, count.reported, now)
        count.ends_at = storage.get_expiry(key)
        return self._exceeded(count, now)

    def _quota(self, count: CallerCount, used: int, now: float) -> Quota:
        return Quota(self, self.limit.amount - used, _whole_seconds(count.ends_at - now))

    def _exceeded(self, count: CallerCount, now: float) -> Quota:
        return Quota(self, 0, _whole_seconds(count.ends_at - now), is_exceeded=True)


def _whole_seconds(wait: float) -> int:
    return max(1, int(wait) + 1)
