"""The addresses that staff may name as receivers of webhooks."""

from urllib.parse import urlsplit

MAX_URL = 2000
ONE_URL = f"A URL of at most {MAX_URL} ASCII characters, without spaces."


class NotReceiver(ValueError):
    """The address cannot be one of a receiver; the message is one sentence for staff."""


def check_url(url: str, allow_http: bool = False) -> str:
    """The address as it is called: without a fragment, and with a path.

    The address that a name stands for is judged at each delivery (`gateways.webhooks`).

    Raises:
        NotReceiver: it is no URL of a receiver.
    """
    schemes = ("https", "http") if allow_http else ("https",)
    if len(url) > MAX_URL or not url.isascii() or any(c <= " " or c in '"\\<>^`{|}' for c in url):
        raise NotReceiver(ONE_URL)
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_complete = False
    if not is_complete or parts.scheme not in schemes:
        raise NotReceiver(f"A complete URL that begins with {' or '.join(schemes)}://.")
    if "@" in parts.netloc:
        raise NotReceiver("A URL without a name and password in it.")
    complete = parts._replace(fragment="", path=parts.path or "/").geturl()
    if len(complete) > MAX_URL:
        raise NotReceiver(ONE_URL)
    return complete
