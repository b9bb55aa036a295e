"""The targets of redirects that a form may name: only addresses of the shop itself."""

import re
from urllib.parse import quote, unquote

MAX_LENGTH = 2000
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNQUOTED = "/?#[]@!$&'()*+,;=:-._~%"


def safe_target(target: str | None, fallback: str) -> str:
    """`target` in ASCII if it is a path of this shop, else `fallback`.

    A path begins with one slash. It must not contain what makes a browser read a host or a scheme
    out of it (OWASP, Unvalidated Redirects Cheat Sheet; WHATWG URL, section 4.4): `//`, `\\`, which
    browsers treat as `/`, and control characters, which they drop. None of them may be percent-encoded
    either, however often, because a proxy may decode them.
    """
    if not target or len(target) > MAX_LENGTH or not target.startswith("/") or "\\" in target:
        return fallback
    try:
        address = quote(target, safe=_UNQUOTED)
    except UnicodeEncodeError:  # a lone surrogate
        return fallback
    path = re.split("[?#]", target, maxsplit=1)[0]
    return fallback if _leads_out(path) or _CONTROLS.search(_decoded(target)) else address


def _leads_out(path: str) -> bool:
    decoded = _decoded(path)
    return "//" in decoded or "\\" in decoded


def _decoded(text: str) -> str:
    # Each round that changes something makes it shorter.
    while (once := unquote(text)) != text:
        text = once
    return text
