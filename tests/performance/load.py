"""A load tool that costs little: ready bytes on raw sockets, a few connections, one thread.

An operation is a generator: it yields the bytes of a request and is sent the answer, until it has
done its work. It checks what it is sent; a wrong answer ends the run.
"""

import resource
import selectors
import socket
import time
from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

CONNECTION_LIFE = 100
"""Requests on one connection. The kernel hands new ones to any worker, so each of them gets its
share of a round, whereas connections that were kept could all belong to one."""
PATIENCE = 20.0
"""Seconds without any answer after which a run is given up."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """A header's value; empty when it is missing."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.lower().encode():
                return value.strip().decode()
        return ""


Operation = Callable[[], Generator[bytes, Answer, None]]


class Run(NamedTuple):
    """Operations that were done, and what it took on this side."""

    latencies: list[float]
    """Seconds of each operation."""
    requests: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Operations a second."""
        return len(self.latencies) / self.seconds


class WrongAnswer(AssertionError):
    """The server did not answer as it must: no figures are worth having then."""


def run(port: int, operation: Operation, seconds: float, connections: int = 8) -> Run:
    """Keep `connections` busy with one operation after the other, and count.

    What was begun is finished, so that its costs and its count belong together.

    Raises:
        WrongAnswer: by the operation, or when the server does not answer at all.
    """
    with selectors.DefaultSelector() as selector:
        began, cpu = time.perf_counter(), _own_cpu()
        clients = [_Client(port, operation, selector) for _ in range(connections)]
        try:
            _keep_busy(clients, selector, began + seconds)
        finally:
            for client in clients:
                client.close()
        took = time.perf_counter() - began
    latencies = [latency for client in clients for latency in client.latencies]
    return Run(latencies, sum(c.requests for c in clients), took, _own_cpu() - cpu)


def _keep_busy(
    clients: Sequence["_Client"], selector: selectors.BaseSelector, deadline: float
) -> None:
    for client in clients:
        client.begin()
    while any(client.is_busy for client in clients):
        ready = selector.select(PATIENCE)
        if not ready:
            raise WrongAnswer(f"No answer for {PATIENCE:.0f} s.")
        for key, _events in ready:
            key.data.receive(deadline)


class _Client:
    """One connection after the other, and the operation that is under way."""

    def __init__(self, port: int, operation: Operation, selector: selectors.BaseSelector) -> None:
        self._port, self._operation, self._selector = port, operation, selector
        self._socket: socket.socket | None = None
        self._requests_here = 0
        self._buffer = b""
        self._needed = 0
        self.latencies: list[float] = []
        self.requests = 0
        self.is_busy = False

    def begin(self) -> None:
        """Send the first request of a new operation."""
        self.is_busy = True
        self._script = self._operation()
        self._began = time.perf_counter()
        self._send(next(self._script))

    def receive(self, deadline: float) -> None:
        """Take what has come in; with a whole answer, go on with the operation or the next."""
        chunk = self._socket.recv(1 << 18) if self._socket else b""
        if not chunk:
            raise WrongAnswer("The server closed the connection in the middle of an answer.")
        self._buffer = self._buffer + chunk if self._buffer else chunk
        if len(self._buffer) < self._needed:
            return
        answer = self._whole_answer()
        if answer is None:
            return
        self._buffer, self._needed = b"", 0
        try:
            self._send(self._script.send(answer))
        except StopIteration:
            self._end(deadline)

    def _end(self, deadline: float) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._began)
        if self._requests_here >= CONNECTION_LIFE or now >= deadline:
            self.close()
        if now < deadline:
            self.begin()
        else:
            self.is_busy = False

    def _send(self, request: bytes) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._socket.sendall(request)
        self.requests += 1
        self._requests_here += 1

    def close(self) -> None:
        """Leave the server; the next request finds another way in."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
        self._socket, self._requests_here = None, 0

    def _whole_answer(self) -> Answer | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._buffer[:end]
        self._needed = end + 4 + _content_length(head)
        if len(self._buffer) < self._needed:
            return None
        return Answer(int(head[9:12]), head, self._buffer[end + 4 :])


def _content_length(head: bytes) -> int:
    place = head.lower().find(b"\r\ncontent-length:")
    if place < 0:
        if head[9:12] in (b"204", b"304"):
            return 0
        raise WrongAnswer(f"An answer without a length: {head[:200]!r}")
    return int(head[place + 17 :].split(b"\r\n", 1)[0])


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
