"""The front page: one welcome, and nothing on it leads nowhere."""

import re

import pytest


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
