"""Mails about accounts.

Links with a secret are made when a mail is sent, by the function that `load_with` sets for its template:
a mail's row holds only the id of what the link is for.
"""

from datetime import datetime, timezone

from app.web.mails.links import SAMPLE_TOKEN, link, path_link
from app.web.mails.templates import MailTemplate, NoSubject, Values, add_template


def load_nothing(_context: Values) -> Values:
    """The values of a template that nothing sends yet.

    Raises:
        NoSubject: always.
    """
    raise NoSubject("Nothing sends this mail.")


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
    MailTemplate("email_confirmation", "Confirm an address", load_nothing, _sample_confirmation),
    MailTemplate("password_reset", "Reset a password", load_nothing, _sample_reset),
    MailTemplate("password_changed", "Password changed", load_change, _sample_change),
    MailTemplate("email_changed", "Address changed, to the old one", load_change, _sample_change),
    MailTemplate("second_factor_removed", "Second factor removed", load_change, _sample_change),
):
    add_template(_template)
