"""The nginx of deploy/nginx, as it is shipped, on ports of its own in front of given servers."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app.config import ROOT
from tests.servers import LOCALHOST, _wait_until, free_port

SHIPPED = ROOT / "deploy" / "nginx"
MISSING = "no nginx on this machine (NGINX_PATH may name one)"
MODERN = (1, 29, 7)
"""The version that knows all that we use; in older ones what is new is left out."""


def program() -> str:
    """NGINX_PATH, or the one on the path; without one the test is skipped, or fails if
    INSIST_ON_NGINX is set."""
    found = os.environ.get("NGINX_PATH") or shutil.which(
        "nginx", path=f"{os.environ['PATH']}:/usr/sbin"
    )
    if found is None and os.environ.get("INSIST_ON_NGINX"):
        pytest.fail(MISSING)
    if found is None:
        pytest.skip(MISSING)
    return found


def version() -> tuple[int, ...]:
    """Of the nginx that is used."""
    said = subprocess.run([program(), "-v"], capture_output=True, text=True).stderr
    found = re.search(r"nginx/([0-9.]+)", said)
    assert found, said
    return tuple(map(int, found[1].split(".")))


def laid_out(folder: Path, kind: str, ports: dict[int, int], servers: Sequence[str]) -> Path:
    """A copy of the configuration: the same lines, other folders, ports and servers."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    for source in SHIPPED.rglob("*.conf"):
        text = source.read_text("utf-8")
        # In this order: the folder itself may lie in /tmp.
        text = text.replace("/tmp/", f"{folder}/tmp/").replace("/etc/nginx/", f"{folder}/")  # noqa: S108
        for shipped, port in ports.items():
            text = re.sub(rf"listen (127.0.0.1:)?{shipped}\b", f"listen {LOCALHOST}:{port}", text)
        if servers:
            text = _with_servers(text, servers)
        target = folder / source.relative_to(SHIPPED)
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, "utf-8")
    shutil.copy(folder / f"{kind}.conf", folder / "server.conf")
    return folder / "nginx.conf"


def _with_servers(text: str, servers: Sequence[str]) -> str:
    """These servers instead of a name to look up, for a nginx of any age."""
    text = re.sub(r" +resolver .*\n", "", text)
    text = re.sub(
        r" +server app:8000 resolve (.*)\n",
        lambda found: "".join(f"    server {server} {found[1]}\n" for server in servers),
        text,
    )
    return text if version() >= MODERN else re.sub(r" +(http2 on|keepalive 0);\n", "", text)


def command(conf: Path, *more: str) -> list[str]:
    """nginx with this configuration. As root it would give up its rights, to our folder too."""
    user = " user root;" if os.geteuid() == 0 else ""
    return [program(), "-e", "stderr", "-c", str(conf), "-g", f"daemon off;{user}", *more]


@contextmanager
def nginx(folder: Path, servers: Sequence[str], kind: str = "plain") -> Iterator[dict[int, int]]:
    """nginx in front of `servers` ("host:port"); its ports, by those it has in a container."""
    ports = {port: free_port() for port in (8080, 8081, 8443)}
    conf = laid_out(folder / "nginx", kind, ports, servers)
    with (folder / "nginx.log").open("wb") as log:
        running = subprocess.Popen(command(conf), stdout=log, stderr=log)
    try:
        _wait_until(lambda: _answers(ports[8081]), "nginx", running)
        yield ports
    finally:
        running.terminate()
        running.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOCALHOST, port)) == 0


class _Echo(BaseHTTPRequestHandler):
    """Tells what it was asked; /lost is never answered."""

    protocol_version = "HTTP/1.1"
    server: "Echo"

    def _answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/lost":
            self.close_connection = True
            return
        heard = {
            "server": self.server.server_port,
            **{k.lower(): v for k, v in self.headers.items()},
        }
        body = json.dumps(heard).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - the names that the library looks for

    def log_message(self, *_line: object) -> None:
        """Nothing."""


class Echo(ThreadingHTTPServer):
    """A server that tells what nginx made of a request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOCALHOST, 0), _Echo)
        self.asked: list[str] = []
        self.address = f"{LOCALHOST}:{self.server_port}"


@contextmanager
def echo() -> Iterator[Echo]:
    """A running Echo."""
    with Echo() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
