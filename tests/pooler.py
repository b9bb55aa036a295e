"""The PgBouncer of deploy/pgbouncer.ini, on a port of its own in front of a given server."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.config import ROOT
from tests import roles
from tests.servers import LOCALHOST, PATIENCE, _wait_until, free_port, listens, run_sql

SHIPPED = ROOT / "deploy" / "pgbouncer.ini"
MISSING = "no PgBouncer on this machine (PGBOUNCER_PATH may name one)"
CONNECTIONS = 4
"""To the server: fewer than the threads of one process, so that they have to share them."""


def leave_out() -> None:
    """Skip the test for want of a PgBouncer, or fail it if INSIST_ON_PGBOUNCER is set."""
    if os.environ.get("INSIST_ON_PGBOUNCER"):
        pytest.fail(MISSING)
    pytest.skip(MISSING)


def program() -> str | None:
    """PGBOUNCER_PATH, or the one on the path."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    return os.environ.get("PGBOUNCER_PATH") or shutil.which("pgbouncer", path=path)


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """The URL of a PostgreSQL database through PgBouncer, prepared as the shipped file says."""
    where = make_url(url)
    for statement in statements():
        run_sql(roles.as_owner(url), statement.replace("shopswift", f'"{where.database}"'))
    with tempfile.TemporaryDirectory(prefix="shopswift-pool-") as folder:
        port = free_port()
        running = start(Path(folder), url, port)
        try:
            yield where.set(host=LOCALHOST, port=port).render_as_string(hide_password=False)
        finally:
            running.terminate()
            running.wait(PATIENCE)


def statements() -> list[str]:
    """What the shipped file tells to set on the database."""
    return re.findall(r"^; +(ALTER DATABASE .*);$", SHIPPED.read_text("utf-8"), re.MULTILINE)


def start(folder: Path, url: str, port: int) -> subprocess.Popen[bytes]:
    """PgBouncer at this port, once it listens."""
    folder.chmod(0o711)
    settings = folder / "pgbouncer.ini"
    settings.write_text(_laid_out(folder, url, port), "utf-8")
    as_user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    with (folder / "pgbouncer.log").open("wb") as log:
        command = [str(program()), *as_user, str(settings)]
        running = subprocess.Popen(command, stdout=log, stderr=log)
    _wait_until(lambda: listens(port), "PgBouncer", running)
    return running


def _laid_out(folder: Path, url: str, port: int) -> str:
    """The same settings for one server, with few connections and the role of the URL."""
    where = make_url(url)
    users = folder / "users.txt"
    users.write_text(f'"{where.username}" "{where.password or ""}"\n', "utf-8")
    changes = {
        "auth_file": str(users),
        "listen_port": str(port),
        "default_pool_size": str(CONNECTIONS),
        "shopswift": f"host={where.host} port={where.port}",
    }
    text = SHIPPED.read_text("utf-8")
    for name, value in changes.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
    return text.replace("\nshopswift =", f"\n{where.database} =") + "unix_socket_dir =\n"
