"""What schemathesis is told about this shop: how its callers sign in, and the texts of its own formats.

It is loaded by schemathesis itself, which runs in a process of its own; who calls stands in the
environment.
"""

import os
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st

from app.domain.countries import COUNTRIES

ADDRESS, EMAIL, PASSWORD = (
    os.environ.get(f"FUZZ_{name}", "") for name in ("ADDRESS", "EMAIL", "PASSWORD")
)

schemathesis.openapi.format("iso-3166-1", st.sampled_from(sorted(COUNTRIES)))
schemathesis.openapi.format("password", st.from_regex(r"[ -~]{20,40}", fullmatch=True))
schemathesis.openapi.format(
    "email", st.from_regex(r"[a-z]{1,12}[0-9]{6,9}@example\.com", fullmatch=True)
)


@schemathesis.auth(refresh_interval=600, retry_on=[401])
class SignedIn:
    """One caller, who signs in again whenever the token is refused: fuzzing logs out, and more."""

    def get(self, _case: Any, _context: Any) -> str | None:
        """A token of a new session; None for a stranger, who has no account."""
        if not EMAIL:
            return None
        answer = self._post("login")
        if answer.status_code == 401:  # closed, or its password changed: the next one begins afresh
            self._post("register")
            answer = self._post("login")
        token: str | None = answer.json().get("access_token")
        return token

    def set(self, case: Any, token: str, _context: Any) -> None:
        """Send the token along."""
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}

    def _post(self, verb: str) -> requests.Response:
        body = {"email": EMAIL, "password": PASSWORD}
        return requests.post(f"{ADDRESS}/api/auth/{verb}", json=body, timeout=10)
