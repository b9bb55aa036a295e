"""Mails about accounts.

Links with a secret are made when a mail is sent: a mail's row holds only the id of the token's row.
"""

from datetime import datetime, timezone

from app.services.accounts import account_tokens
from app.web.mails.links import SAMPLE_TOKEN, link, path_link
from app.web.mails.templates import MailTemplate, NoSubject, Values, add_template


def load_reset(context: Values) -> Values:
    """The link of the context's `token`, the id of its row, for its `user` and `recipient`.

    Raises:
        NoSubject: the link would not work any more.
    """
    return _with_link("/password/reset", context, "reset")


def load_confirmation(context: Values) -> Values:
    """The link by which the holder of an address confirms it; raises NoSubject as `load_reset` does."""
    return _with_link("/email/verify", context, "verify", "email")


def _with_link(path: str, context: Values, *purposes: str) -> Values:
    token = account_tokens.link_token(
        context["token"], context["user"], context["recipient"], *purposes
    )
    if token is None:
        raise NoSubject("The link does not work any more.")
    hours = int(account_tokens.LIFETIMES[purposes[0]].total_seconds()) // 3600
    return {"link": path_link(f"{path}?token={token}"), "hours": hours}


def load_change(context: Values) -> Values:
    """The time of a change of the account, of the context's `at` in ISO 8601."""
    return {"at": datetime.fromisoformat(context["at"]), "link": _account()}


def _account() -> str:
    return link("account.show_profile")


def _sample_confirmation() -> Values:
    return {"link": path_link(f"/email/verify?token={SAMPLE_TOKEN}"), "hours": 24}


def _sample_reset() -> Values:
    return {"link": path_link(f"/password/reset?token={SAMPLE_TOKEN}"), "hours": 1}


def _sample_change() -> Values:
    return {"at": datetime(2026, 11, 30, 14, 5, tzinfo=timezone.utc), "link": _account()}


for _template in (
    MailTemplate(
        "email_confirmation", "Confirm an address", load_confirmation, _sample_confirmation
    ),
    MailTemplate("password_reset", "Reset a password", load_reset, _sample_reset),
    MailTemplate("password_changed", "Password changed", load_change, _sample_change),
    MailTemplate("email_changed", "Address changed, to the old one", load_change, _sample_change),
    MailTemplate("second_factor_removed", "Second factor removed", load_change, _sample_change),
):
    add_template(_template)
