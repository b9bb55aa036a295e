"""The front page: one welcome, and nothing on it leads nowhere."""

import re

import pytest

from app import create_app
from app.config import Testing


@pytest.mark.parametrize("page", ["/", "/api/docs"])
def test_all_that_a_page_names_is_there(anyone, page):
    html = anyone.get(page).text

    named = re.findall(r'(?:href|src)="([^"]+)"', html)
    found = {
        path: anyone.get(path, buffered=True, follow_redirects=True).status_code for path in named
    }

    assert found == dict.fromkeys(named, 200)
    assert len(named) >= 3


def test_the_front_page_names_an_icon(anyone):
    assert '<link rel="icon"' in anyone.get("/").text


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/nothing", 404, "Nothing here"),
        ("POST", "/", 405, "Method Not Allowed"),
        ("POST", "/logout", 403, "Please send that once more"),
    ],
)
def test_a_refusal_is_a_page_that_leads_on(anyone, method, path, status, told):
    response = anyone.call(method, path)

    assert response.status_code == status
    assert response.mimetype == "text/html"
    assert told in response.text
    assert 'href="/search"' in response.text


def test_a_form_that_is_too_large_is_told_so(anyone):
    response = anyone.post("/login", data={"email": "x" * 300_000})

    assert response.status_code == 413
    assert "That is too much at once" in response.text


def test_without_a_database_there_is_still_a_page(tmp_path):
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    app = create_app(Testing({"DATABASE_URL": url, "LOG_LEVEL": "ERROR"}))

    response = app.test_client().get("/")

    assert response.status_code == 503
    assert "Back in a moment" in response.text
    assert response.headers["Retry-After"]
