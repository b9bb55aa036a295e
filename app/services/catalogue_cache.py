"""The catalogue's cache: ready answers, and every key that they are kept under.

An entry carries tokens: random words that were read before its data was. Forgetting sets new
tokens, after the commit, so whatever was read before that no longer matches, whichever worker puts
it in and however late. Tokens are never counters, and an evicted one is made anew: an old entry
cannot come to match again.

Product answers need Redis, which all workers share. Lists are trusted for less than a second, so
they may also be kept in process.
"""

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from flask_caching.backends.rediscache import RedisCache
from redis.exceptions import RedisError
from sqlalchemy.orm import SessionTransaction

from app import metrics
from app.domain.clock import utc_now
from app.extensions import cache, db
from app.unit_of_work import after_commit

PRODUCT_SECONDS = 20
LIST_SECONDS = 0.9
TOKEN_SECONDS = 3600
SKIP_SECONDS = 1.0
"""For how long a Redis that failed is not asked again."""
MAX_LIST_BYTES = 128 * 1024
MANY_PRODUCTS = 500
"""Where more than this are forgotten at once, everything is."""
MAX_HINTS = 10_000

CATALOGUE = "token:catalogue"
LISTS = "token:lists"

log = logging.getLogger(__name__)
T = TypeVar("T")


class Answer(NamedTuple):
    """A finished answer: the bytes of its body, its ETag (unquoted), and a list's figures."""

    body: bytes
    etag: str
    facts: tuple[Any, ...] = ()


class ProductAnswer(NamedTuple):
    """A finished answer about a product, and the two names that the product has."""

    answer: Answer
    product_id: int
    slug: str


# --- reading ---


def product(address: int | str, build: Callable[[], ProductAnswer]) -> Answer:
    """The public answer about a product, from the cache or else from `build`.

    A hit costs one round trip. Without Redis nothing is kept.
    """
    product_id = address if isinstance(address, int) else _hints.get(address)
    if product_id is None or not is_shared():
        return _remember(address, build())
    tokens, entry = _look_up(f"product:{product_id}", (_product_token(product_id), CATALOGUE))
    if entry is not None and address in entry[1]:
        metrics.cache_looked_up("product", "hit")
        return Answer(*entry[2])
    metrics.cache_looked_up("product", "miss" if tokens else "away")
    made = build()
    if tokens and made.product_id == product_id:
        names = (made.product_id, made.slug)
        value = (tokens, names, tuple(made.answer))
        _ask(lambda: cache.set(f"product:{product_id}", value, PRODUCT_SECONDS))
    return _remember(address, made)


def listed(name: str, question: Any, build: Callable[[], Answer]) -> Answer:
    """The public answer to a list's `question` (its arguments), at most LIST_SECONDS old."""
    key = f"list:{name}:{_digest(repr(question).encode())}"
    began = utc_now().timestamp()
    tokens, entry = _look_up(key, (LISTS,))
    if entry is not None and 0 <= began - entry[1] < LIST_SECONDS:
        metrics.cache_looked_up(name, "hit")
        return Answer(*entry[2])
    metrics.cache_looked_up(name, "miss" if tokens else "away")
    made = build()
    if tokens and len(made.body) <= MAX_LIST_BYTES:
        # The backends count in whole seconds: the life that counts is measured from `began`.
        _ask(lambda: cache.set(key, (tokens, began, tuple(made)), 2))
    return made


def etag_of(body: bytes) -> str:
    """An ETag of these bytes."""
    return _digest(body)


# --- forgetting ---


@dataclass
class Stale:
    """What one transaction makes untrue."""

    transaction: SessionTransaction | None
    products: set[int] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)

    def forget(self) -> None:
        """Set new tokens for all of it, in one round trip."""
        if len(self.products) > MANY_PRODUCTS:
            self.tokens |= {CATALOGUE, LISTS}
        elif is_shared():
            self.tokens |= {_product_token(id_) for id_ in self.products}
        _renew(self.tokens)


def forget_product(product_id: int) -> None:
    """Once the transaction stands, no reader gets an older answer about this product.

    Lists may go on showing it as it was, for less than a second.
    """
    _stale().products.add(product_id)


