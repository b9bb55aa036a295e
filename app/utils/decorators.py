"""Who may enter: declared on the view, checked before its body is read."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import request

from app.errors import Forbidden, Unauthenticated
from app.web.callers.identity import current_actor

View = TypeVar("View", bound=Callable[..., Any])


def login_required(view: View) -> View:
    """Only callers with an account; others get 401."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if current_actor().user_id is None:
            raise Unauthenticated()
        return view(*args, **kwargs)

    return cast(View, _documented(guarded, needs="login"))


def admin_required(view: View) -> View:
    """Only staff; anonymous callers get 401, customers 403."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if current_actor().user_id is None:
            raise Unauthenticated()
        if not current_actor().is_admin:
            raise Forbidden()
        return view(*args, **kwargs)

    return cast(View, _documented(guarded, needs="admin"))


def login_or_token_required(header: str) -> Callable[[View], View]:
    """Only callers with an account, or with a guest's token in this header; others get 401."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if current_actor().user_id is None and not request.headers.get(header):
                raise Unauthenticated()
            return view(*args, **kwargs)

        return cast(View, _documented(guarded, needs="login or token"))

    return decorate


def _documented(guarded: Any, needs: str) -> Any:
    # flask-smorest collects what it documents in `_apidoc`; `ShopBlueprint` reads this entry.
    guarded._apidoc = {**getattr(guarded, "_apidoc", {}), "needs": needs}
    return guarded
