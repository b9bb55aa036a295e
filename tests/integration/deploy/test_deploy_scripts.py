"""Releases: a host switches without a moment in which nobody serves, and back where it must.

The shop that the smoke test asks is real; Docker is played by a program that keeps count of containers.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from app.config import ROOT
from tests import factories, servers
from tests.integration.conftest import empty
from tests.integration.people import inside

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("flock") and shutil.which("curl")),
        reason="needs flock and curl, as the host",
    ),
]

DOCKER = '''
    """Plays `docker`: containers are entries of state.json; what was done is told in log."""
    import json, os, sys
    from pathlib import Path

    here = Path(__file__).parent
    arguments, image = sys.argv[1:], os.environ.get("SHOP_IMAGE", "")
    composing = arguments[:1] == ["compose"]
    if composing:
        arguments = arguments[5:]  # after the two files
    state = json.loads((here / "state.json").read_text())

    def end(code=0):
        (here / "state.json").write_text(json.dumps(state))
        with (here / "log").open("a") as log:
            serving = sum(found["healthy"] for found in state.values())
            log.write(json.dumps([*arguments[:1], image, serving, code, arguments]) + "\\n")
        sys.exit(code)

    verb = arguments[0]
    if verb == "ps":
        print("\\n".join(state))
    elif verb == "up" and "app" in arguments:
        wanted = int(next(a for a in arguments if a.startswith("app=")).removeprefix("app="))
        while len(state) < wanted:
            number = 1 + max([int(name[1:]) for name in state], default=0)
            state[f"c{number}"] = {"image": image, "healthy": "broken" not in image}
        end(1 if "broken" in image else 0)
    elif verb == "rm":
        stopped = [name for name, found in state.items() if not found["healthy"]]
        for name in stopped if composing else arguments[1:]:
            del state[name]
    elif verb == "stop":
        for name in arguments[3:]:
            state[name]["healthy"] = False
    elif verb == "run" and "heads" in arguments:
        print("0013 (head)")
    elif verb == "run" and "schema-state" in arguments:
        end(1 if "contracting" in image else 0)
    elif verb == "run" and "doctor" in arguments:
        end(1 if "unwell" in image else 0)
    elif verb == "run" and "migrate" in arguments and "unmigratable" in image:
        end(1)
    elif verb == "exec" and "pg_dump" in arguments[-1]:
        print("a dump")
        end(1 if "undumpable" in image else 0)
    elif verb == "exec":
        end(0 if sys.stdin.read() == "a dump\\n" else 1)
    elif verb in ("pull", "image") and "missing" in (image or arguments[-1]):
        end(1)
    elif verb == "info":
        print(here)
    end()
'''


class Host:
    """A folder as it lies on a host, with a Docker that only counts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._bin = folder, folder / "bin"
        shutil.copytree(ROOT / "scripts" / "deploy", folder / "scripts" / "deploy")
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        self._bin.mkdir()
        docker = self._bin / "docker"
        docker.write_text(f"#!{sys.executable}\n{textwrap.dedent(DOCKER)}")
        docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
        (self._bin / "state.json").write_text("{}")
        (folder / ".env").write_text("SECRET_KEY=kept\n")

    def switch(
        self, image: str, url: str, program: str = "", cwd: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Have the host switch to an image; `program` is called in its folder `cwd`."""
        return subprocess.run(
            [program or self.folder / "scripts/deploy/switch", image, *([url] if url else [])],
            cwd=self.folder / cwd,
            env={
                **os.environ,
                "PATH": f"{self._bin}:{os.environ['PATH']}",
                "SHOP_RETRY_SECONDS": "0",
                "SHOP_FREE_MB": "1",
                "SHOP_RELEASE_CONF": "/nowhere/release.conf",
            },
            capture_output=True,
            text=True,
        )

    def release(self, tag: str) -> "subprocess.CompletedProcess[str]":
        """Have the host release a tag or an image."""
        return self.switch(tag, "", program=str(self.folder / "scripts/deploy/release"))

    def set_state(self, images: list[str]) -> None:
        """Let these replicas run."""
        state = {f"c{n}": {"image": image, "healthy": True} for n, image in enumerate(images)}
        (self._bin / "state.json").write_text(json.dumps(state))

    @property
    def images(self) -> list[str]:
        """What the replicas run."""
        state = json.loads((self._bin / "state.json").read_text())
        return [found["image"] for found in state.values()]

    @property
    def log(self) -> list[list[object]]:
        """What Docker was asked: verb, image, how many served afterwards, exit code, arguments."""
        return [json.loads(line) for line in (self._bin / "log").read_text().splitlines()]

    @property
    def settings(self) -> list[str]:
        return (self.folder / ".env").read_text().splitlines()


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture(scope="module")
def url(shared_app, environ):
    """A real shop with something on offer, for the smoke test."""
    empty(shared_app)
    inside(shared_app, factories.product)
    with servers.shop(environ, workers=1) as address:
        yield address


NOWHERE = "http://127.0.0.1:1"


@pytest.mark.only_on("sqlite")
def test_releases_follow_one_another_without_a_gap(host, url):
    first = host.switch("shop:1", url)
    assert first.returncode == 0, first.stderr
    started = len(host.log)
    assert host.images == ["shop:1"] * 2

    second = host.switch("shop:2", url)

    assert second.returncode == 0, second.stderr
    assert host.images == ["shop:2"] * 2
    assert host.settings == ["SECRET_KEY=kept", "SHOP_IMAGE=shop:2"]
    verbs = [verb for verb, *_rest in host.log[started:]]
    assert verbs.index("pull") < verbs.index("run") < verbs.index("stop")
    assert min(serving for _verb, _image, serving, *_rest in host.log[started:]) == 2
    recreated = [arguments for *_rest, arguments in host.log if "--force-recreate" in arguments]
    assert len(recreated) == 1  # nginx, when its configuration was new

    failing = host.switch("shop:3", NOWHERE)

    assert failing.returncode == 1
    assert "back to shop:2" in failing.stderr
    assert host.images == ["shop:2"] * 2
    assert host.settings[-1] == "SHOP_IMAGE=shop:2"
    assert min(serving for _verb, _image, serving, *_rest in host.log[started:]) == 2


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("image", ["shop:broken", "shop:unmigratable", "shop:missing"])
def test_a_release_that_does_not_start_changes_nothing(host, url, image):
    host.switch("shop:1", url)
    started = len(host.log)

    done = host.switch(image, url)

    assert done.returncode != 0
    assert host.images == ["shop:1"] * 2
    assert host.settings[-1] == "SHOP_IMAGE=shop:1"
    assert min(serving for _verb, _image, serving, *_rest in host.log[started:]) == 2


def test_a_release_may_be_switched_to_from_any_folder(host):
    done = host.switch("shop:missing", NOWHERE, program="./switch", cwd="scripts/deploy")

    assert done.returncode == 1, done.stderr
    assert [verb for verb, *_rest in host.log] == ["pull", "image"]


@pytest.fixture
def on_v1(host, url):
    """A host on which the first release runs."""
    host.set_state(["ghcr.io/owner/shop:v1"] * 2)
    with (host.folder / ".env").open("a") as settings:
        settings.write(f"SHOP_URL={url}\nSHOP_IMAGE=ghcr.io/owner/shop:v1\n")
    return host


@pytest.mark.only_on("sqlite")
def test_a_release_looks_first_and_backs_up_before_it_migrates(on_v1):
    done = on_v1.release("v2")

    assert done.returncode == 0, done.stderr
    assert on_v1.images == ["ghcr.io/owner/shop:v2"] * 2
    assert on_v1.settings[-1] == "SHOP_IMAGE=ghcr.io/owner/shop:v2"
    steps = [" ".join(map(str, arguments)) for *_rest, arguments in on_v1.log]
    order = ["config", "pull", "schema-state --serving 0013", "doctor", "pg_dump", "--list",
             "migrate", "app=4", "nginx"]  # fmt: skip
    places = [next(n for n, step in enumerate(steps) if word in step) for word in order]
    assert places == sorted(places)
    (dump,) = (on_v1.folder / "backups").iterdir()
    assert dump.read_text() == "a dump\n"
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    assert stat.S_IMODE(dump.parent.stat().st_mode) == 0o700


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("missing", "there is no image ghcr.io/owner/shop:missing"),
        ("contracting", "the schema does not allow it"),
        ("unwell", "the doctor is not content"),
        ("undumpable", "the backup failed"),
        ("unmigratable", "the migrations failed"),
    ],
)
def test_what_fails_before_the_switch_changes_nothing(on_v1, tag, reason):
    done = on_v1.release(tag)

    assert done.returncode == 1
    assert reason in done.stderr
    assert on_v1.images == ["ghcr.io/owner/shop:v1"] * 2
    assert not [arguments for verb, *_rest, arguments in on_v1.log if "app=4" in arguments]
    backups = on_v1.folder / "backups"
    assert len(list(backups.iterdir())) == (tag == "unmigratable")


@pytest.mark.only_on("sqlite")
def test_a_switch_that_was_killed_is_made_good_by_the_next_one(on_v1):
    on_v1.set_state(["ghcr.io/owner/shop:v1"] * 2 + ["ghcr.io/owner/shop:v2"] * 2)
    (on_v1.folder / ".replicas").write_text("2\n")

    done = on_v1.release("v2")

    assert done.returncode == 0, done.stderr
    assert on_v1.images == ["ghcr.io/owner/shop:v2"] * 2


@pytest.mark.only_on("sqlite")
def test_migrations_that_find_a_lock_are_tried_again(on_v1):
    on_v1.switch("ghcr.io/owner/shop:unmigratable", NOWHERE)

    assert [arguments[-1] for verb, *_rest, arguments in on_v1.log if verb == "run"] == [
        "migrate"
    ] * 5


def test_two_releases_at_once_do_not_mix(host):
    with (host.folder / ".switch.lock").open("w") as lock:
        subprocess.run(["flock", "--exclusive", str(lock.fileno())], pass_fds=[lock.fileno()])

        assert host.switch("shop:1", NOWHERE).returncode == 75
    assert host.images == []


def test_shipping_brings_the_files_and_switches_there(tmp_path):
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\necho "$1" >>"$0.hosts"\nexec sh -c "$2"\n')
    ssh.chmod(0o755)
    folder = tmp_path / "srv"

    done = subprocess.run(
        [ROOT / "scripts/deploy/ship", "shop@host", "shop:1", "https://shop.example"],
        env={
            **os.environ,
            "SSH": str(ssh),
            "SHOP_FOLDER": str(folder),
            "SHOP_RELEASE_CONF": "/nowhere/release.conf",
        },
        capture_output=True,
        text=True,
    )

    assert (tmp_path / "ssh.hosts").read_text() == "shop@host\n" * 2
    assert (folder / "docker-compose.prod.yml").exists()
    assert (folder / "deploy/nginx/nginx.conf").exists()
    assert done.returncode == 2
    assert f"{folder}/.env is there" in done.stderr


def test_nothing_but_plain_words_is_shipped(tmp_path):
    done = subprocess.run(
        [ROOT / "scripts/deploy/ship", "host", "shop:1'; rm -rf ~'", "https://shop.example"],
        env={**os.environ, "SSH": "false"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