def forget_lists() -> None:
    """Once the transaction stands, lists show it at once."""
    _stale().tokens.add(LISTS)


def forget_catalogue() -> None:
    """Once the transaction stands, no reader gets an older answer about anything."""
    _stale().tokens.update((CATALOGUE, LISTS))


def _stale() -> Stale:
    # Another try of the same work runs in another transaction, and begins with nothing collected.
    transaction = db.session().get_transaction()
    kept: Stale | None = db.session.info.get("stale")
    if kept is None or kept.transaction is not transaction:
        kept = db.session.info["stale"] = Stale(transaction)
        after_commit(kept.forget)
    return kept


# --- Redis, or what stands in for it ---


@dataclass
class Line:
    """How this process gets on with a cache: until when not to ask it, and what it owes it."""

    skip_until: float = 0.0
    owed: set[str] = field(default_factory=set)
    lock: Any = field(default_factory=threading.Lock)

    def owe(self, names: set[str]) -> None:
        """Note tokens that could not be set."""
        with self.lock:
            self.owed |= names
            if len(self.owed) > MANY_PRODUCTS:
                self.owed = {CATALOGUE, LISTS}

    def settle(self) -> set[str]:
        """Take what is owed, to set it now."""
        with self.lock:
            owed, self.owed = self.owed, set()
            return owed


_lines: "WeakKeyDictionary[Any, Line]" = WeakKeyDictionary()
# Which product had a slug when last seen: only a guess at where to look, never trusted.
_hints: dict[str, int] = {}


def is_shared() -> bool:
    """Whether all workers see the same cache."""
    return isinstance(cache.cache, RedisCache)


def state() -> str:
    """`ok`, `unreachable`, or `in process` where there is no Redis."""
    if not is_shared():
        return "in process"
    return "unreachable" if _ask(lambda: cache.has(CATALOGUE)) is None else "ok"


def _look_up(key: str, names: tuple[str, ...]) -> tuple[tuple[str, ...], Any]:
    """The present tokens (empty when there is no talking to the cache), and the entry under `key`
    if it was made under them."""
    found = _ask(lambda: cache.get_many(key, *names))
    if found is None:
        return (), None
    entry, *known = found
    tokens = dict(zip(names, known, strict=True))
    if None in known:
        tokens.update(_ask(lambda: _set_tokens(n for n in names if tokens[n] is None)) or {})
        return (() if None in tokens.values() else tuple(tokens.values())), None
    valid = isinstance(entry, tuple) and entry[0] == tuple(known)
    return tuple(known), entry if valid else None


def _set_tokens(names: Iterable[str]) -> dict[str, str]:
    # Setting over a token that somebody made meanwhile does no harm: theirs was never reused.
    tokens = {name: secrets.token_hex(8) for name in names}
    cache.set_many(tokens, TOKEN_SECONDS)
    return tokens


def _renew(names: set[str]) -> None:
    """Make new tokens, even in a cache that failed a moment ago: what cannot be reached now is
    owed, and made good before this process reads from the cache again."""
    line = _line()
    if names and _try(line, lambda: _set_tokens(names)) is None:
        line.owe(names)


def _ask(question: Callable[[], T]) -> T | None:
    """The cache's answer; None while it is away."""
    line = _line()
    if time.monotonic() < line.skip_until:
        return None
    if line.owed:
        _renew(line.settle())
        if line.owed:
            return None
    return _try(line, question)


def _try(line: Line, question: Callable[[], T]) -> T | None:
    try:
        if is_shared():
            return question()
        with line.lock:  # cachelib's own cache has no lock in the version for Python 3.10
            return question()
    except (RedisError, OSError) as error:
        line.skip_until = time.monotonic() + SKIP_SECONDS
        metrics.cache_failed()
        log.warning("The cache did not answer: %s", type(error).__name__)
        return None


def _line() -> Line:
    return _lines.setdefault(cache.cache, Line())


def _product_token(product_id: int) -> str:
    return f"token:product:{product_id}"


def _remember(address: int | str, made: ProductAnswer) -> Answer:
    if isinstance(address, str):
        if len(_hints) >= MAX_HINTS:
            _hints.clear()
        _hints[address] = made.product_id
    return made.answer


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()
