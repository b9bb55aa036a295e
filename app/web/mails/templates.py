"""Which mails there are: for each its template, where its values come from, and sample values.

A row of a mail stores ids. `load` turns them into what the template shows, when the mail is sent, so
that neither personal data nor secrets are stored with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]


class NoSubject(Exception):
    """What a mail is about no longer exists, or nobody is to be told of it any more."""


@dataclass(frozen=True)
class MailTemplate:
    """A mail that the shop can send."""

    name: str
    """Also of its file in `app/templates/mails`."""
    title: str
    """What staff read in lists."""
    load: Callable[[Values], Values]
    """The template's values, from what `queue_mail` was given and the `recipient`. Runs in a transaction.

    Raises:
        NoSubject: there is nothing to tell.
    """
    sample: Callable[[], Values]
    """Values for a preview."""
    is_receipt: bool = True
    """Belongs to something that its recipient did, so nobody can unsubscribe from it."""


_templates: dict[str, MailTemplate] = {}


def add_template(template: MailTemplate) -> None:
    """Let the shop send these mails."""
    _templates[template.name] = template


def find_template(name: str) -> MailTemplate:
    """The template of this name.

    Raises:
        KeyError: this release has none.
    """
    return _templates[name]


def all_templates() -> list[MailTemplate]:
    """All templates, in the order in which they were added."""
    return list(_templates.values())
