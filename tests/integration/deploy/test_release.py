"""`scripts/deploy/release` on a machine with systemd: real gunicorns, PostgreSQL, backups and folders.

Only `systemctl` is a stand-in: it starts and stops gunicorn as the unit in DEPLOYMENT.md does.
"""

import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from types import MappingProxyType

import psycopg2
import pytest
import requests
from alembic.script import ScriptDirectory

from app.config import ROOT
from tests import roles, servers
from tests.servers import LOCALHOST, PATIENCE, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("flock") and shutil.which("curl") and shutil.which("git")),
        reason="needs flock, curl and git, as the machine",
    ),
    pytest.mark.only_on("postgresql"),
]

WORKER = "shopswift-worker"
SYSTEMCTL = '''
    """Stands in for `systemctl`: `restart shopswift@PORT` and `show … shopswift@PORT`."""
    import os, signal, subprocess, sys, time, socket
    from pathlib import Path

    here = Path(__file__).parent
    folder = here.parent
    verb, unit = sys.argv[1], sys.argv[-1]
    port = unit.partition("@")[2]
    is_worker = unit == "shopswift-worker"
    pid_file = here / f"{port or unit}.pid"
    pid = int(pid_file.read_text()) if pid_file.exists() else 0

    def is_alive():
        # A process that ended stays a zombie where nobody waits for it.
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    if verb == "show":
        print(pid)
        sys.exit()
    with (here / ("worker.log" if is_worker else "log")).open("a") as log:
        log.write(f"{verb} {port} {os.readlink(folder / 'current')}\\n")
    if pid and is_alive():
        os.kill(pid, signal.SIGTERM)
        for _ in range(1500):
            if not is_alive():
                break
            time.sleep(0.05)
    settings = dict(
        line.split("=", 1) for line in (folder / "shop.env").read_text().splitlines() if line
    )
    working_directory = folder / "current"
    server = subprocess.Popen(
        [working_directory / ".venv/bin/python", "-m",
         *(["flask", "work"] if is_worker else ["gunicorn", "manage:app"])],
        cwd=working_directory,
        # PWD is what makes gunicorn believe the name of the link.
        env={"PATH": os.environ["PATH"], "PWD": str(working_directory), "HOST": "127.0.0.1",
             "PORT": port, **settings},
        stdin=subprocess.DEVNULL,
        stdout=(here / f"{port or unit}.log").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    pid_file.write_text(str(server.pid))
    if is_worker:
        sys.exit(0)
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                sys.exit(0)
        if server.poll() is not None:
            sys.exit(1)
        time.sleep(0.05)
    sys.exit(1)
'''


PACKAGES = sysconfig.get_paths()["purelib"]
PYTHON = """\
#!/bin/sh
# `python -m venv FOLDER`, which finds this environment's packages instead of downloading them.
set -eu
[ "$1 $2" = "-m venv" ]
{python} -m venv --without-pip "$3"
echo {packages} >"$3/lib/$(ls "$3/lib")/site-packages/packages.pth"
"""


