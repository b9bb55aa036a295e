"""Who may enter: declared on the view, checked before its body is read."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from app.errors import Forbidden, Unauthenticated
from app.utils.identity import current_actor

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


def _documented(guarded: Any, needs: str) -> Any:
    # flask-smorest collects what it documents in `_apidoc`; `ShopBlueprint` reads this entry.
    guarded._apidoc = {**getattr(guarded, "_apidoc", {}), "needs": needs}
    return guarded
