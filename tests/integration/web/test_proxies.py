"""Behind proxies: what they say of the address that the client used holds in links."""

from pathlib import Path

import pytest
from flask import Flask

from tests import factories

HOST = {"X-Forwarded-Host": "shop.example", "X-Forwarded-Proto": "https"}
# Links are made without the database.
pytestmark = pytest.mark.only_on("sqlite")


@pytest.fixture
def shop(app, shops) -> Flask:
    """A shop behind one proxy, called by the name that the proxy has for it."""
    with app.app_context():
        for _ in range(2):
            factories.product()
    return shops(TRUSTED_PROXIES="1", TRUSTED_HOSTS="shop.example,internal")


def get(shop: Flask, path: str, **headers: str):
    return shop.test_client().get(path, base_url="http://internal:5000", headers=headers)


def test_links_lead_to_the_host_that_a_trusted_proxy_names(shop):
    answer = get(shop, "/api/products?per_page=1", **HOST)

    link = '<https://shop.example/api/products?per_page=1&page=2>; rel="next"'
    assert link in answer.headers["Link"]
    assert "internal" not in answer.headers["Link"]


@pytest.mark.parametrize("page", ["/sitemap.xml", "/robots.txt", "/"])
def test_pages_name_the_host_that_a_trusted_proxy_names(shop, page):
    text = get(shop, page, **HOST).text

    assert "https://shop.example/" in text
    assert "internal" not in text


def test_of_several_proxies_the_trusted_one_counts(shop):
    host = "evil.example, shop.example"

    assert (
        "//shop.example/"
        in get(shop, "/api/products", **{"X-Forwarded-Host": host}).headers["Link"]
    )


def test_a_host_that_is_not_the_shops_is_refused(shop):
    answer = get(shop, "/api/products", **{"X-Forwarded-Host": "evil.example"})

    assert answer.status_code == 400
    assert "evil.example" not in str(answer.headers) + answer.text


def test_without_proxies_no_header_is_believed(app, shops):
    shop = shops(TRUSTED_HOSTS="shop.example,internal")

    link = get(shop, "/api/products", **HOST, **{"X-Forwarded-Prefix": "/store"}).headers["Link"]

    assert "<http://internal:5000/api/products?" in link


def test_links_have_the_prefix_that_a_trusted_proxy_names(shop, admin):
    prefix = {**HOST, "X-Forwarded-Prefix": "/store/v1/"}

    for path in ("/api/products?per_page=1", "/api/categories"):
        assert (
            f"<https://shop.example/store/v1{path[:13]}"
            in get(shop, path, **prefix).headers["Link"]
        )
    made = shop.test_client().post(
        "/api/categories", json={"name": "Lamps"}, headers={**admin.headers, **prefix},
        base_url="http://internal:5000",
    )  # fmt: skip

    assert made.headers["Location"] == f"/store/v1/api/categories/{made.json['id']}"


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "/\\evil.example", "https://evil.example", "/a/../b", "/a b", "/%2F", "/" + "x" * 200]
)  # fmt: skip
def test_a_prefix_that_is_no_plain_path_is_dropped(shop, prefix):
    link = get(shop, "/api/products", **{"X-Forwarded-Prefix": prefix}).headers["Link"]

    assert link.startswith("<http://internal:5000/api/products?")


@pytest.mark.parametrize("page", ["/sitemap.xml", "/"])
def test_pages_which_caches_may_store_have_no_prefix(shop, page):
    assert "/store" not in get(shop, page, **{"X-Forwarded-Prefix": "/store"}).text


def test_the_documentation_reads_the_document_under_the_prefix(shop):
    page = get(shop, "/api/docs", **{"X-Forwarded-Prefix": "/store"}).text
    script = Path(shop.static_folder or "", "docs.js").read_text()

    assert 'data-document="/store/api/openapi.json"' in page
    assert "dataset.document" in script
    assert "/api/" not in script
