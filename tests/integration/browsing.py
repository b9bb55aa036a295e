"""A browser without JavaScript, as far as the tests of pages need one."""

import re
from html import unescape
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import Variant
from tests.factories import PASSWORD
from tests.integration.people import inside


class Browser:
    """Somebody who looks at pages, keeps cookies, and sends the forms that are on them."""

    def __init__(self, app: Flask) -> None:
        self.app, self.client = app, app.test_client()
        self.page: TestResponse | None = None

    def get(self, path: str, **options: Any) -> TestResponse:
        """Look at a page."""
        self.page = self.client.get(path, **options)
        return self.page

    def follow(self, response: TestResponse) -> TestResponse:
        """Go where an answer sends people."""
        assert response.status_code in (301, 302, 303), response.text
        return self.get(response.headers["Location"])

    def send(self, action: str, **fields: Any) -> TestResponse:
        """Send the form of the present page that has this action, with these fields filled in."""
        assert self.page is not None
        form = form_of(self.page.text, action)
        assert form is not None, f"no form for {action}"
        return self.client.post(action, data={**hidden_fields(form), **fields})

    def cookie(self, name: str, path: str = "/") -> Any:
        """A cookie as the browser keeps it; None where it does not."""
        return self.client.get_cookie(name, path=path)

    def sign_in(self, email: str, password: str = PASSWORD, **fields: Any) -> TestResponse:
        """Sign in by the form."""
        self.get("/login")
        return self.send("/login", email=email, password=password, **fields)


def form_of(html: str, action: str) -> str | None:
    """The first form with this action."""
    found = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', html, re.S)
    return found.group(0) if found else None


def hidden_fields(form: str) -> dict[str, str]:
    """What a form sends without anybody's doing."""
    inputs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    return {name: unescape(value) for name, value in inputs}


def links(html: str) -> list[str]:
    """All addresses that a page leads to."""
    return [unescape(href) for href in re.findall(r'<a[^>]* href="([^"]*)"', html)]


def variant_id(product: Any) -> int:
    """The one variant of a simple product."""
    found: int = product.variants[0].id
    return found


def sell_out(app: Flask, product: Any, left: int = 0) -> None:
    """Leave only so many of a product, behind the shop's back."""

    def change() -> None:
        with db.engine.connect().execution_options(shop_writes=True) as connection:
            where = Variant.id == variant_id(product)
            connection.execute(Variant.__table__.update().where(where).values(on_hand=left))
            connection.commit()

    inside(app, change)
