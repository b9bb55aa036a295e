"""Email addresses: which are valid, and which are the same."""

# Allowed here although it normalizes its input: `clean` normalizes and limits the text first.
import email_validator  # noqa: TID251
from email_validator import EmailNotValidError, validate_email  # noqa: TID251

from app.domain.text import NotText, normalize

MAX_LENGTH = 254
_MAX_KEY = 20 * MAX_LENGTH
"""A key can be longer than an address: one character may be folded to eighteen."""
# Invisible letters and marks (Unicode, Default_Ignorable_Code_Point). `email_validator` refuses
# control and format characters.
_INVISIBLE = frozenset(
    chr(code)
    for first, last in [(0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
                        (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0000, 0xE0FFF)]
    for code in range(first, last + 1)
)  # fmt: skip

# The shop sends nothing to check an address, so domains of tests and of private networks are valid.
for _domain in ("test", "local"):
    if _domain in email_validator.SPECIAL_USE_DOMAIN_NAMES:
        email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(_domain)


class NotAnEmail(ValueError):
    """The text is no email address; the message says why."""


def clean(text: str) -> str:
    """An address in its usual spelling: the domain in lower case, the part before the @ unchanged.

    Letters of another width or shape, such as those of a Japanese keyboard, become the usual ones
    (NFKC), and invisible ones are refused, so that no two addresses look the same.

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
    if max(map(len, (checked.normalized, _fold(checked.normalized)))) > MAX_LENGTH:
        raise NotAnEmail(f"At most {MAX_LENGTH} characters.")
    return checked.normalized


def wire_form(address: str) -> str:
    """An address as mail servers read it: its domain in ASCII (IDNA 2008, RFC 5891).

    Raises:
        NotAnEmail: it is none.
    """
    try:
        checked = validate_email(clean(address), check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise NotAnEmail(str(error)) from None
    return f"{checked.local_part}@{checked.ascii_domain}"


def key(text: str) -> str:
    """The key by which addresses compare: the part before the @ without case, the domain as in IDNA.

    Case folding is simple (Unicode, CaseFolding.txt, status C and S), which keeps letters apart that
    are several letters in capitals: `straße` and `strasse` are two mailboxes, and two domains (IDNA
    2008, RFC 5892). Text that is no address has a key too, which no account has.
    """
    try:
        local, at, domain = clean(text).rpartition("@")
    except NotAnEmail:
        local, at, domain = text.strip(), "", ""
    try:
        return _fold(local) + at + domain
    except NotText:  # it cannot be normalized, so it is no account's address
        return text


def former_key(text: str) -> str:
    """The key of earlier releases, under which accounts may still be stored. Case folding was full,
    so that `straße` became `strasse`."""
    try:
        text = clean(text)
    except NotAnEmail:
        text = text.strip()
    try:
        folded = normalize("NFKC", normalize("NFKC", text, _MAX_KEY).casefold(), _MAX_KEY)
    except NotText:
        return text
    local, at, domain = folded.partition("@")
    return _without_turkish_dots(local) + at + domain


def _fold(local: str) -> str:
    # Case folding can undo normalization, so normalize again (Unicode, toNFKC_Casefold).
    folded = "".join(map(_fold_letter, normalize("NFKC", local, _MAX_KEY)))
    return _without_turkish_dots(normalize("NFKC", folded, _MAX_KEY))


def _fold_letter(letter: str) -> str:
    if letter.isascii():
        return letter.lower()
    forms = (letter.casefold(), letter.lower())
    return next((form for form in forms if len(form) == 1), letter)


def _without_turkish_dots(local: str) -> str:
    """Replace the Turkish letters whose other case is a plain I or i by that i."""
    return local.replace("\u0130", "i").replace("i\u0307", "i").replace("\u0131", "i")