class Machine:
    """A folder laid out as /srv/shopswift, with two instances."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        self.ports = (free_port(), free_port())
        self.database = database
        self._bin = folder / "bin"
        self._bin.mkdir()
        systemctl = self._bin / "systemctl"
        systemctl.write_text(f"#!{sys.executable}\n{textwrap.dedent(SYSTEMCTL)}")
        systemctl.chmod(systemctl.stat().st_mode | stat.S_IXUSR)
        python = self._bin / "python"
        python.write_text(PYTHON.format(python=sys.executable, packages=PACKAGES))
        python.chmod(0o755)
        (folder / "backups").mkdir()
        self._write_settings()
        self._make_repository()

    def _write_settings(self) -> None:
        settings = {
            "FLASK_ENV": "production",
            "FLASK_APP": "manage.py",
            "FLASK_SKIP_DOTENV": "1",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "JWT_SECRET_KEY": secrets.token_urlsafe(48),
            "METRICS_TOKEN": secrets.token_urlsafe(48),
            "DATABASE_URL": self.database,
            "REDIS_URL": "",
            "MEDIA_FOLDER": str(self.folder / "media"),
            "TRUSTED_HOSTS": LOCALHOST,
            "RATELIMIT_ENABLED": "false",
            "WEB_CONCURRENCY": "1",
        }
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.folder / "shop.env").write_text(lines)
        (self.folder / "backup.env").write_text(f"BACKUP_KEY={secrets.token_urlsafe(48)}\n")
        owner = f"DATABASE_OWNER_URL={roles.as_owner(self.database)}\n"
        (self.folder / "owner.env").write_text(owner)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
        (self.folder / "release.conf").write_text(
            f"SHOP_FOLDER={self.folder}\nSHOP_SETTINGS={self.folder}/shop.env\n"
            f"SHOP_OWNER_SETTINGS='{self.folder}/backup.env {self.folder}/owner.env'\n"
            f"SHOP_USER={user}\nSHOP_PORTS='{self.ports[0]} {self.ports[1]}'\n"
            f"SHOP_BACKUPS={self.folder}/backups\nSHOP_URL=http://{LOCALHOST}:{self.ports[1]}\n"
            f"SHOP_KEEP=1\nSHOP_FREE_MB=1\nSHOP_PYTHON={self._bin}/python\n"
            "SHOP_READY_SECONDS=8\nSHOP_SETTLE_SECONDS=0\nSHOP_RETRY_SECONDS=0\nSHOP_MIGRATE_TRIES=2\n"
        )

    def _make_repository(self) -> None:
        self.repository.mkdir()
        for name in ("app", "migrations", "scripts", "deploy"):
            shutil.copytree(
                ROOT / name, self.repository / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        for name in ("manage.py", "gunicorn.conf.py"):
            shutil.copy(ROOT / name, self.repository)
        # Nothing to download: see PYTHON.
        (self.repository / "requirements.lock").write_text("")
        self._git("init", "--quiet")
        self.tag("v1")

    def _git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@shop.example")
        subprocess.run(
            ["git", "-C", self.repository, *identity, *arguments], check=True, capture_output=True
        )

    def tag(self, name: str, files: Mapping[str, str] = MappingProxyType({})) -> None:
        """Write these files on top of v1, and tag the commit."""
        if name != "v1":
            self._git("checkout", "--quiet", "v1")
        for path, text in files.items():
            (self.repository / path).write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", name)
        self._git("tag", name)

    def release(self, tag: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(tag), env=self.environ(environ), capture_output=True, text=True
        )

    def command(self, tag: str) -> list[str]:
        return [str(self.repository / "scripts/deploy/release"), tag]

    def environ(self, more: dict[str, str]) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "SHOP_RELEASE_CONF": str(self.folder / "release.conf"),
            **more,
        }

    @contextmanager
    def configured(self, **settings: object) -> Iterator[None]:
        """More lines in release.conf, for a while."""
        file = self.folder / "release.conf"
        text = file.read_text()
        file.write_text(text + "".join(f"{name}={value}\n" for name, value in settings.items()))
        try:
            yield
        finally:
            file.write_text(text)

    @property
    def releases(self) -> set[str]:
        return {path.parent.name for path in (self.folder / "releases").glob("*/.release")}

    @property
    def running(self) -> list[str]:
        """The releases that the instances run, by the folder of their process."""
        return [Path(f"/proc/{self.pid(port)}/cwd").readlink().name for port in self.ports]

    @property
    def worker(self) -> str:
        """The release that the worker runs, by the folder of its process."""
        return Path(f"/proc/{self.pid(WORKER)}/cwd").readlink().name

    @property
    def current(self) -> str:
        return (self.folder / "current").resolve().name

    @property
    def backups(self) -> list[Path]:
        return sorted((self.folder / "backups").glob("shop-*"))

    @property
    def restarts(self) -> list[str]:
        """What systemctl was asked to restart, with what `current` pointed to."""
        lines = (self._bin / "log").read_text().splitlines()
        return [f"{Path(line).name} {line.split()[1]}" for line in lines]

    def point_to(self, release: str) -> None:
        """Let `current` point to another release, and restart nothing."""
        link = self.folder / "current.of-the-test"
        link.symlink_to(self.folder / "releases" / release)
        link.rename(self.folder / "current")

    def pid(self, unit: int | str) -> int:
        """The process of the instance on a port, or of the worker."""
        return int((self._bin / f"{unit}.pid").read_text())

    def get(self, port: int, path: str) -> requests.Response:
        return requests.get(f"http://{LOCALHOST}:{port}{path}", timeout=PATIENCE)

    def sql(self, statement: str) -> list[tuple]:
        connection = psycopg2.connect(roles.as_owner(self.database).replace("+psycopg2", ""))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def stop(self) -> None:
        for unit in (*self.ports, WORKER):
            with suppress(FileNotFoundError, ProcessLookupError):
                os.kill(self.pid(unit), signal.SIGKILL)
                for pid in servers.children(self.pid(unit)):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which v1 serves."""
    name = f"shopswift_release_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with servers.database(os.environ["TEST_DATABASE_URL"], name) as url:
        machine = Machine(tmp_path_factory.mktemp("srv"), url)
        try:
            machine.tag("v2", NEXT)
            first = machine.release("v1")
            assert first.returncode == 0, first.stderr
            yield machine
        finally:
            machine.stop()


HEAD = ScriptDirectory(str(ROOT / "migrations")).get_current_head()


