"""Who may call a view: declared by a decorator, checked before the body is read."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import request

from app.errors import Forbidden, Unauthenticated
from app.web.callers.identity import current_actor

P = ParamSpec("P")
R = TypeVar("R")


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only callers with an account in; others get 401."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if current_actor().user_id is None:
            raise Unauthenticated()
        return view(*args, **kwargs)

    return _document(guarded, needs="login")


def admin_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only staff in; anonymous callers get 401, customers 403."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if current_actor().user_id is None:
            raise Unauthenticated()
        if not current_actor().is_admin:
            raise Forbidden()
        return view(*args, **kwargs)

    return _document(guarded, needs="admin")


def login_or_token_required(header: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only callers with an account or a guest's token in this header in; others get 401."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if current_actor().user_id is None and not request.headers.get(header):
                raise Unauthenticated()
            return view(*args, **kwargs)

        return _document(guarded, needs="login or token")

    return decorate


def _document(guarded: Callable[P, R], needs: str) -> Callable[P, R]:
    # flask-smorest collects what it documents in `_apidoc`; `ShopBlueprint` reads this entry.
    vars(guarded)["_apidoc"] = {**vars(guarded).get("_apidoc", {}), "needs": needs}
    return guarded
