"""Email addresses: what is one, and when two are the same."""

import unicodedata

import email_validator
from email_validator import EmailNotValidError, validate_email

MAX_LENGTH = 254

# Nothing is sent to check an address, so names for tests and for networks of one's own may be used.
for _domain in ("test", "local"):
    if _domain in email_validator.SPECIAL_USE_DOMAIN_NAMES:
        email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(_domain)


class NotAnEmail(ValueError):
    """The text is no email address; the message says why."""


def clean(text: str) -> str:
    """An address in its usual spelling: domain in lower case, the part before the @ as given.

    Raises:
        NotAnEmail: the syntax is wrong, or it is longer than 254 characters.
    """
    try:
        checked = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise NotAnEmail(str(error)) from None
    if max(len(checked.normalized), len(_fold(checked.normalized))) > MAX_LENGTH:
        raise NotAnEmail(f"At most {MAX_LENGTH} characters.")
    return checked.normalized


def key(text: str) -> str:
    """What an address is compared by: without case and in one Unicode form.

    Text that is no address has a key too, which no account has.
    """
    try:
        return _fold(clean(text))
    except NotAnEmail:
        return _fold(text.strip())


def _fold(text: str) -> str:
    # Folding can undo a normal form, so that it is made again (Unicode, toNFKC_Casefold).
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)
