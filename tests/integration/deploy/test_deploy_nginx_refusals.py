"""What nginx itself answers and logs: refusals in the shop's shape, with its headers, and no secrets."""

import json
import re
import shutil
import socket
import ssl
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from app.web.security_headers import HEADERS, TRANSPORT_SECURITY
from tests import proxy, servers
from tests.servers import LOCALHOST, PATIENCE, free_port

pytestmark = pytest.mark.processes

SECRET = "hidden-in-the-query"
QUICK = {"proxy_read_timeout 60s": "proxy_read_timeout 1s", "burst=300": "burst=15", "rate=50r/s": "rate=1r/m"}  # fmt: skip
"""Changes that let a test see a timeout and a limit without waiting."""


def head(line: str, *headers: str) -> bytes:
    """A request without a body that ends the connection."""
    return "\r\n".join([line, "Host: shop.example", "Connection: close", *headers, "", ""]).encode()


REQUESTS = {
    "400 garbage": (b"GARBAGE\r\n\r\n", 400),
    "400 no host": (b"GET /api/products HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    "404": (head(f"GET /metrics?{SECRET} HTTP/1.1"), 404),
    "404 ready": (head(f"GET /healthz/ready?{SECRET} HTTP/1.1"), 404),
    "405": (head(f"TRACE /api/products?{SECRET} HTTP/1.1"), 405),
    "413": (head(f"POST /api/cart/items?{SECRET} HTTP/1.1", "Content-Length: 9999999"), 413),
    "414": (head(f"GET /{'x' * 20_000}?{SECRET} HTTP/1.1"), 414),
    "431": (head(f"GET /api/products?{SECRET} HTTP/1.1", f"X: {'x' * 20_000}"), 431),
    "501": (head(f"POST /cart/items?{SECRET} HTTP/1.1", "Transfer-Encoding: strange"), 501),
    "505": (head(f"GET /cart?{SECRET} HTTP/3.0"), 505),
}
"""Requests that nginx refuses by itself, and their statuses."""


class Front:
    """A running nginx: asks it byte by byte, and reads its log."""

    def __init__(self, folder: Path, ports: dict[int, int]) -> None:
        self.folder, self.ports = folder, ports

    def ask(self, request: bytes, port: int = 8080, over_tls: bool = False) -> requests.Response:
        """The answer to a request that ends its connection."""
        plain = socket.create_connection((LOCALHOST, self.ports[port]), PATIENCE)
        with _unverified().wrap_socket(plain) if over_tls else plain as client:
            client.sendall(request)
            return parsed(received(client))

    @property
    def log(self) -> str:
        """All lines, of the access log and of the error log."""
        return (self.folder / "nginx.log").read_text()

    def entries(self, status: int) -> list[dict[str, str]]:
        """The access log's lines with a status. nginx writes a line after it has sent the answer."""
        deadline = time.monotonic() + 10
        while not (lines := self._lines(status)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return lines

    def _lines(self, status: int) -> list[dict[str, str]]:
        whole = self.log.rpartition("\n")[0].splitlines()
        lines = [json.loads(line) for line in whole if line.startswith("{")]
        return [line for line in lines if line["status"] == status]


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def received(client: socket.socket) -> bytes:
    """One answer. nginx may close, or wait for the rest of the request, right after it."""
    raw = b""
    while not (
        length := re.search(rb"(?i)content-length: (\d+)", raw.partition(b"\r\n\r\n")[0])
    ) or (len(raw.partition(b"\r\n\r\n")[2]) < int(length[1])):
        part = client.recv(65536)
        if not part:
            break
        raw += part
    return raw


def parsed(raw: bytes) -> requests.Response:
    """An answer as it came over the wire."""
    top, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    answer = requests.Response()
    answer.status_code = int(status.split()[1])
    answer.headers.update(line.split(": ", 1) for line in lines)
    answer._content = body
    return answer


def lacking(answer: requests.Response, over_tls: bool = False) -> dict[str, str | None]:
    """Headers that the shop sends and this answer does not."""
    sent = {**HEADERS, "Strict-Transport-Security": TRANSPORT_SECURITY if over_tls else None}
    return {name: answer.headers.get(name) for name, value in sent.items()
            if answer.headers.get(name) != value}  # fmt: skip


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """nginx in front of a server that tells what it heard."""
    folder = tmp_path_factory.mktemp("front")
    with proxy.echo() as shop, proxy.nginx(folder, [shop.address]) as ports:
        yield Front(folder, ports)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_refusal_of_nginx_has_the_headers_and_the_shape_of_the_shops(front, name):
    request, status = REQUESTS[name]

    answer = front.ask(request)

    assert answer.status_code == status
    assert lacking(answer) == {}
    assert answer.headers["Cache-Control"] == "no-store"
    assert "nginx" not in answer.text
    if re.search(rb" /(api|metrics|healthz)", request):
        problem = answer.json()
        assert problem["status"] == status
        assert problem["request_id"] == answer.headers["X-Request-ID"]
        assert re.fullmatch("[a-z_]+", problem["code"])
    else:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_method_that_nginx_refuses_is_told_which_are_allowed(front):
    assert "GET" in front.ask(REQUESTS["405"][0]).headers["Allow"]


def test_a_range_beyond_a_file_that_is_kept_is_refused_with_all_headers(front):
    path = f"/static/shop.css?v={proxy.VERSION}"
    front.ask(head(f"GET {path} HTTP/1.1"))

    answer = front.ask(head(f"GET {path} HTTP/1.1", "Range: bytes=99999-"))

    assert (answer.status_code, lacking(answer)) == (416, {})


@pytest.mark.parametrize("kind", ["tls", "behind"])
def test_over_tls_they_demand_it_for_a_year(kind, tmp_path):
    proxy.certificate(tmp_path / "nginx" / "tls")
    secure = {"port": 8443, "over_tls": True} if kind == "tls" else {}
    with proxy.echo() as shop, proxy.nginx(tmp_path, [shop.address], kind) as ports:
        front = Front(tmp_path, ports)
        answers = [front.ask(request, **secure) for request, _status in REQUESTS.values()]

    statuses = [status for _request, status in REQUESTS.values()]
    assert [answer.status_code for answer in answers] == statuses
    assert [lacking(answer, over_tls=True) for answer in answers] == [{}] * len(answers)


def test_plain_http_is_sent_to_https_with_all_headers(tmp_path):
    proxy.certificate(tmp_path / "nginx" / "tls")
    with proxy.echo() as shop, proxy.nginx(tmp_path, [shop.address], "tls") as ports:
        front = Front(tmp_path, ports)
        moved = front.ask(head("GET /cart HTTP/1.1"))
        garbage = front.ask(b"GARBAGE\r\n\r\n")
        plain_on_tls = front.ask(head("GET /cart HTTP/1.1"), 8443)

    assert (moved.status_code, moved.headers["Location"]) == (308, "https://shop.example/cart")
    assert (garbage.status_code, plain_on_tls.status_code) == (400, 400)
    # Over plain HTTP nobody is told of HSTS (RFC 6797, section 7.2).
    assert [lacking(answer) for answer in (moved, garbage, plain_on_tls)] == [{}] * 3
    assert "nginx" not in garbage.text + plain_on_tls.text


def test_failures_are_answered_with_all_headers_and_logged_without_the_query(tmp_path):
    """Each way to fail: too many requests, a replica that is away or silent, a folder that is gone."""
    with ExitStack() as running:
        silent = running.enter_context(socket.create_server((LOCALHOST, 0)))
        places = [f"{LOCALHOST}:{free_port()}", f"{LOCALHOST}:{silent.getsockname()[1]}"]
        fronts = []
        for number, place in enumerate(places):
            folder = tmp_path / str(number)
            folder.mkdir()
            ports = running.enter_context(proxy.nginx(folder, [place], changes=QUICK))
            fronts.append(Front(folder, ports))
        away, slow = fronts
        post = f"POST /api/cart/items?token={SECRET} HTTP/1.1"
        shutil.rmtree(away.folder / "nginx" / "cache" / "bodies")
        answers = [
            away.ask(head(post)),
            away.ask(head(post, "Content-Length: 200000") + b"x" * 200_000),
            slow.ask(head(post)),
            [away.ask(head(post)) for _ in range(20)][-1],
        ]

    assert [answer.status_code for answer in answers] == [503, 500, 504, 429]
    assert [lacking(answer) for answer in answers] == [{}] * 4
    assert [answer.headers.get("Retry-After") for answer in answers] == ["1", None, None, "5"]
    entries = [away.entries(503)[0], away.entries(500)[0], slow.entries(504)[0], away.entries(429)[0]]  # fmt: skip
    assert {(entry["method"], entry["path"]) for entry in entries} == {("POST", "/api/cart/items")}
    assert [entry["cause"] for entry in entries] == [
        "replica away",
        "nginx could not keep the body: is its file system full?",
        "replica too slow",
        "too many requests of one address",
    ]
    assert SECRET not in away.log + slow.log


def test_no_refusal_leaves_a_query_in_the_log(front):
    for request, _status in REQUESTS.values():
        front.ask(request)

    assert {entry["method"] for entry in front.entries(413)} == {"POST"}
    assert {entry["method"] for entry in front.entries(405)} == {"TRACE"}
    assert front.entries(413)[0]["cause"] == "body too large"
    assert SECRET not in front.log


def test_a_worker_may_open_a_file_for_all_that_its_connections_need(front):
    pid = int((front.folder / "nginx" / "tmp" / "nginx.pid").read_text())
    (worker, *_) = servers.children(pid)

    (line,) = re.findall(
        r"Max open files +(\d+)", Path(f"/proc/{worker}/limits").read_text("ascii")
    )

    conf = (proxy.SHIPPED / "nginx.conf").read_text("utf-8")
    assert int(line) == int(re.findall(r"worker_rlimit_nofile (\d+)", conf)[0])
    assert int(line) >= 3 * int(re.findall(r"worker_connections (\d+)", conf)[0])
