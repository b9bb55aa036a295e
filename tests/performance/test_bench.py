"""The benchmark itself: that it measures what it says. How fast anything is, is not asked."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.config import ROOT
from tests.performance import cpu, load, reads, report
from tests.performance.load import WrongAnswer

pytestmark = pytest.mark.slow

FIGURES = {"cpu_ms", "hello_ratio", "rps", "p50_ms", "p95_ms", "p99_ms"}


def bench(folder, *arguments):
    """Run the command as small as can be; what it wrote down, and its document."""
    target, document = folder / "bench.json", folder / "BENCHMARKS.md"
    urls = ("--database", os.environ["TEST_DATABASE_URL"], "--redis", os.environ["TEST_REDIS_URL"])
    small = ("--quick", "--rounds", "1", "--seconds", "0.05", "--workers", "1", "--orders", "40")
    done = subprocess.run(
        [sys.executable, "-m", "tests.performance.bench", *urls, *small, *arguments,
         "--json", target, "--markdown", document],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(target.read_text()), document.read_text()


def test_the_benchmark_tells_of_each_kind_of_work_what_it_costs(tmp_path):
    result, document = bench(tmp_path, "--products", "150", "--import-rows", "300")

    works = result["workloads"]
    assert {"list", "detail", "search", "add_to_cart", "purchase", "login"} <= set(works)
    assert all(set(row) >= FIGURES and row["cpu_ms"] > 0 for row in works.values())
    assert all("queries" in works[name] for name in report.TITLES)
    assert set(result["hello"]) >= {"cpu_ms", "rps", "p95_ms"}
    assert works["purchase"]["parts_ms"]["database"] > 0
    assert works["list_uncached"]["queries"] > 0 == works["list"]["queries"]
    assert result["import"]["rows"] == 300
    assert all(result["import"][name]["rows_per_s"] > 0 for name in ("new", "changed"))
    assert all(f"**{title}**" in document for title in report.TITLES.values())
    assert "import-products" in document


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that says this to everybody."""

    def serve() -> None:
        while True:
            try:
                connection, _address = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 INTERNAL SERVER ERROR\r\nContent-Length: 2\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"message":"bye"}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
    ],
)
def test_a_wrong_answer_ends_a_run(answer):
    with answering(answer) as port, pytest.raises(WrongAnswer):
        load.run(port, reads.hello(), 0.01, connections=1)


def test_what_a_dead_child_has_used_still_counts():
    def burn(seconds):
        code = f"import time\nwhile time.process_time() < {seconds}: pass"
        return subprocess.Popen([sys.executable, "-c", code])

    before = cpu.cpu_seconds(os.getpid())
    burn(0.3).wait()
    alive = burn(60)
    try:
        assert cpu.cpu_seconds(os.getpid()) - before >= 0.28
        assert alive.pid in cpu.family(os.getpid())
    finally:
        alive.kill()
        alive.wait()
