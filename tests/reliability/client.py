"""People who send requests to the shop, and write down every attempt."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests.reliability.history import Attempt, History
from tests.reliability.setting import PASSWORD, Setting

PATIENCE = 12.0
"""Seconds that a person waits for an answer, if nothing else is said."""
PERSISTENCE = 30.0
"""Seconds for which a person tries again. The checker reports what was never resolved."""
IDLE = 3.0
"""Seconds after which a connection is not used again; gunicorn closes it after 5 s."""
WAY_HOME = 0.25
"""Seconds after a lost answer before a person looks: what the server still does is done by then."""


class Person:
    """Sends requests as one person, from any number of threads, and remembers what came of them.

    Attributes:
        label: stands for this person, and for their cart, in the history.
        access, refresh_token: of the session, while there is one.
        cart_token: a guest's, while there is one.
        cart: the items of the cart as last answered.
    """

    def __init__(self, label: str, setting: Setting, history: History, rng: random.Random) -> None:
        self.label = label
        self.email = f"{label}@example.com"
        self.setting, self.history, self.rng = setting, history, rng
        self.user_id: int | None = None
        self.access: str | None = None
        self.refresh_token: str | None = None
        self.cart_token: str | None = None
        self.cart: list[dict[str, Any]] = []
        self._last_used = 0.0
        self._session = requests.Session()
        self._session.trust_env = False  # proxies and .netrc cost time, and are not for this
        self._session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=4))

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    @property
    def is_guest(self) -> bool:
        """Whether this person is known by the token of a cart alone."""
        return self.access is None

    def send(
        self,
        operation: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
        about: dict[str, Any] | None = None,
    ) -> Attempt:
        """One request under this person's credentials, unless `headers` are given instead."""
        sent = dict(self._credentials() if headers is None else headers)
        if key is not None:
            sent["Idempotency-Key"] = key
        start = self.setting.clock()
        with self.history.under_way():
            response = self._exchange(method, path, body, sent, patience)
        attempt = Attempt(
            operation, self.label, method, path, key, body, start, self.setting.clock(),
            status=None if response is None else response.status_code,
            answer=None if response is None else _parsed(response),
            raw=b"" if response is None else response.content,
            replayed=response is not None and "Idempotency-Replayed" in response.headers,
            about={**_carts(sent, response), **(about or {})},
        )  # fmt: skip
        self.history.append(attempt)
        if response is not None:
            self._note(attempt, response.headers)
        return attempt

    def insist(self, try_once: Callable[[], Attempt]) -> Attempt:
        """Try until it is known what became of it, or PERSISTENCE is over; the last attempt.

        Only for what may be sent twice: with a key, or where twice is the same as once.
        """
        deadline = self.setting.clock() + PERSISTENCE
        attempt = try_once()
        while is_open(attempt) and self.setting.clock() < deadline:
            time.sleep(self.rng.uniform(0.1, 0.4))
            attempt = try_once()
        return attempt

    def register(self) -> Attempt:
        """Make an account. A try after a lost answer may find that it is there already."""
        body = {"email": self.email, "password": PASSWORD}
        attempt = self.insist(lambda: self.send("register", "POST", "/api/auth/register", body))
        if attempt.outcome == "ok":
            self.user_id = attempt.answer["id"]
        return attempt

    def sign_in(self) -> Attempt:
        """Open a session; a guest's cart comes along, and its token is dead from then on."""
        body = {"email": self.email, "password": PASSWORD}
        guest = {"X-Cart-Token": self.cart_token} if self.cart_token else {}
        about = {"merges": bool(guest)}
        attempt = self.insist(
            lambda: self.send("login", "POST", "/api/auth/login", body, headers=guest, about=about)
        )
        if attempt.outcome == "ok":
            self.access = attempt.answer["access_token"]
            self.refresh_token = attempt.answer["refresh_token"]
            self.cart_token = None
        return attempt

    def renew(self) -> Attempt:
        """Trade the refresh token. When the answer is lost, so is the token: sign in again."""
        headers = bearer(self.refresh_token or "")
        attempt = self.send("refresh", "POST", "/api/auth/refresh", headers=headers)
        if attempt.outcome == "ok":
            self.access = attempt.answer["access_token"]
            self.refresh_token = attempt.answer["refresh_token"]
        else:
            self.access = None
            self.sign_in()
        return attempt

    def sign_out(self) -> Attempt:
        """End the session. A second try is refused where the first one was carried out."""
        attempt = self.insist(lambda: self.send("logout", "POST", "/api/auth/logout"))
        self.access = self.refresh_token = None
        self.cart = []
        return attempt

    def learn_id(self) -> int:
        """Whose account this is, asked of the shop where the answer to `register` was lost."""
        deadline = self.setting.clock() + PERSISTENCE
        while self.user_id is None and self.setting.clock() < deadline:
            response = self._exchange("GET", "/api/users/me", None, self._credentials(), PATIENCE)
            if response is not None and response.ok:
                self.user_id = response.json()["id"]
        return self.user_id or 0

    def _credentials(self) -> dict[str, str]:
        if self.access is not None:
            return bearer(self.access)
        return {"X-Cart-Token": self.cart_token} if self.cart_token else {}

    def _exchange(
        self, method: str, path: str, body: Any, headers: dict[str, str], patience: float
    ) -> requests.Response | None:
        url = self.setting.address + path
        self._hang_up_if_idle()
        try:
            return self._session.request(
                method, url, json=body, headers=headers, timeout=(PATIENCE, patience)
            )
        except requests.RequestException:
            return None

    def _hang_up_if_idle(self) -> None:
        """Close connections that the server is about to close: the two might cross on the way."""
        now = self.setting.clock()
        if now - self._last_used > IDLE:
            self.close()
        self._last_used = now

    def _note(self, attempt: Attempt, headers: Mapping[str, str]) -> None:
        """Remember what later requests need: a guest's token, and what is in the cart."""
        if "X-Cart-Token" in headers:
            self.cart_token = headers["X-Cart-Token"]
        if attempt.outcome == "ok" and attempt.path.startswith("/api/cart"):
            self.cart = attempt.answer["items"] if attempt.answer else []


def bearer(token: str) -> dict[str, str]:
    """The header that carries a session's token."""
    return {"Authorization": f"Bearer {token}"}


def is_open(attempt: Attempt) -> bool:
    """Whether it is still to be found out what became of what was asked."""
    in_use = attempt.status == 409 and attempt.answer["code"] == "idempotency_key_in_use"
    return attempt.outcome == "unknown" or in_use


def together(calls: Iterable[Callable[[], Attempt]]) -> list[Attempt]:
    """What the calls answer when they are made at the same time."""
    todo = list(calls)
    with ThreadPoolExecutor(len(todo)) as threads:
        return list(threads.map(lambda call: call(), todo))


def _carts(sent: Mapping[str, str], response: requests.Response | None) -> dict[str, str]:
    """Whose cart a request is about, and which one the answer opened; tokens in short."""
    token = sent.get("X-Cart-Token", "")
    found = {"cart": "account" if "Authorization" in sent else _short(token)}
    if response is not None and "X-Cart-Token" in response.headers:
        found["opens"] = _short(response.headers["X-Cart-Token"])
    return found


def _short(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:12] if token else "nobody"


def _parsed(response: requests.Response) -> Any:
    """The JSON of an answer; of anything else nothing, since the shop's API answers JSON alone."""
    if not response.content or "json" not in response.headers.get("Content-Type", ""):
        return None
    return json.loads(response.content)
