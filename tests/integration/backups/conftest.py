"""A shop that has sold something, its backups, and the commands, as an operator runs them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from app.config import DEVELOPMENT_SECRET, ROOT, Testing
from app.gateways.media import FolderStore
from tests import factories, roles, servers
from tests.forks import started
from tests.integration.conftest import Caller
from tests.integration.people import inside
from tests.integration.shopping import guest_order

sys.path.append(str(ROOT / "scripts"))

from backups import manifests

PICTURE = {"id": "a" * 32, "alt": "", "width": 320, "height": 320}
FILE = f"{PICTURE['id']}-320.webp"


@pytest.fixture
def sold(app, tmp_path, monkeypatch):
    """A shop with a product, its picture and an order; the product."""
    monkeypatch.setitem(app.extensions, "media", FolderStore(tmp_path / "media", "/media"))
    app.extensions["media"].save(FILE, b"not looked at")
    product = inside(app, factories.product, stock=100_000, images=[PICTURE])
    guest_order(Caller(app), product)
    return product


@pytest.fixture
def elsewhere(request, database, tmp_path):
    """The URL of an empty database of the same kind."""
    if database.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/elsewhere/shop.db"
        return
    with servers.database(os.environ["TEST_DATABASE_URL"], f"restored_{os.getpid()}") as url:
        yield url


@pytest.fixture(scope="session")
def forks():
    """What runs the scripts without importing the shop anew each time."""
    with started() as forks:
        yield forks


@pytest.fixture
def run(forks, settings_for):
    """Run one of the scripts on a database, with the pictures in a folder."""

    def call(script, *arguments, **where):
        return forks.run(script, *arguments, env=settings_for(**where))

    return call


@pytest.fixture
def command(settings_for):
    """The same by the command itself, as an operator calls it."""

    def call(script, *arguments, **where):
        return subprocess.run(
            [ROOT / "scripts" / script, *arguments],
            env=settings_for(**where),
            capture_output=True,
            text=True,
        )

    return call


@pytest.fixture
def settings_for(environ, tmp_path):
    """The environment of a script for a database, with the pictures in a folder."""

    def settings(url, media="media", **more):
        own = {**roles.settings(url), **more, "MEDIA_FOLDER": str(tmp_path / media)}
        return {**os.environ, **environ, **own}

    return settings


@pytest.fixture
def backup(run, database, tmp_path, sold):
    """A backup of the shop; its folder."""

    def make(*options, folder="backups", run=run):
        done = run("backup", tmp_path / folder, *options, url=database)
        assert done.returncode == 0, done.stderr
        return Path(re.match(r"backup: (.+?): [0-9.]+ MB", done.stdout).group(1))

    return make


def numbers(url):
    """The numbers of all orders in a database."""
    engine = create_engine(Testing({"DATABASE_URL": url}).SQLALCHEMY_DATABASE_URI)
    with engine.connect() as connection:
        orders = set(connection.scalars(text("SELECT number FROM orders")))
    engine.dispose()
    return orders


def signed_again(backup, change=lambda body: None, key=DEVELOPMENT_SECRET):
    """Change a backup's manifest, and sign it as somebody with this key would."""
    body = json.loads((backup / manifests.FILE).read_text())
    change(body)
    data = json.dumps(body).encode()
    (backup / manifests.FILE).write_bytes(data)
    (backup / manifests.SIGNATURE).write_text(manifests.signature(data, key))
