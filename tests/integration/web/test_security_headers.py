"""What every answer tells browsers and caches, whichever way it comes about."""

import re
from itertools import chain

import pytest
from flask import Flask, request

from app import create_app
from app.config import Production, Testing
from app.pages import cookies
from app.web.security_headers import CREDENTIALS, FILE_HEADERS, HEADERS, PUBLIC_FILES
from tests import factories, servers
from tests.integration.browsing import Browser
from tests.integration.conftest import empty
from tests.integration.people import EMAIL, make_user
from tests.integration.web.test_errors import exchange

# Headers are the same on either database.
pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.thorough]


WITH_TOKENS = ("/password/", "/email/")
"""Pages that links of mails lead to: their address may hold a token, which no other site must be told."""


def answers(app: Flask, part: str = "1", only: str | None = None, **options):
    """What each route answers to each of its methods: (endpoint, method, response)."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", part, rule.rule)
        for method in sorted(rule.methods & {only or method for method in rule.methods}):
            client = app.test_client(use_cookies=False)
            yield rule.endpoint, method, client.open(path, method=method, buffered=True, **options)


@pytest.fixture(scope="module")
def answers_to_anybody(shared_app):
    """What each route answers to somebody who is not known, in a shop that has nothing."""
    empty(shared_app)
    return list(answers(shared_app))


def lacking(response) -> set[str]:
    fixed = FILE_HEADERS if response.request.path.startswith(PUBLIC_FILES) else HEADERS
    if response.request.path.startswith(WITH_TOKENS):
        fixed = {**fixed, "Referrer-Policy": "no-referrer"}
    return {name for name, value in fixed.items() if response.headers.get(name) != value}


def is_public(endpoint: str, response) -> bool:
    return endpoint == "static" or bool(response.cache_control.public)


def made(environ: dict[str, str], **settings: str) -> Flask:
    return create_app(Testing({**environ, **settings}))


# --- On every answer


def test_every_route_answers_with_all_of_them(answers_to_anybody):
    bare = [(place, method) for place, method, response in answers_to_anybody if lacking(response)]

    assert answers_to_anybody
    assert bare == []


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/static/shop.css", "cross-origin"),
        ("/media/0-320.webp", "cross-origin"),
        ("/", "same-origin"),
        ("/api/products", "same-origin"),
    ],
)
def test_pages_of_other_sites_may_show_pictures_and_public_files(anyone, path, policy):
    response = anyone.get(path, buffered=True)

    assert response.headers.getlist("Cross-Origin-Resource-Policy") == [policy]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/no-such-page", 404),
        ("GET", "/static/no-such-file", 404),
        ("GET", "/api/nothing", 404),
        ("GET", "/api/products/%00", 404),
        ("BREW", "/api/products", 405),
        ("POST", "/api/auth/login", 400),
        ("GET", "/static/shop.css", 200),
        ("GET", "/api/docs/assets/swagger-ui.css", 200),
    ],
)
def test_refusals_and_files_have_them_too(anyone, method, path, status):
    response = anyone.call(method, path, data=b"{", content_type="application/json", buffered=True)

    assert (response.status_code, lacking(response)) == (status, set())


@pytest.mark.parametrize("path", ["/static/shop.css", "/api/products"])
def test_not_modified_has_them_too(anyone, path):
    tag = anyone.get(path, buffered=True).headers["ETag"]

    with anyone.get(path, headers={"If-None-Match": tag}) as response:
        assert (response.status_code, lacking(response)) == (304, set())


def test_a_defect_and_a_limit_have_them_too(app, environ):
    limited = made(environ, RATELIMIT_ENABLED="true", RATELIMIT_DEFAULT="1 per hour")
    limited.add_url_rule("/api/fail", view_func=lambda: 1 / 0)

    defect, limit = (limited.test_client().get("/api/fail") for _ in range(2))

    assert [(r.status_code, lacking(r)) for r in (defect, limit)] == [(500, set()), (429, set())]


def test_every_answer_names_its_type_and_text_its_letters(answers_to_anybody):
    for _place, _method, response in answers_to_anybody:
        kind = response.headers.get("Content-Type", "")

        assert kind or not response.data
        assert "charset=utf-8" in kind or not re.match(r"text/|[^;]*(\+|/)xml", kind)


# --- What the policy allows


def test_no_script_or_style_but_from_files_of_the_shop():
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))

    assert policy.pop("img-src") == "'self' data:"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert policy["default-src"] == "'self'"
    assert {"object-src", "base-uri", "form-action", "frame-ancestors"} < set(policy)


def test_no_template_has_inline_script_or_style(app):
    inline = re.compile(
        r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\s(src=|type=\"app))"
    )
    templates = {name: app.jinja_loader.get_source(app.jinja_env, name)[0]
                 for name in app.jinja_loader.list_templates()
                 if not name.startswith("mails/")}  # which no page shows  # fmt: skip

    assert templates
    assert [name for name, source in templates.items() if inline.search(source)] == []


def test_what_people_write_is_no_html_to_a_browser(app, admin):
    evil = "\"'><script>alert(1)</script>"
    with app.app_context():
        product = factories.product(name=evil, description=evil)
    options = {"headers": admin.headers, "query_string": {"q": evil, "next": evil}}
    for part in (str(product.id), product.slug):
        for place, _method, response in answers(app, part, "GET", **options):
            if "<script>alert" in response.text:
                assert response.mimetype in ("application/json", "text/csv"), place
                assert response.headers["X-Content-Type-Options"] == "nosniff"


# --- Over TLS


@pytest.mark.parametrize(
    ("proxies", "options", "sent"),
    [
        ("0", {}, False),
        ("0", {"base_url": "https://localhost"}, True),
        ("0", {"headers": {"X-Forwarded-Proto": "https"}}, False),
        ("1", {"headers": {"X-Forwarded-Proto": "https"}}, True),
        ("1", {"headers": {"X-Forwarded-Proto": "http"}}, False),
        ("1", {"headers": {"X-Forwarded-Proto": "https, http"}}, False),
    ],
)
def test_tls_is_demanded_where_it_is_spoken(app, shops, proxies, options, sent):
    client = shops(TRUSTED_PROXIES=proxies).test_client()

    found = [
        client.get(path, buffered=True, **options)
        for path in ("/", "/api/nothing", "/static/shop.css")
    ]

    assert {"Strict-Transport-Security" in response.headers for response in found} == {sent}


# --- Caches


@pytest.mark.parametrize("name", CREDENTIALS)
def test_no_answer_to_somebody_known_is_stored(app, name):
    stored = [
        (place, method)
        for place, method, response in answers(app, headers={name: "x"})
        if response.headers.get("Cache-Control") != "no-store" and not is_public(place, response)
    ]

    assert stored == []


def test_what_is_kept_for_everybody_is_the_same_for_everybody(app, admin):
    anonymous, staff, visitor = (
        {
            place: response.data
            for place, _method, response in answers(app, only="GET", headers=headers)
            if is_public(place, response)
        }
        for headers in ({}, admin.headers, {"Cookie": "a=b"})
    )

    assert anonymous == staff == visitor


def test_answers_to_anybody_are_asked_for_again_and_told_apart(answers_to_anybody):
    for place, _method, response in answers_to_anybody:
        if not is_public(place, response) and response.headers["Cache-Control"] != "no-store":
            assert response.headers["Cache-Control"] == "no-cache"
            assert {"Authorization", "Cookie"} <= set(response.vary)


def test_staff_get_no_stored_answer_when_nothing_changed(admin):
    tag = admin.get("/api/products").headers["ETag"]

    response = admin.get("/api/products", headers={"If-None-Match": tag})

    assert (response.status_code, response.headers["Cache-Control"]) == (304, "no-store")


def test_files_of_the_program_are_kept_although_somebody_is_signed_in(customer):
    headers = [
        customer.get(path, buffered=True).headers["Cache-Control"]
        for path in ("/api/docs/assets/swagger-ui.css", "/static/shop.css")
    ]

    assert headers == ["public, max-age=86400", "no-cache"]


def test_an_answer_that_sets_a_cookie_is_not_stored(app, environ):
    shop = made(environ)

    @shop.get("/sets-a-cookie")
    def sets_a_cookie():
        response = shop.make_response("")
        response.cache_control.public = True
        response.set_cookie("a", "b")
        return response

    assert shop.test_client().get("/sets-a-cookie").headers["Cache-Control"] == "no-store"


# --- Cookies


@pytest.fixture
def secure(app, environ) -> Flask:
    """The shop with cookies as production has them, called over HTTPS."""
    names = (
        "JWT_COOKIE_SECURE",
        "SESSION_COOKIE_SECURE",
        "JWT_ACCESS_COOKIE_NAME",
        "SESSION_COOKIE_NAME",
    )
    shop = create_app(
        type("Secure", (Testing,), {n: getattr(Production, n) for n in names})(environ)
    )
    shop.config["PREFERRED_URL_SCHEME"] = "https"
    return shop


def test_production_cookies_are_for_this_host_https_and_no_script(secure):
    shopper = Browser(secure)
    with secure.app_context():
        slug = factories.product().slug
    make_user(secure)
    shopper.get(f"/products/{slug}")
    shopper.send("/cart/items", quantity="1")
    guests = shopper.cookie("__Host-cart")

    shopper.sign_in(EMAIL)

    names = ("__Host-sign_in", "__Host-visit", "__Host-device")
    kept = [guests, *(shopper.cookie(name) for name in names)]
    assert all(cookie.secure and cookie.http_only and cookie.same_site == "Lax" for cookie in kept)
    assert all(cookie.path == "/" and cookie.origin_only for cookie in kept)
    assert "1" in shopper.get("/cart").text
    assert shopper.cookie("__Host-cart") is None


def test_a_guests_order_stays_open_by_a_cookie_of_its_address_alone(secure):
    with secure.test_request_context():
        response = secure.make_response("")
        cookies.set_order_cookie(response, "SW-1", "secret")

    (sent,) = response.headers.getlist("Set-Cookie")
    assert sent.startswith("__Secure-order=secret; ")
    assert {"Secure", "HttpOnly", "Path=/orders/SW-1", "SameSite=Lax"} < set(sent.split("; "))


def test_passwords_are_masked_known_to_password_managers_and_never_sent_back(app):
    make_user(app)
    visitor = Browser(app)
    pages = [visitor.get(path).text for path in ("/login", "/register")]
    visitor.get("/login")
    pages.append(visitor.send("/login", email=EMAIL, password="a wrong one").text)
    visitor.sign_in(EMAIL)
    pages += [visitor.get(path).text for path in ("/account/password", "/account/close")]

    fields = [re.findall(r"<input[^>]*password[^>]*>", page) for page in pages]

    assert all(fields)
    for field in chain.from_iterable(fields):
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
        assert "a wrong one" not in field


# --- Hosts


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("shop.example", 200), ("shop.example:8000", 200), ("www.shop.example", 200),
        ("evil.example", 400), ("shop.example.evil", 400), ("evil-shop.example", 400),
        ("shop.example@evil", 400), ("", 400), ("shop.example/x", 400),
    ],
)  # fmt: skip
def test_only_hosts_that_are_named_are_answered(app, shops, host, status):
    client = shops(TRUSTED_HOSTS="shop.example, .shop.example").test_client()

    response = client.get("/api/products", headers={"Host": host})
    page = client.get("/login", headers={"Host": host})

    assert (response.status_code, lacking(response)) == (status, set())
    assert (page.status_code, lacking(page)) == (status, set())
    assert status == 200 or response.mimetype == "application/problem+json"
    assert page.mimetype == "text/html"


BY_ADDRESS = {"Host": "10.1.2.3:8000"}


@pytest.mark.parametrize("path", ["/healthz/ready", "/healthz/live"])
def test_health_checks_may_come_by_any_address(app, shops, path):
    client = shops(TRUSTED_HOSTS="shop.example").test_client()

    assert client.get(path, headers=BY_ADDRESS).status_code == 200
    assert client.get("/healthz", headers=BY_ADDRESS).status_code == 400


@pytest.mark.parametrize(("token", "status"), [("a-token-for-figures", 200), ("", 400)])
def test_figures_are_told_by_any_address_to_who_has_their_token(app, shops, token, status):
    client = shops(TRUSTED_HOSTS="shop.example", METRICS_TOKEN=token).test_client()
    sent = {"Authorization": f"Bearer {token}"} if token else {}

    assert client.get("/metrics", headers={**BY_ADDRESS, **sent}).status_code == status


@pytest.mark.parametrize("host", ["evil>; rel=x", 'a"b', "a b", "a\\b", "<x>"])
def test_a_host_that_is_none_is_in_no_link(anyone, app, host):
    for _ in range(2):
        with app.app_context():
            factories.product()

    link = anyone.get("/api/products?per_page=1", headers={"Host": host}).headers["Link"]

    assert host not in link


def test_without_trusted_hosts_a_forwarded_host_is_never_believed(app, shops):
    shop = shops(TRUSTED_PROXIES="1")
    forged = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example",
              "X-Forwarded-Prefix": "//evil.example", "X-Forwarded-Port": "666"}  # fmt: skip
    for _ in range(2):
        with shop.app_context():
            factories.product()

    link = shop.test_client().get("/api/products?per_page=1", headers=forged).headers["Link"]

    assert "evil" not in link
    assert "666" not in link


# --- Forms


@pytest.fixture(scope="module")
def form(shared_app, environ) -> Flask:
    """The shop, and one route more: a form that says how many fields it was sent."""
    empty(shared_app)
    shop = made(environ)

    @shop.post("/form")
    @shop.post("/api/form")
    def count_fields() -> str:
        return str(len(request.form))

    return shop


FORM, LIMIT = "application/x-www-form-urlencoded", Testing.MAX_FORM_MEMORY_SIZE


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_form_is_as_large_as_its_longest_text_at_most(form, size, status, chunked):
    body = b"a=" + b"x" * (size - 2)
    length = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True} if chunked else {}

    response = form.test_client().post(
        "/form", data=body, content_type=FORM, environ_overrides=length
    )

    assert (response.status_code, response.mimetype) == (status, "text/html")


def test_a_form_of_too_many_parts_is_refused(form):
    many = {f"field-{number}": "x" for number in range(Testing.MAX_FORM_PARTS + 1)}

    response = form.test_client().post("/form", data=many, content_type="multipart/form-data")

    assert response.status_code == 413
    assert "larger than a form may be" in response.text


# --- What the server itself answers


@pytest.fixture(scope="module")
def port(shared_app, environ):
    """Where a real gunicorn listens."""
    empty(shared_app)
    with servers.shop(environ, workers=1) as address:
        yield int(address.rpartition(":")[2])


@pytest.mark.processes
def test_what_is_no_http_is_answered_with_them_too(port):
    head, _problem = exchange(port, b"nonsense\r\n\r\n")

    sent = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert sent.items() >= HEADERS.items()


@pytest.mark.processes
def test_the_server_believes_no_client_of_this_machine_more_than_others(port):
    forged = b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: on\r\nSCRIPT_NAME: /evil\r\n"
    head, _problem = exchange(
        port, b"GET /api/products HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + forged + b"\r\n"
    )

    assert head.startswith("HTTP/1.1 200")
    assert "Strict-Transport-Security" not in head
    assert "evil" not in head
