"""The blueprint of all pages: identifies the visitor, checks forms, and forbids caching."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from app.errors import Forbidden, SecondFactorMissing, Unauthenticated
from app.pages.csrf import StaleForm, check_csrf
from app.pages.stale_forms import ask_again, stale_form
from app.utils.error_handlers import handle_refusal
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
        self.register_error_handler(Forbidden, _forbid)
        self.register_error_handler(SecondFactorMissing, _ask_for_second_factor)
        self.register_error_handler(StaleForm, ask_again)


def _ask_to_sign_in(_error: Unauthenticated) -> Response:
    """Redirect to the sign-in page, which leads back to this page afterwards. A form of somebody who has
    been signed out since is shown again, because it would be lost."""
    form = stale_form()
    if form is not None:
        return ask_again(form)
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return see_other(url_for("sign_in.show_login", next=back))


def _forbid(error: Forbidden) -> Response:
    """Show a form again that was opened for an account which may send it; refuse all else."""
    form = stale_form()
    return handle_refusal(error) if form is None else ask_again(form, may_send=False)


def _ask_for_second_factor(error: SecondFactorMissing) -> Response:
    """Lead staff to the page where they set up the second factor that they need."""
    flash(error.detail, "error")
    return see_other(url_for("second_factor.show_begin"))


def see_other(address: str) -> Response:
    """Redirect after a form (RFC 9110, 303), so that reloading does not send the form again."""
    response = redirect(address, 303)
    assert isinstance(response, Response)  # noqa: S101 - narrows the type that Flask declares
    return response