@pytest.fixture
def on_v1(machine: Machine) -> Machine:
    """The same, after whatever a test before has left behind."""
    machine.sql(f"UPDATE alembic_version SET version_num = '{HEAD}' RETURNING 1")
    machine.sql("DROP TABLE IF EXISTS of_v2")
    if machine.running != ["v1", "v1"] or machine.current != "v1":
        assert machine.release("v1").returncode == 0
    return machine


class Shopper:
    """Asks for a page all the time. An instance that does not answer may be one that is restarted;
    the other one has to serve then. Errors count as failures, too."""

    def __init__(self, machine: Machine) -> None:
        self.failures: list[str] = []
        self.pages = 0
        self._machine, self._is_over = machine, Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> "Shopper":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.3):
            answers = [self._ask(port) for port in self._machine.ports]
            if set(answers) not in ({200}, {0, 200}):
                self.failures.append(str(answers))
            self.pages += 1

    def _ask(self, port: int) -> int:
        try:
            return self._machine.get(port, "/").status_code
        except requests.RequestException:
            return 0


def migration(body: str, more: str = "") -> dict[str, str]:
    """A migration on top of those that there are."""
    text = (
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision, down_revision = '9001', {HEAD!r}\n{more}\n"
        f"def upgrade():\n    {body}\n\n\ndef downgrade():\n    pass\n"
    )
    return {"migrations/versions/20991231_0000_9001_more.py": text}


def changed(path: str, old: str, new: str) -> dict[str, str]:
    """A file of v1 with other words in it."""
    text = (ROOT / path).read_text("utf-8")
    assert old in text
    return {path: text.replace(old, new)}


REGISTER = "app/templates/register.html"
NEXT = {
    **migration("op.create_table('of_v2', sa.Column('id', sa.BigInteger, primary_key=True))"),
    REGISTER: (ROOT / REGISTER).read_text("utf-8") + "{# #}<!-- of v2 -->",
    "app/static/shop.css": "/* of v2 */",
}


def test_releases_follow_one_another_and_back_without_a_gap(on_v1):
    number = len(on_v1.backups)

    with Shopper(on_v1) as shopper:
        forward = on_v1.release("v2")

    assert forward.returncode == 0, forward.stderr
    assert (on_v1.current, on_v1.running, on_v1.worker) == ("v2", ["v2", "v2"], "v2")
    assert len(on_v1.backups) == number + 1
    assert on_v1.sql("SELECT version_num FROM alembic_version") == [("9001",)]

    with Shopper(on_v1) as on_return:
        back = on_v1.release("v1")

    assert back.returncode == 0, back.stderr
    assert (on_v1.current, on_v1.running, on_v1.worker) == ("v1", ["v1", "v1"], "v1")
    assert on_v1.sql("SELECT version_num FROM alembic_version") == [("9001",)]
    assert len(on_v1.backups) == number + 1
    assert shopper.failures == on_return.failures == []
    assert min(shopper.pages, on_return.pages) > 5


def test_a_process_serves_its_own_release_whatever_current_points_to(on_v1):
    port = on_v1.ports[0]
    subprocess.run([on_v1.folder / "bin/systemctl", "restart", f"shopswift@{port}"], check=True)
    on_v1.point_to("v2")
    try:
        # The process has answered neither before.
        page, style = on_v1.get(port, "/register"), on_v1.get(port, "/static/shop.css")
    finally:
        on_v1.point_to("v1")

    assert page.status_code == style.status_code == 200
    assert "of v2" not in page.text
    assert "of v2" not in style.text


def refused(machine: Machine, tag: str, **environ: str) -> str:
    """What a release says that ends before anything is restarted."""
    before = (machine.current, machine.running, machine.restarts)
    with Shopper(machine) as shopper:
        done = machine.release(tag, **environ)
    assert done.returncode == 1, done.stderr
    assert "what served before still serves" in done.stderr
    assert (machine.current, machine.running, machine.restarts) == before
    assert shopper.failures == []
    return done.stderr


def test_a_backup_that_fails_ends_a_release(on_v1):
    (on_v1.folder / "a-file").touch()

    with on_v1.configured(SHOP_BACKUPS=on_v1.folder / "a-file"):
        said = refused(on_v1, "v2")

    assert "the backup failed" in said
    assert on_v1.sql("SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_migrations_that_fail_end_a_release(on_v1):
    on_v1.tag("failing-migration", migration("op.execute('SELECT 1/0')"))

    said = refused(on_v1, "failing-migration")

    assert said.count("[SQL: SELECT 1/0]") == 2  # tries
    assert "the migrations failed" in said
    assert on_v1.sql("SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_settings_that_are_not_for_production_end_a_release(on_v1):
    settings = on_v1.folder / "development.env"
    settings.write_text((on_v1.folder / "shop.env").read_text().replace("production", "testing"))

    with on_v1.configured(SHOP_SETTINGS=settings):
        assert "does not say FLASK_ENV=production" in refused(on_v1, "v2")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"SHOP_FREE_MB": 999_999_999}, "MB free, fewer than 999999999"),
        ({"SHOP_SETTINGS": "/nowhere/shop.env"}, "/nowhere/shop.env cannot be read"),
    ],
)
def test_what_is_missing_on_the_machine_ends_a_release(on_v1, setting, reason):
    with on_v1.configured(**setting):
        assert reason in refused(on_v1, "v2")


