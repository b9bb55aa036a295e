"""Renders a mail's template twice, as HTML and as plain text.

A template calls macros such as `m.paragraph` and `m.button`. There are two sets of them,
`blocks.html` and `blocks.txt`, and with each the same source becomes one of the two forms, so that
they cannot say different things. Styles are in `mail.css` and are inlined, because many mail programs
ignore the head of a message; rules for dark screens stay there.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from css_inline import CSSInliner
from flask import Flask, current_app
from jinja2 import Environment, Template

FOLDER = "mails"
# It would fetch stylesheets that a message links to.
_INLINER = CSSInliner(load_remote_stylesheets=False, keep_style_tags=False, keep_at_rules=True)


class RenderedMail(NamedTuple):
    """A mail in both forms."""

    subject: str
    text: str
    html: str


def register(app: Flask) -> None:
    """Create the two environments of an app. They share its filters.

    Flask escapes by the name of a file. Here one file is rendered with and without, so the compiled
    code of the two must not be shared either.
    """
    app.extensions["mail_templates"] = {
        kind: app.jinja_env.overlay(
            autoescape=kind == "html", bytecode_cache=None, trim_blocks=True, lstrip_blocks=True
        )
        for kind in ("html", "txt")
    }


def render(name: str, context: Mapping[str, Any]) -> RenderedMail:
    """Render a template with these values."""
    environments = current_app.extensions["mail_templates"]
    text = environments["txt"].get_template(f"{FOLDER}/{name}.mail")
    values = _values(environments["txt"], "txt", context)
    subject = " ".join(_block(text, "subject", values).split())
    html = environments["html"].get_template(f"{FOLDER}/{name}.mail")
    html_values = {**_values(environments["html"], "html", context), "subject": subject}
    return RenderedMail(
        subject, _tidy(text.render(values)), _INLINER.inline(html.render(html_values))
    )


def _values(environment: Environment, kind: str, context: Mapping[str, Any]) -> dict[str, Any]:
    blocks = environment.get_template(f"{FOLDER}/blocks.{kind}")
    return {**context, "m": blocks.module, "layout": f"{FOLDER}/layout.{kind}"}


def _block(template: Template, name: str, values: Mapping[str, Any]) -> str:
    return "".join(template.blocks[name](template.new_context(dict(values))))


def _tidy(text: str) -> str:
    """Lines without spaces at their ends, and never two empty ones."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    pairs = zip(["", *lines], lines, strict=False)
    return "\n".join(line for before, line in pairs if before or line) + "\n"
