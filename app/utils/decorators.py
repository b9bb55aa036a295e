"""Who may call a view: declared by a decorator, checked before the body is read."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import request

from app.errors import Forbidden, SecondFactorMissing, Unauthenticated
from app.web.callers.identity import current_actor, current_claims

P = ParamSpec("P")
R = TypeVar("R")


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only callers with an account in; others get 401."""
    return _guard(view, require_account, needs="login")


def admin_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only staff in; anonymous callers get 401, customers 403."""
    return _guard(view, require_staff, needs="admin")


def refresh_token_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only callers with a token in; others get 401. `auth_service.refresh` checks its session."""
    return _guard(view, require_token, needs="login")


def login_or_token_required(header: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only callers with an account or a guest's token in this header in; others get 401."""

    def check() -> None:
        if not request.headers.get(header):
            require_account()

    return lambda view: _guard(view, check, needs="login or token")


def require_account() -> None:
    """Refuse anonymous callers."""
    if current_actor().user_id is None:
        raise Unauthenticated()


def require_token() -> None:
    """Refuse callers without a token."""
    current_claims()


def require_staff() -> None:
    """Refuse anonymous callers, customers, and staff who have to set up a second factor."""
    require_account()
    if current_actor().needs_second_factor:
        raise SecondFactorMissing()
    if not current_actor().is_admin:
        raise Forbidden()


def _guard(view: Callable[P, R], check: Callable[[], None], needs: str) -> Callable[P, R]:
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        check()
        return view(*args, **kwargs)

    # flask-smorest collects what it documents in `_apidoc`; `ShopBlueprint` reads this entry.
    vars(guarded)["_apidoc"] = {**vars(guarded).get("_apidoc", {}), "needs": needs}
    return guarded
