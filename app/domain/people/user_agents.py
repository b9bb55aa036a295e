"""The programs that people sign in with, by what they send as `User-Agent`."""

MAX_LENGTH = 200
UNKNOWN = "An unknown program"
# In this order: most browsers also name those that they are compatible with.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("Chrome/", "Chrome"), ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def clean(text: str) -> str:
    """The text as it is stored: at most 200 characters, all of which can be printed."""
    return "".join(filter(str.isprintable, text[:MAX_LENGTH])).strip()


def describe(text: str) -> str:
    """A name that people recognize, such as "Firefox on Windows" or "curl".

    A program may state anything, so this is a help and no proof.
    """
    browser, system = _first(_BROWSERS, text), _first(_SYSTEMS, text)
    if browser is None:
        return text.partition("/")[0].strip() or UNKNOWN
    return f"{browser} on {system}" if system else browser


def _first(names: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((name for mark, name in names if mark in text), None)
