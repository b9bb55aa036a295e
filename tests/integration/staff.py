"""Staff at their pages: signed in, with forms that are sent as they are shown."""

import re
from html import unescape

from flask import Flask

from tests.integration.browsing import Browser, form_of
from tests.integration.people import make_user

CLERK = "clerk@example.com"


def signed_in_staff(app: Flask, email: str = CLERK, **fields: str) -> Browser:
    """A browser in which a member of staff is signed in, with an account of these fields."""
    make_user(app, email=email, role="admin", **fields)
    browser = Browser(app)
    assert browser.sign_in(email).status_code == 303
    return browser


def fields_of(html: str, action: str) -> dict[str, str]:
    """What a form sends when nobody changes anything: a browser's own rules, as far as needed."""
    form = form_of(html, action)
    assert form is not None, f"no form for {action}"
    sent = {}
    for tag in re.findall(r"<input\s[^>]*>", form):
        facts = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        is_left = facts.get("type") in ("checkbox", "radio") and not tag.endswith(" checked>")
        if "name" in facts and not is_left and facts.get("type") != "file":
            sent[facts["name"]] = unescape(facts.get("value", ""))
    for name, text in re.findall(
        r'<textarea[^>]* name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form, re.S
    ):
        sent[name] = unescape(text)
    for name, choices in re.findall(r'<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', form, re.S):
        sent[name] = _chosen(choices)
    return sent


def _chosen(choices: str) -> str:
    found = re.search(r'<option(?: value="([^"]*)")? selected>(.*?)</option>', choices)
    return unescape(found[2] if found[1] is None else found[1]) if found else ""
