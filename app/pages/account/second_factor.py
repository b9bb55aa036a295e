"""The pages by which people set up and remove the second factor of their account."""

from collections.abc import Callable
from typing import TypeVar

import segno
from flask import Response, flash, url_for
from markupsafe import Markup

from app.db.unit_of_work import in_transaction
from app.errors import ShopError, unless_refused
from app.models import User
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.forms import Form
from app.pages.layout import form_page, page
from app.schemas.auth import CodeSchema, PasswordSchema
from app.services.accounts import auth_service, second_factor_service
from app.services.accounts.auth_service import Attempt
from app.services.accounts.second_factor_service import Setup
from app.services.operations import store_service
from app.utils.decorators import login_required
from app.web.callers.identity import current_actor
from app.web.limits import rate_limits

blp = PageBlueprint("second_factor", __name__, url_prefix="/account/security/second-factor")
CODE, PASSWORD = CodeSchema(), PasswordSchema()
T = TypeVar("T")


@blp.get("")
@login_required
def show_begin() -> Response:
    """Explain the second factor, and ask for the password."""
    return form_page("second_factor.html", Form())


@blp.post("")
@rate_limits.shares_password_budget
@login_required
def begin() -> Response:
    """Begin to set up a second factor."""
    actor, issuer = current_actor(), store_service.details().name
    form = Form.from_request()
    setup: Setup | None = _with_password(
        form, lambda attempt: second_factor_service.begin(actor, attempt, issuer)
    )
    if setup is None:
        return _refused("second_factor.html", form)
    return see_other(url_for(".show_confirm"))


@blp.get("/confirm")
@login_required
def show_confirm() -> Response:
    """The QR code of the secret, and the form of its first code."""
    return _confirm_page(Form())


@blp.post("/confirm")
@login_required
def confirm() -> Response:
    """Confirm the second factor with a code, and show the recovery codes this once."""
    actor, form = current_actor(), Form.from_request()
    codes = form.carry_out(
        CODE,
        lambda body: unless_refused(
            in_transaction(lambda: second_factor_service.confirm(actor, body["code"]))
        ),
    )
    if codes is None:
        return _confirm_page(form)
    return page("recovery_codes.html", codes=codes, is_new=True)


@blp.get("/recovery-codes")
@login_required
def show_recovery_codes() -> Response:
    """Ask for the password before new recovery codes are made."""
    return form_page("recovery_codes_renew.html", Form())


@blp.post("/recovery-codes")
@rate_limits.shares_password_budget
@login_required
def renew_recovery_codes() -> Response:
    """Make new recovery codes, and show them this once."""
    actor, form = current_actor(), Form.from_request()
    codes: list[str] | None = _with_password(
        form, lambda attempt: second_factor_service.renew_recovery_codes(actor, attempt)
    )
    if codes is None:
        return _refused("recovery_codes_renew.html", form)
    return page("recovery_codes.html", codes=codes, is_new=False)


@blp.get("/remove")
@login_required
def show_remove() -> Response:
    """Ask for the password before the second factor is removed."""
    return form_page("second_factor_remove.html", Form())


@blp.post("/remove")
@rate_limits.shares_password_budget
@login_required
def remove() -> Response:
    """Remove the second factor with its recovery codes."""
    actor, form = current_actor(), Form.from_request()
    user: User | None = _with_password(
        form, lambda attempt: second_factor_service.remove(actor, attempt)
    )
    if user is None:
        return _refused("second_factor_remove.html", form)
    flash("Signing in takes your password alone from now on.")
    return _to_security()


def _with_password(form: Form, work: Callable[[Attempt], T | ShopError]) -> T | None:
    """Carry out what the caller's password allows; None where the form shows a refusal."""

    def check(proof: dict[str, str]) -> T:
        attempt = auth_service.try_own_password(current_actor(), proof["password"])
        return unless_refused(in_transaction(lambda: work(attempt)))

    return form.carry_out(PASSWORD, check)


def _refused(template: str, form: Form) -> Response:
    """Show the form with the refusal; in the wrong state, the page of the account's security."""
    if form.code in ("mfa_enabled", "mfa_not_enabled", "mfa_not_begun"):
        flash(form.problem, "error")
        return _to_security()
    return form_page(template, form)


def _confirm_page(form: Form) -> Response:
    setup = second_factor_service.pending_setup(current_actor(), store_service.details().name)
    if setup is None:
        return _to_security()
    form.values.pop("code", None)
    return form_page(
        "second_factor_confirm.html", form, secret=_spaced(setup.secret), qr=_qr(setup)
    )


def _qr(setup: Setup) -> Markup:
    """The QR code as SVG. It has no inline styles, which the Content-Security-Policy refuses, and is
    black on white in dark mode as well, because many cameras read nothing else."""
    code = segno.make(setup.otpauth_uri, micro=False)
    svg = code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True)
    return Markup(svg)  # noqa: S704  # nosec B704: segno's own output, of a link that the shop made


def _spaced(secret: str) -> str:
    return " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))


def _to_security() -> Response:
    return see_other(url_for("account_security.overview"))
