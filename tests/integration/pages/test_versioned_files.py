"""Files whose address names their content: kept for good under that address, and under no other."""

import re

import pytest

from app.web import versioned_files

# Files are the same on either database.
pytestmark = pytest.mark.only_on("sqlite")

IMMUTABLE = "public, max-age=31536000, immutable"
PAGES = {"/": r'href="(/static/shop\.css)\?v=([^"&]*)"',
         "/api/docs": r'href="(/api/docs/assets/swagger-ui\.css)\?v=([^"&]*)"'}  # fmt: skip
"""Pages, and where they name a file and its version."""


@pytest.fixture(params=PAGES, ids=["static", "docs"])
def file(request, anyone):
    """The path of a file, and its version, as a page names them."""
    ((path, version),) = re.findall(PAGES[request.param], anyone.get(request.param).text)
    return path, version


def cache_control(caller, address):
    """What caches are told of an address."""
    with caller.get(address) as answer:
        assert answer.status_code == 200
        return answer.headers["Cache-Control"]


def test_under_its_own_version_a_file_is_kept_for_good(anyone, file):
    path, version = file

    assert re.fullmatch("[0-9a-f]{12}", version)  # as deploy/nginx/shop/maps.conf expects it
    assert cache_control(anyone, f"{path}?v={version}") == IMMUTABLE


@pytest.mark.parametrize(
    "query",
    ["v=0123456789ab", "v=", "v", "v={v}&v={v}", "v=0123456789ab&v={v}", "v={v}&v=0123456789ab",
     "v={v}&x=1", "x=1&v={v}", "v={v}%20", "%76={v}", "v={V}", "v={v}&"],
)  # fmt: skip
def test_under_another_version_no_cache_keeps_it(anyone, file, query):
    path, version = file

    asked = query.format(v=version, V=version.upper() if version.upper() != version else "A" * 12)

    assert cache_control(anyone, f"{path}?{asked}") == "no-store"


@pytest.mark.parametrize("query", ["", "?x=1"])
def test_without_a_version_it_is_not_kept_for_good(anyone, file, query):
    told = cache_control(anyone, f"{file[0]}{query}")

    assert "immutable" not in told
    assert "no-store" not in told


def test_a_file_that_changes_under_a_running_shop_gets_another_version(tmp_path):
    file = tmp_path / "shop.css"
    file.write_text("one")
    before = versioned_files.version_of(str(tmp_path), "shop.css")

    file.write_text("three")
    after = versioned_files.version_of(str(tmp_path), "shop.css")

    assert before != after
    assert after == versioned_files.version_of(str(tmp_path), "shop.css")
