"""nginx as it is shipped, in front of the real shop: sizes, addresses, slow clients, outages."""

import io
import re
import socket
import subprocess
import time
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection

import pytest
import requests
import yaml
from PIL import Image

from tests import commands, proxy, servers
from tests.integration.conftest import migrated
from tests.servers import LOCALHOST, PATIENCE, free_port

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
PROBLEM = "application/problem+json"
INTERNAL = (
    "/metrics",
    "/metrics/",
    "/%6Detrics/?a=b",
    "/healthz/ready",
    "/healthz/ready/",
    "/healthz",
)
"""Ways to ask for what is not public."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("front")


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory):
    """Where the shop listens (host:port): one process, so that limits are counted exactly."""
    settings = {
        "FLASK_ENV": "testing",
        "DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}",
        "REDIS_URL": "",
        "MEDIA_FOLDER": str(tmp_path_factory.mktemp("media")),
        "TRUSTED_PROXIES": "1",
        "RATELIMIT_AUTH": "5 per minute",
        "SECRET_KEY": "s" * 40,
        "JWT_SECRET_KEY": "j" * 40,
        "FLASK_SKIP_DOTENV": "1",
    }
    seed(settings)
    with servers.shop(settings, workers=1) as address:
        yield address.removeprefix("http://")


@pytest.fixture(scope="module")
def shop(folder, gunicorn):
    """The address of that shop behind nginx."""
    with proxy.nginx(folder, [gunicorn]) as ports:
        yield f"http://{LOCALHOST}:{ports[8080]}"


def seed(settings):
    """Migrate a database, and put the demo data in it."""
    migrated(settings["DATABASE_URL"])
    done = commands.run(settings, "seed-db")
    assert done.exit_code == 0, done.output


@pytest.fixture
def two_echoes(tmp_path):
    """nginx in front of two servers that tell what they heard."""
    with ExitStack() as running:
        one, other = (running.enter_context(proxy.echo()) for _ in range(2))
        ports = running.enter_context(proxy.nginx(tmp_path, [one.address, other.address]))
        yield f"http://{LOCALHOST}:{ports[8080]}", one, other


@pytest.mark.parametrize("kind", ["plain", "tls", "behind"])
def test_nginx_takes_the_configuration_as_it_is(kind, tmp_path):
    if proxy.version() < proxy.MODERN:
        pytest.skip("this nginx is older than the one that is shipped")
    conf = proxy.laid_out(tmp_path / "nginx", kind, {}, [])
    proxy.certificate(tmp_path / "nginx" / "tls")

    said = subprocess.run(proxy.command(conf, "-t"), capture_output=True, text=True)

    assert said.returncode == 0, said.stderr
    assert "warn" not in said.stderr


def test_pages_and_answers_come_through(shop):
    page = requests.get(shop, timeout=PATIENCE)
    answer = requests.get(f"{shop}/api/products", timeout=PATIENCE)

    assert "<!doctype html>" in page.text.lower()
    assert (
        f"{shop}/api/products?" in answer.headers["Link"]
    )  # the host and port that were asked for
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert "Server" not in page.headers or "/" not in page.headers["Server"]


def test_an_etag_that_gzip_made_weak_still_names_the_version_to_edit(shop, staff):
    listed = requests.get(f"{shop}/api/products", params={"per_page": 1}, timeout=PATIENCE).json()
    product = f"{shop}/api/products/{listed['items'][0]['id']}"
    read = requests.get(product, headers=staff, timeout=PATIENCE)

    edited = requests.patch(
        product,
        json={"name": "Mended"},
        headers={**staff, "If-Match": read.headers["ETag"]},
        timeout=PATIENCE,
    )
    late = requests.patch(
        product,
        json={"name": "Lost"},
        headers={**staff, "If-Match": read.headers["ETag"]},
        timeout=PATIENCE,
    )

    assert read.headers["ETag"].startswith("W/")
    assert edited.status_code == 200
    assert late.status_code == 412


@pytest.fixture(scope="module")
def staff(gunicorn):
    """The headers of a demo admin."""
    login = {"email": "demo-admin@example.com", "password": "shopswift demo admin"}
    answer = requests.post(f"http://{gunicorn}/api/auth/login", json=login, timeout=PATIENCE).json()
    return {"Authorization": f"Bearer {answer['access_token']}"}


@pytest.mark.parametrize("size", [2 * MIB, 10 * MIB, 12 * MIB], ids=["2", "10", "12 MiB"])
def test_json_that_is_too_large_is_refused_in_the_shops_shape(shop, size):
    for _attempt in range(5):
        answer = requests.post(f"{shop}/api/cart/items", data=b'"' + b"x" * size + b'"',
                               headers={"Content-Type": "application/json", "X-Request-ID": "mine"}, timeout=PATIENCE)  # fmt: skip

        assert answer.status_code == 413
        assert answer.headers["Content-Type"] == PROBLEM
        assert answer.json()["code"] == "content_too_large"
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"] == "mine"


@pytest.mark.parametrize(
    ("size", "status"), [(20 * MIB - 500, 422), (20 * MIB, 413), (21 * MIB, 413)]
)
def test_a_file_reaches_the_shop_up_to_its_limit(shop, staff, size, status):
    listed = requests.get(f"{shop}/api/products", params={"per_page": 1}, timeout=PATIENCE).json()
    product = f"{shop}/api/products/{listed['items'][0]['id']}"

    answer = requests.post(
        f"{product}/images",
        files={"file": ("big.png", b"x" * size)},
        headers=staff,
        timeout=60,
    )

    assert answer.status_code == status  # 422: it was read, and is no picture
    assert answer.headers["Content-Type"] == PROBLEM


def test_nobody_escapes_a_limit_by_making_up_an_address(shop):
    body = {"email": "nobody@example.com", "password": "wrong wrong"}
    answers = [
        requests.post(
            f"{shop}/api/auth/login",
            json=body,
            headers={"X-Forwarded-For": f"203.0.113.{n}"},
            timeout=PATIENCE,
        ).status_code
        for n in range(6)
    ]

    assert answers[-1] == 429


def test_what_a_client_says_of_itself_is_thrown_away(two_echoes):
    shop, *_ = two_echoes
    made_up = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "1",
        "X-Forwarded-Prefix": "/evil",
        "X-Real-IP": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "X-Request-ID": "no good id",
    }

    heard = requests.get(shop, headers=made_up, timeout=PATIENCE).json()

    assert heard["x-forwarded-for"] == LOCALHOST
    assert heard["x-forwarded-proto"] == "http"
    assert heard["host"] == shop.removeprefix("http://")
    assert len(heard["x-request-id"]) == 32
    assert not set(heard) & {
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-real-ip",
        "forwarded",
    }


def test_a_lost_read_is_asked_of_the_other_and_a_lost_write_of_nobody(two_echoes):
    shop, one, other = two_echoes

    read = requests.get(f"{shop}/lost", timeout=PATIENCE)
    time.sleep(2.5)  # until both are trusted again
    written = requests.post(f"{shop}/lost", json={}, timeout=PATIENCE)

    assert read.status_code == written.status_code == 503
    assert sorted(one.asked + other.asked) == ["GET /lost", "GET /lost", "POST /lost"]


def test_a_write_goes_to_the_other_where_one_is_gone(tmp_path):
    gone = f"{LOCALHOST}:{free_port()}"
    with proxy.echo() as there, proxy.nginx(tmp_path, [gone, there.address]) as ports:
        answers = [
            requests.post(
                f"http://{LOCALHOST}:{ports[8080]}/api/orders", json={}, timeout=PATIENCE
            ).status_code
            for _ in range(4)
        ]

    assert answers == [200] * 4
    assert there.asked == ["POST /api/orders"] * 4


def test_while_the_shop_is_away_programs_get_a_problem_and_people_a_page(tmp_path):
    with proxy.nginx(tmp_path, [f"{LOCALHOST}:{free_port()}"]) as ports:
        api = requests.post(
            f"http://{LOCALHOST}:{ports[8080]}/api/cart/items", json={}, timeout=PATIENCE
        )
        page = requests.get(f"http://{LOCALHOST}:{ports[8080]}/cart", timeout=PATIENCE)
        own = requests.get(f"http://{LOCALHOST}:{ports[8081]}/", timeout=PATIENCE)

    assert (api.status_code, page.status_code, own.status_code) == (503, 503, 200)
    assert api.headers["Content-Type"] == PROBLEM
    assert api.json()["status"] == 503
    assert api.json()["request_id"] == api.headers["X-Request-ID"]
    assert api.headers["Retry-After"] == page.headers["Retry-After"] == "1"
    assert api.headers["Cache-Control"] == "no-store"
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "head",
    [b"GET /api/products HTTP/1.1\r\n\r\n", b"GET /api/products HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
     b"GET /api/%00 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /api/products HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"],
    ids=["no host", "two hosts", "nul", "too large"],
)  # fmt: skip
def test_what_nginx_cannot_read_is_refused_without_html_of_its_own(shop, head):
    with socket.create_connection(("127.0.0.1", int(shop.rpartition(":")[2])), 10) as client:
        client.sendall(head)
        said = client.recv(65536)

    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert b"nginx" not in said.partition(b"\r\n\r\n")[2]


def test_files_that_never_change_are_kept_for_good_here_too(shop, folder):
    page = requests.get(shop, timeout=PATIENCE).text
    address = shop + page[page.index("/static/") :].partition('"')[0]

    first = requests.get(address, headers={"X-Request-ID": "first"}, timeout=PATIENCE)
    second = requests.get(address, headers={"X-Request-ID": "second"}, timeout=PATIENCE)

    assert first.content == second.content
    assert second.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert second.headers["X-Request-ID"] == "second"
    assert second.headers["X-Content-Type-Options"] == "nosniff"
    assert stored_files(folder)


def test_a_file_that_was_asked_for_by_a_version_to_come_is_not_kept(shop, folder):
    """As an attacker asks, or a page of the next release, while this release answers."""
    kept = set(stored_files(folder))
    address = f"{shop}/static/shop.js?v=0123456789ab"

    answers = [requests.get(address, timeout=PATIENCE) for _ in range(2)]

    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 2
    assert set(stored_files(folder)) == kept


def stored_files(folder):
    """The answers that nginx keeps."""
    return [path for path in (folder / "nginx" / "cache" / "files").rglob("*") if path.is_file()]


def test_other_spellings_of_an_address_neither_fill_nor_empty_the_cache(tmp_path):
    changes = {**proxy.LIMITS, "keys_zone=files:2m": "keys_zone=files:32k"}
    style = f"/static/shop.css?v={proxy.VERSION}"
    picture = f"/media/{'0' * 32}-320.webp"
    others = [f"/static/{'./' * (1 + number)}shop.css?v={proxy.VERSION}" for number in range(50)]
    others += [f"/static/%73hop.css?v={proxy.VERSION}", f"/static/a/../shop.css?v={proxy.VERSION}"]
    others += [f"{picture}?{number}" for number in range(200)]
    others += [f"/static/shop.css?v={number:012x}" for number in range(400)]
    with (
        proxy.echo() as shop,
        proxy.nginx(tmp_path, [shop.address], changes=changes) as ports,
        closing(HTTPConnection(LOCALHOST, ports[8080], timeout=PATIENCE)) as client,
    ):
        for path in (style, picture, *others, style, picture):
            ask(client, path)
        for number in range(50):  # "Vary" names how a client takes its answers
            ask(client, style, f"x-{number}")

    assert len(shop.asked) > len(others)
    assert shop.asked.count(f"GET {style}") == 1
    assert shop.asked.count(f"GET {picture}") == 1
    assert len(stored_files(tmp_path)) == 2


def ask(client, path, encodings=""):
    """Ask for a path as it is, which other clients would tidy up."""
    client.request("GET", path, headers={"Accept-Encoding": encodings})
    answer = client.getresponse()
    answer.read()
    assert answer.status == 200


def test_slow_clients_keep_nobody_waiting_but_themselves(shop):
    port = int(shop.rpartition(":")[2])
    slow = b"POST /api/cart/items HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    with ExitStack() as clients:
        for number in range(400):
            source = (f"127.0.0.{2 + number % 4}", 0)
            client = socket.create_connection((LOCALHOST, port), PATIENCE, source_address=source)
            clients.enter_context(client).sendall(slow)

        answers = {
            requests.get(f"{shop}/api/products", timeout=PATIENCE).status_code for _ in range(20)
        }
        own = once_refused(from_address("127.0.0.2"), f"{shop}/api/products")

    assert answers == {200}
    assert own.status_code == 429
    assert own.json()["code"] == "rate_limited"
    assert own.headers["Retry-After"] == "5"


def once_refused(session, url):
    """The first answer that is no 200, or the last one: nginx's processes read the slow requests
    when they come to it."""
    deadline = time.monotonic() + PATIENCE
    while (answer := session.get(url, timeout=PATIENCE)).status_code == 200:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return answer


def from_address(source):
    """A session whose connections come from this address."""
    session = requests.Session()
    session.mount("http://", SourceAddressAdapter(source))
    return session


class SourceAddressAdapter(requests.adapters.HTTPAdapter):
    """Connects from one address of this machine, of which Linux has all of 127.0.0.0/8."""

    def __init__(self, source):
        self._source = source
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, source_address=(self._source, 0), **kwargs)


def test_slow_uploads_leave_styles_and_pictures_alone(gunicorn, staff, picture, tmp_path):
    """On file systems as small as those of a container."""
    with proxy.nginx(tmp_path, [gunicorn], sizes=file_systems()) as ports, ExitStack() as clients:
        shop = f"http://{LOCALHOST}:{ports[8080]}"
        for sender in range(52):
            # Half of them sign in, or pretend to, where staff upload.
            path, bearer = [("/api/cart/items", ""), ("/api/products/1/images", "Bearer x")][
                sender % 2
            ]
            client = clients.enter_context(
                slow_upload(ports[8080], f"127.0.0.{2 + sender}", path, bearer)
            )
            client.settimeout(PATIENCE)

        files = [style_of(shop), picture, "/static/icon.svg"]
        answers = [requests.get(f"{shop}{path}", timeout=PATIENCE) for path in files]
        page = requests.get(shop, timeout=PATIENCE)

    assert [(answer.status_code, len(answer.content) > 100) for answer in [*answers, page]] == [(200, True)] * 4  # fmt: skip


def file_systems():
    """The file systems of the container of nginx, and their sizes, as compose makes them."""
    service = yaml.safe_load((proxy.ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["nginx"]  # fmt: skip
    mounts = service["tmpfs"] if isinstance(service["tmpfs"], list) else [service["tmpfs"]]
    return {path: re.search(r"size=(\w+)", options)[1] for path, options in (mount.split(":") for mount in mounts)}  # fmt: skip


def style_of(shop):
    """The path of the stylesheet that the pages name."""
    page = requests.get(shop, timeout=PATIENCE).text
    return re.search(r'/static/shop\.css[^"]*', page)[0]


@pytest.fixture(scope="module")
def picture(gunicorn, staff):
    """The path of a picture of some product."""
    file = io.BytesIO()
    Image.new("RGB", (400, 300), "red").save(file, "PNG")
    products = f"http://{gunicorn}/api/products"
    (listed,) = requests.get(products, params={"per_page": 1}, timeout=PATIENCE).json()["items"]
    image = requests.post(
        f"{products}/{listed['id']}/images",
        files={"file": ("red.png", file.getvalue())},
        headers=staff,
        timeout=60,
    )
    return image.json()["sources"][0]["url"]


def slow_upload(port, source, path, bearer=""):
    """A connection from an address that sends nearly all of 11 MB, as far as they are taken."""
    client = socket.create_connection((LOCALHOST, port), PATIENCE, source_address=(source, 0))
    client.settimeout(2)
    size = 11_000_000
    head = (
        f"POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: {size}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nAuthorization: {bearer}\r\n\r\n"
    )
    with suppress(OSError):  # nginx may refuse, and close the connection
        client.sendall(head.encode() + b"x" * (size - 1000))
    return client


def test_over_tls_the_shop_knows_of_it_and_plain_http_is_sent_there(tmp_path):
    proxy.certificate(tmp_path / "nginx" / "tls")
    known = tmp_path / "nginx" / "tls" / "fullchain.pem"
    with proxy.echo() as behind, proxy.nginx(tmp_path, [behind.address], "tls") as ports:
        plain, secure = (f"://{LOCALHOST}:{ports[port]}" for port in (8080, 8443))
        sent = requests.get(f"http{plain}/a?b=c", allow_redirects=False, timeout=PATIENCE)
        heard = requests.get(f"https{secure}/", verify=known, timeout=PATIENCE)
        hidden = [
            requests.get(f"https{secure}{path}", verify=known, timeout=PATIENCE)
            for path in INTERNAL
        ]

    assert sent.status_code == 308
    assert sent.headers["Location"] == f"https://{LOCALHOST}/a?b=c"
    assert heard.json()["x-forwarded-proto"] == "https"
    assert [(one.status_code, one.json()["code"]) for one in hidden] == [(404, "not_found")] * len(
        INTERNAL
    )


def test_behind_a_balancer_the_client_is_whom_it_names_last_and_spoke_https(tmp_path):
    said = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7, 10.0.0.5", "X-Forwarded-Proto": "http"}
    with proxy.echo() as behind, proxy.nginx(tmp_path, [behind.address], "behind") as ports:
        shop = f"http://{LOCALHOST}:{ports[8080]}"
        heard = requests.get(shop, headers=said, timeout=PATIENCE).json()
        hidden = [requests.get(f"{shop}{path}", timeout=PATIENCE).status_code for path in INTERNAL]

    assert heard["x-forwarded-for"] == "203.0.113.7"
    assert heard["x-forwarded-proto"] == "https"
    assert hidden == [404] * len(INTERNAL)
