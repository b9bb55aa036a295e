"""Bodies that are refused before they are read, on a real server: the refusal arrives."""

import socket
from urllib.parse import urlsplit

import pytest

from tests import servers
from tests.servers import PATIENCE

pytestmark = pytest.mark.processes

MIB = 1024 * 1024


@pytest.fixture
def port(server_address):
    return urlsplit(server_address).port


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/api/cart/items", 2 * MIB, 413),
        ("/api/users/me/addresses", 2 * MIB, 401),
        ("/api/nothing", 2 * MIB, 404),
        ("/nothing", 2 * MIB, 404),
        ("/api/cart/items", 12 * MIB, 413),
    ],
)
def test_a_client_that_sends_all_before_it_reads_is_told_why_it_is_refused(
    port, path, size, status
):
    head = f"POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    for _attempt in range(3):
        with socket.create_connection((servers.LOCALHOST, port), PATIENCE) as client:
            client.sendall(head.encode() + b"x" * size)
            answer = client.recv(65536)

        assert answer.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.only_on("sqlite")
def test_a_client_that_stops_in_the_middle_harms_nobody_else(port):
    head = b"POST /api/nothing HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n"
    with socket.create_connection((servers.LOCALHOST, port), PATIENCE) as gone:
        gone.sendall(head + b"x" * 100_000)
    with socket.create_connection((servers.LOCALHOST, port), PATIENCE) as client:
        client.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: shop\r\n\r\n")

        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