@pytest.mark.parametrize("tag", ["v99", "0123abc"])
def test_a_tag_that_is_not_there_ends_a_release(on_v1, tag):
    assert f"there is no tag or commit {tag}" in refused(on_v1, tag)


def test_settings_that_the_doctor_refuses_end_a_release(on_v1):
    settings = on_v1.folder / "bad.env"
    settings.write_text(
        (on_v1.folder / "shop.env").read_text() + "REDIS_URL=redis://127.0.0.1:1/0\n"
    )

    with on_v1.configured(SHOP_SETTINGS=settings):
        said = refused(on_v1, "v2")

    assert "failed  cache" in said
    assert "the doctor is not content" in said


def test_a_release_that_drops_what_the_servers_read_is_refused(on_v1):
    files = migration("op.execute('SELECT 1')", "contract = '9001'")
    on_v1.tag("contracting", files)

    assert "cannot serve on this schema" in refused(on_v1, "contracting")


def test_an_instance_that_does_not_become_ready_brings_the_release_before_back(on_v1):
    on_v1.tag(
        "never-ready",
        changed("app/api/health.py", 'if body["status"] == "ok":', "if False:"),
    )

    with Shopper(on_v1) as shopper:
        failed = on_v1.release("never-ready")

    assert failed.returncode == 1
    assert f"shopswift@{on_v1.ports[0]} does not become ready" in failed.stderr
    assert (on_v1.current, on_v1.running, on_v1.worker) == ("v1", ["v1", "v1"], "v1")
    # The other instance was left alone.
    assert on_v1.restarts[-2:] == [f"{tag} {on_v1.ports[0]}" for tag in ("never-ready", "v1")]
    assert shopper.failures == []


def test_an_instance_that_does_not_start_brings_the_release_before_back(on_v1):
    on_v1.tag("broken", changed("gunicorn.conf.py", "import gc\n", "import gc\nimport nothing\n"))

    with Shopper(on_v1) as shopper:
        failed = on_v1.release("broken")

    assert failed.returncode == 1
    assert (on_v1.current, on_v1.running) == ("v1", ["v1", "v1"])
    assert shopper.failures == []


def test_a_smoke_test_that_fails_brings_the_release_before_back(on_v1):
    on_v1.tag("smoking", changed("app/templates/base.html", "<main", "<div><section"))

    failed = on_v1.release("smoking")

    assert failed.returncode == 1
    assert "smoking fails its smoke test" in failed.stderr
    assert (on_v1.current, on_v1.running) == ("v1", ["v1", "v1"])
    for port in on_v1.ports:
        assert "<main" in on_v1.get(port, "/").text


def test_a_release_that_is_interrupted_goes_back(on_v1):
    with on_v1.configured(SHOP_SETTLE_SECONDS=1), Shopper(on_v1) as shopper:
        command, environ = on_v1.command("v2"), on_v1.environ({})
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as release:
            assert release.stderr is not None
            for line in release.stderr:
                if f"restarting shopswift@{on_v1.ports[1]}" in line:
                    release.terminate()

    assert release.returncode == 128 + signal.SIGTERM
    assert (on_v1.current, on_v1.running) == ("v1", ["v1", "v1"])
    assert shopper.failures == []


def test_two_releases_at_once_do_not_mix(on_v1):
    with (on_v1.folder / ".release.lock").open("w") as lock:
        subprocess.run(["flock", "--exclusive", str(lock.fileno())], pass_fds=[lock.fileno()])

        assert on_v1.release("v2").returncode == 75
    assert on_v1.current == "v1"


def test_what_was_left_unfinished_is_built_anew_and_what_is_old_is_removed(on_v1):
    (on_v1.folder / "releases" / "v5" / "app").mkdir(parents=True)
    on_v1.tag("v5")

    done = on_v1.release("v5")

    assert done.returncode == 0, done.stderr
    assert on_v1.running == ["v5", "v5"]
    assert on_v1.releases == {"v5", "v1"}  # SHOP_KEEP=1, and the one to return to


def test_whoever_names_no_tag_is_told_how():
    for arguments in ((), ("--help",), ("../../etc",), ("v1; true",)):
        done = subprocess.run(
            [ROOT / "scripts/deploy/release", *arguments], capture_output=True, text=True
        )
        assert done.returncode == 2, arguments
