"""Routes of the second factor of accounts."""

from app.db.unit_of_work import in_transaction
from app.errors import unless_refused
from app.schemas.auth import (
    CodeSchema,
    MfaSchema,
    MfaSetupSchema,
    PasswordSchema,
    RecoveryCodesSchema,
)
from app.services.accounts import auth_service, second_factor_service, second_factors
from app.services.accounts.second_factor_service import Setup
from app.services.accounts.second_factors import FactorState
from app.services.operations import store_service
from app.utils.decorators import admin_required, login_required
from app.web.blueprints import ShopBlueprint
from app.web.callers.identity import current_actor
from app.web.keyed_requests import refuses_key
from app.web.limits import rate_limits
from app.web.preconditions import without_etag

blp = ShopBlueprint("mfa", __name__, url_prefix="/api/users", private=True)


@blp.get("/me/mfa")
@login_required
@blp.response(200, MfaSchema)
def get_mfa() -> FactorState:
    """Whether signing in to the caller's account takes a code, and how many recovery codes are left."""
    return second_factors.state_of(current_actor().user_id or 0)


@blp.post("/me/mfa")
@rate_limits.shares_password_budget
@login_required
@blp.arguments(PasswordSchema)
@blp.response(200, MfaSetupSchema)
@refuses_key
def begin_mfa(proof: dict[str, str]) -> Setup:
    """Begin to set up a second factor. Codes are asked for once `confirm` has got the first one.

    That takes the same session, within 15 minutes.
    """
    actor, issuer = current_actor(), store_service.details().name
    attempt = auth_service.try_own_password(actor, proof["password"])
    return unless_refused(
        in_transaction(without_etag(lambda: second_factor_service.begin(actor, attempt, issuer)))
    )


@blp.post("/me/mfa/confirm")
@login_required
@blp.arguments(CodeSchema)
@blp.response(200, RecoveryCodesSchema)
@refuses_key
def confirm_mfa(body: dict[str, str]) -> dict[str, list[str]]:
    """Confirm the second factor with a code of it. All other sessions of the account end.

    The recovery codes are shown this once.
    """
    actor = current_actor()
    outcome = in_transaction(
        without_etag(lambda: second_factor_service.confirm(actor, body["code"]))
    )
    return {"recovery_codes": unless_refused(outcome)}


@blp.post("/me/mfa/recovery-codes")
@rate_limits.shares_password_budget
@login_required
@blp.arguments(PasswordSchema)
@blp.response(200, RecoveryCodesSchema)
@refuses_key
def renew_recovery_codes(proof: dict[str, str]) -> dict[str, list[str]]:
    """Make new recovery codes, which are shown this once. The old ones count no more."""
    actor = current_actor()
    attempt = auth_service.try_own_password(actor, proof["password"])
    outcome = in_transaction(
        without_etag(lambda: second_factor_service.renew_recovery_codes(actor, attempt))
    )
    return {"recovery_codes": unless_refused(outcome)}


@blp.delete("/me/mfa")
@rate_limits.shares_password_budget
@login_required
@blp.arguments(PasswordSchema)
@blp.response(204)
def remove_mfa(proof: dict[str, str]) -> None:
    """Remove the second factor with its recovery codes."""
    actor = current_actor()
    attempt = auth_service.try_own_password(actor, proof["password"])
    unless_refused(
        in_transaction(without_etag(lambda: second_factor_service.remove(actor, attempt)))
    )


@blp.delete("/<int:user_id>/mfa")
@admin_required
@blp.response(204)
def remove_mfa_of_user(user_id: int) -> None:
    """Remove the second factor of somebody who has lost it. The account's sessions end.

    Check first that its owner asks.
    """
    actor = current_actor()
    in_transaction(without_etag(lambda: second_factor_service.remove_for(actor, user_id)))
