"""Email addresses: what is one, and when two are the same."""

# It normalizes by itself, what `clean` has normalized before.
import email_validator  # noqa: TID251
from email_validator import EmailNotValidError, validate_email  # noqa: TID251

from app.domain.text import NotText, normalize

MAX_LENGTH = 254
_MAX_KEY = 20 * MAX_LENGTH
"""A key can be longer than an address: one character may be folded to eighteen."""
# What letters and marks draw nothing (Unicode, Default_Ignorable_Code_Point); controls and formats
# are refused as such.
_INVISIBLE = frozenset(
    chr(code)
    for first, last in [(0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
                        (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0000, 0xE0FFF)]
    for code in range(first, last + 1)
)  # fmt: skip

# Nothing is sent to check an address, so names for tests and for networks of one's own may be used.
for _domain in ("test", "local"):
    if _domain in email_validator.SPECIAL_USE_DOMAIN_NAMES:
        email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(_domain)


class NotAnEmail(ValueError):
    """The text is no email address; the message says why."""


def clean(text: str) -> str:
    """An address in its usual spelling: domain in lower case, the part before the @ as given.

    Letters of another width or shape, such as those of a Japanese keyboard, become the usual ones
    (NFKC), and what nobody can see is refused: no two accounts shall look like one address.

    Raises:
        NotAnEmail: the syntax is wrong, or it is longer than 254 characters.
    """
    try:
        text = normalize("NFKC", text, MAX_LENGTH)
    except NotText as error:
        raise NotAnEmail(str(error)) from None
    if len(text) > 2 * MAX_LENGTH:  # a domain may still become shorter, in letters of its own
        raise NotAnEmail(f"At most {MAX_LENGTH} characters.")
    if any(char in _INVISIBLE for char in text):
        raise NotAnEmail("There is a character in it that cannot be seen.")
    try:
        checked = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise NotAnEmail(str(error)) from None
    if max(len(checked.normalized), len(_fold(checked.normalized))) > MAX_LENGTH:
        raise NotAnEmail(f"At most {MAX_LENGTH} characters.")
    return checked.normalized


def key(text: str) -> str:
    """What an address is compared by: without case and in one Unicode form.

    Text that is no address has a key too; what cannot be registered is found nowhere.
    """
    try:
        return _fold(clean(text))
    except NotAnEmail:
        pass
    try:
        return _fold(text.strip())
    except NotText:  # not to be normalized, and nobody's address
        return text


def _fold(text: str) -> str:
    # Folding can undo a normal form, so that it is made again (Unicode, toNFKC_Casefold).
    folded = normalize("NFKC", text, _MAX_KEY).casefold()
    local, at, domain = normalize("NFKC", folded, _MAX_KEY).partition("@")
    # The Turkish letters whose other case is a plain I or i, which case folding alone tells apart.
    return local.replace("i\u0307", "i").replace("\u0131", "i") + at + domain
