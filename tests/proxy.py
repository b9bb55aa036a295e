"""The nginx of deploy/nginx, as it is shipped, on ports of its own in front of given servers."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app.config import ROOT
from tests.servers import LOCALHOST, PATIENCE, _wait_until, free_port

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
    (folder / "cache").mkdir(exist_ok=True)
    for source in SHIPPED.rglob("*.conf"):
        text = source.read_text("utf-8")
        for place in PLACES:
            text = text.replace(place, f"{_moved(folder, place)}/")
        for shipped, port in ports.items():
            text = re.sub(rf"listen (127.0.0.1:)?{shipped}\b", f"listen {LOCALHOST}:{port}", text)
        if servers:
            text = _with_servers(text, servers)
        target = folder / source.relative_to(SHIPPED)
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, "utf-8")
    shutil.copy(folder / f"{kind}.conf", folder / "server.conf")
    return folder / "nginx.conf"


PLACES = ("/tmp/", "/var/cache/nginx/", "/etc/nginx/")  # noqa: S108
"""Folders of a container, in the order in which they are replaced: a test's folder may lie in /tmp."""


def _moved(folder: Path, place: str) -> Path:
    """Where a folder of the container lies in a test."""
    for here, there in zip(PLACES, (folder / "tmp", folder / "cache", folder), strict=True):
        if f"{place.rstrip('/')}/".startswith(here):
            return there / place[len(here) :]
    raise ValueError(place)


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


LIMITS = {r"(?m)^ *limit_(req|conn) .*\n": ""}
"""A change that takes the limits by address off: a test sends everything from one address."""


def change(folder: Path, changes: Mapping[str, str]) -> None:
    """Replace patterns in a copy of the configuration; each has to be there."""
    for pattern, replacement in changes.items():
        count = 0
        for conf in folder.rglob("*.conf"):
            text, times = re.subn(pattern, replacement, conf.read_text("utf-8"))
            conf.write_text(text, "utf-8")
            count += times
        assert count, pattern


def on_file_systems(argv: list[str], sizes: Mapping[Path, str]) -> list[str]:
    """A command that sees a tmpfs of the given size at each path. The mounts are in a namespace of
    its own, so they end with it. Only root may mount; for others the test is skipped."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"]).returncode != 0:
        pytest.skip("only root can mount file systems here")
    mounts = [f"mount -t tmpfs -o size={size} tmpfs '{path}'" for path, size in sizes.items()]
    return ["unshare", "--mount", "sh", "-ec", "; ".join([*mounts, 'exec "$@"']), "sh", *argv]


@contextmanager
def nginx(
    folder: Path,
    servers: Sequence[str],
    kind: str = "plain",
    changes: Mapping[str, str] | None = None,
    sizes: Mapping[str, str] | None = None,
) -> Iterator[dict[int, int]]:
    """nginx in front of `servers` ("host:port"); its ports, by those it has in a container.

    `changes` are patterns in the configuration and what to put in their place. `sizes` gives folders of the container a file
    system of their own, such as {"/tmp": "1m"}.
    """
    ports = {port: free_port() for port in (8080, 8081, 8443)}
    conf = laid_out(folder / "nginx", kind, ports, servers)
    change(folder / "nginx", changes or {})
    argv = command(conf)
    if sizes is not None:
        places = {_moved(folder / "nginx", place): size for place, size in sizes.items()}
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
        argv = on_file_systems(argv, places)
    with _serving(argv, folder / "nginx.log", ports[8081]):
        yield ports


@contextmanager
def running(conf: Path, port: int) -> Iterator[None]:
    """nginx with this configuration, once it listens on `port`."""
    with _serving(command(conf), conf.parent / "nginx.log", port):
        yield


@contextmanager
def _serving(argv: list[str], lines: Path, port: int) -> Iterator[None]:
    with lines.open("wb") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        _wait_until(lambda: _answers(port), "nginx", server)
        yield
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOCALHOST, port)) == 0


def certificate(folder: Path) -> None:
    """A certificate for this machine, signed by itself, good for two days."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=shop", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True,
        capture_output=True,
    )  # fmt: skip


VERSION = "0123456789ab"
"""By which all files of an Echo may be kept."""


class _Echo(BaseHTTPRequestHandler):
    """Tells what it was asked; /lost is never answered, and a file of VERSION may be kept."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body waits 40 ms for the head to be acknowledged
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
        is_kept = self.path.endswith(f"?v={VERSION}") or "/media/" in self.path
        self.send_header("Cache-Control", "public, max-age=9999" if is_kept else "no-store")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names that the library looks for

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
