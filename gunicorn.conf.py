"""How gunicorn serves the shop; found by itself when started in this folder. See `.env.example`."""

import errno
import gc
import itertools
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import uuid
from pathlib import Path

from flask import Flask
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

gc.disable()  # until `pre_fork`: see manage.py

# Releases are started through a `current` link (DEPLOYMENT.md). If this folder kept the link's name,
# a running process would load templates of the next release as soon as the link points there. So
# the process knows its folder by its real name alone.
chdir = str(Path(__file__).resolve().parent)
os.chdir(chdir)
os.environ["PWD"] = chdir
sys.path[:] = [os.path.realpath(path) if path else chdir for path in sys.path]

# The workers' metrics lie in a folder of this server's own, in memory where possible. The variable
# must be set before prometheus_client is imported.
VARIABLE, PREFIX = "PROMETHEUS_MULTIPROC_DIR", "shopswift-figures-"
memory = Path("/dev/shm")  # noqa: S108 - the folder below and gunicorn's file have names by mkstemp
home = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def remove_metrics_of_dead_servers():
    """Remove the folders of servers that had no time to do so; the process id is in their names."""
    for folder in home.glob(f"{PREFIX}*"):
        try:
            os.kill(int(folder.name.removeprefix(PREFIX).partition("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)  # another user's folder stays
        except (OSError, ValueError):
            continue


def remove_metrics():
    """Remove this server's folder."""
    shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


# Not where a hangup reads this file again; a new server that another one starts has its own.
if not Path(os.environ.get(VARIABLE, "")).name.startswith(f"{PREFIX}{os.getpid()}-"):
    remove_metrics_of_dead_servers()
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=home)

# Imported here, as the folder must be known by its real name and the variable must be set.
from prometheus_client.multiprocess import mark_process_dead  # noqa: E402

from app.config import ConfigurationError, load  # noqa: E402
from app.observability import metrics  # noqa: E402
from app.startup import refuse_old_schema  # noqa: E402
from app.web.security_headers import HEADERS  # noqa: E402

try:
    settings = load()
except ConfigurationError as error:
    remove_metrics()
    sys.exit(f"ShopSwift cannot start: {error}")

host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
bind = f"{host}:{settings.PORT}"
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS

# Loaded before the fork: a refusal to start ends the server, not one worker after the other.
preload_app = True

# As long as the usual proxies take it; what is too long for a field is then told field by field.
limit_request_line = 8190
timeout = 60
graceful_timeout = 60  # as long as any request may take, and nginx waits
keepalive = 5  # longer than nginx's 4 s, so that it is nginx who closes
# Workers may be made anew now and then, so that a leak in whatever library never grows large. It
# closes kept connections, which a proxy takes in its stride and other clients may not.
max_requests = settings.WEB_MAX_REQUESTS
max_requests_jitter = settings.WEB_MAX_REQUESTS // 10
# The workers' heartbeat is a file; on a disk it can stall them.
worker_tmp_dir = str(memory) if memory.is_dir() else None
control_socket_disable = True

# Only the shop judges X-Forwarded-Proto, by TRUSTED_PROXIES: gunicorn would believe every client
# on this machine, in SCRIPT_NAME and PATH_INFO too.
forwarded_allow_ips = ""

accesslog = None  # the shop logs its requests itself, without what is private in them
loglevel = "warning" if settings.LOG_LEVEL in ("WARNING", "ERROR") else "info"


class ShopWorker(ThreadWorker):
    """One that turns new callers away as soon as it is to stop: they would wait in its queue, and
    be cut off at its end. Whoever balances the load sees at once to ask another. Those who wait
    already are taken in: a write that was sent must not be sent to another."""

    def set_accept_enabled(self, enabled):
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self.take_in_all(listener)
                listener.close()

    def take_in_all(self, listener):
        taken = -1
        while taken != self.nr_conns:
            taken = self.nr_conns
            self.accept(listener)


worker_class = ShopWorker


class ShopLogger(Logger):
    """gunicorn's own lines go the way of all others, in the configured form."""

    def setup(self, cfg):
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = ShopLogger


ATTEMPTS, BETWEEN_SECONDS = 10, 0.1
"""How often a port is tried: workers of a server that just died take a moment to leave it."""


def refuse_taken_address(server):
    """Raise ConfigurationError where the shop cannot listen. gunicorn itself tries for five seconds,
    and writes three lines about each attempt."""
    if server.LISTENERS or server.master_pid or "LISTEN_FDS" in os.environ or server.cfg.reuse_port:
        return  # sockets that are open already, or that are shared on purpose
    for address in server.cfg.address:
        if isinstance(address, tuple) and (reason := why_not_listen(*address)):
            raise ConfigurationError(reason)


def why_not_listen(name, port):
    """Why nobody can listen on a port of a host's; None where it is possible."""
    shown = f"[{name}]:{port}" if util.is_ipv6(name) else f"{name}:{port}"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _try_to_listen(name, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return (
                    f"{shown} cannot be listened on: {error.strerror}."
                    " HOST names an address of this machine, and PORT a port."
                )
            if attempt < ATTEMPTS:
                time.sleep(BETWEEN_SECONDS)
        else:
            return None
    return (
        f"another program listens on {shown}."
        f" Stop it, or choose another port, as in: PORT={port % 65535 + 1} ./scripts/run"
    )


def _try_to_listen(name, port):
    with socket.socket(socket.AF_INET6 if util.is_ipv6(name) else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((name, port))


STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def hold_stop_signals():
    """Let signals that end a process wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def deliver_stop_signals():
    """Let such signals come, those that wait at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


# Not in `on_starting`: a server that began with an older file calls `pre_fork` after a hangup.
os.register_at_fork(after_in_parent=deliver_stop_signals)


def pre_fork(server, worker):
    """Freeze the loaded objects, and give the worker the first slot that no other worker has.

    A worker whose garbage collector visits those objects copies their memory; at its end, as in a
    reload under load, it spends half a second of a CPU on freeing them.

    Until the worker has handlers of its own, gunicorn's for the server would swallow a signal, and
    the server would wait for this worker until its `graceful_timeout`: `post_worker_init` delivers it.
    """
    gc.enable()  # which a hangup, that reads this file again, has disabled
    gc.freeze()
    hold_stop_signals()
    taken_slots = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(slot for slot in map(str, itertools.count()) if slot not in taken_slots)


def post_fork(_server, worker):
    """Let the worker count in the files of its slot."""
    mark_process_dead(worker.slot)  # gunicorn does not call child_exit for each worker that ends
    limit = settings.DB_POOL_SIZE + settings.DB_MAX_OVERFLOW
    metrics.start_worker(os.environ[VARIABLE], worker.slot, threads, settings.DB_POOL_SIZE, limit)


def post_worker_init(_worker):
    """Deliver what came while the worker started."""
    deliver_stop_signals()


def child_exit(_server, worker):
    """Remove a worker's gauges: its requests and connections ended with it. Its counts stay."""
    mark_process_dead(worker.slot)


def on_exit(_server):
    """Remove the server's metrics at its end."""
    remove_metrics()


def on_starting(server):
    """Refuse to start where the shop cannot listen, and in production on a schema that is behind."""
    shop = server.app.wsgi()
    try:
        refuse_taken_address(server)
        if isinstance(shop, Flask):
            refuse_old_schema(shop)
    except ConfigurationError as error:
        remove_metrics()  # `on_exit` is not called for a server that never started
        sys.exit(f"ShopSwift cannot start: {error}")
    os.register_at_fork(after_in_parent=deliver_stop_signals)


def when_ready(server):
    """Say where the shop is, in words that a terminal makes a link of."""
    server.log.info("The shop is open: http://%s:%s", _shown_host(), settings.PORT)


def _shown_host():
    return "localhost" if settings.HOST in ("127.0.0.1", "0.0.0.0", "::1", "::") else host  # noqa: S104


def write_problem(sock, status, reason, _message):
    """Answer what is no HTTP with a problem (RFC 9457): gunicorn would send a page of HTML."""
    detail = f"The server cannot take this request: {reason}."
    problem = {
        "type": "about:blank",
        "title": reason,
        "status": status,
        "detail": detail,
        "code": reason.lower().replace(" ", "_"),
        "message": detail,
        "request_id": uuid.uuid4().hex,
    }
    body = json.dumps(problem)
    head = (
        f"HTTP/1.1 {status} {reason}",
        "Connection: close",
        "Cache-Control: no-store",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        f"X-Request-ID: {problem['request_id']}",
        *(f"{name}: {value}" for name, value in HEADERS.items()),
    )
    util.write_nonblock(sock, "\r\n".join((*head, "", body)).encode())


util.write_error = write_problem  # such requests never reach the shop, and no setting is for this
