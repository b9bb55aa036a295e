"""The blueprint of all pages: identifies the visitor, checks forms, and forbids caching."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from app.errors import Unauthenticated
from app.pages.csrf import check_csrf
from app.web.blueprints import forbid_storing
from app.web.callers.sign_in_cookie import identify_visitor, unset_invalid_cookie


class PageBlueprint(Blueprint):
    """Pages show who is signed in, so they are not cached.

    `before_forms` run after the visitor is identified and before a form is read.
    """

    def __init__(
        self,
        name: str,
        import_name: str,
        before_forms: Sequence[Callable[[], None]] = (),
        **options: Any,
    ) -> None:
        super().__init__(name, import_name, **options)
        for step in (identify_visitor, *before_forms, check_csrf):
            self.before_request(step)
        self.after_request(unset_invalid_cookie)
        self.after_request(forbid_storing)
        self.register_error_handler(Unauthenticated, _ask_to_sign_in)


def _ask_to_sign_in(_error: Unauthenticated) -> Response:
    """Redirect to the sign-in page, which leads back to this page afterwards."""
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return see_other(url_for("sign_in.show_login", next=back))


def see_other(address: str) -> Response:
    """Redirect after a form (RFC 9110, 303), so that reloading does not send the form again."""
    response = redirect(address, 303)
    assert isinstance(response, Response)  # noqa: S101 - narrows the type that Flask declares
    return response
