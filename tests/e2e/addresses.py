"""All pages of the shop, as addresses to look at.

They come from the app's own routes, so that no new page can be forgotten; and what needs an id or a
name is reached by the links of the others, as people reach it.
"""

from collections.abc import Iterator

from flask import Flask
from playwright.sync_api import Page
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect, Rule

from app.pages.blueprint import PageBlueprint

FILES = {
    "account.export", "media.picture", "admin_imports.export", "admin_mail.show_html",
    "admin_mail.show_template_html", "admin_reports.download_sales", "admin_reports.download_taxes",
    "admin_promotion_codes.download",
}  # fmt: skip
"""What answers GET in a room of pages without being one."""
LINKS = "links => links.map(link => link.pathname)"


def pages_of(app: Flask, who: str) -> list[Rule]:
    """The routes that show a page to a guest, a customer, or the staff."""
    return [
        rule
        for rule in app.url_map.iter_rules()
        if isinstance(app.blueprints.get(rule.endpoint.rpartition(".")[0]), PageBlueprint)
        and "GET" in (rule.methods or ())
        and rule.endpoint not in FILES
        and _who_sees(rule.rule) == who
    ]


def walk(page: Page, app: Flask, rules: list[Rule], first: tuple[str, ...] = ()) -> Iterator[str]:
    """Go to a page of each route: those that need nothing first, then where their links lead.

    Gives the endpoint while its page is shown. `first` are addresses to take for their routes,
    where not every page of a route has the links that lead further.
    """
    adapter = app.url_map.bind("shop.example")
    known = {rule.endpoint: rule.rule for rule in rules if not rule.arguments}
    known |= {_endpoint(adapter, path): path for path in first}
    wanted, seen = {rule.endpoint for rule in rules}, set[str]()
    while found := [endpoint for endpoint in known if endpoint not in seen]:
        for endpoint in found:
            answer = page.goto(known[endpoint])
            assert answer is not None
            assert answer.status == 200, (endpoint, answer.status)
            seen.add(endpoint)
            yield endpoint
            for path in page.locator("a[href]").evaluate_all(LINKS):
                leads_to = _endpoint(adapter, path)
                if leads_to in wanted:
                    known.setdefault(leads_to, path)
    assert wanted == seen, f"no way leads to {wanted - seen}"


def _who_sees(path: str) -> str:
    if path.startswith("/admin"):
        return "staff"
    return "customer" if path.startswith(("/account", "/orders")) else "guest"


def _endpoint(adapter, path: str) -> str:
    try:
        return adapter.match(path)[0]
    except (HTTPException, RequestRedirect):
        return ""
