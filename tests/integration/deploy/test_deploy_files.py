"""What the files for containers promise, read as compose and the image's builder read them."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
import yaml

from app.config import ROOT, load
from tests import servers
from tests.integration.conftest import migrated

pytestmark = pytest.mark.processes

DEVELOPMENT = "docker-compose.yml"
PRODUCTION = "docker-compose.prod.yml"
ON_TOP = ("-f", DEVELOPMENT, "-f", PRODUCTION)
OURS = ("app", "migrate", "worker")
SECRETS = {
    "SECRET_KEY": secrets.token_urlsafe(48),
    "JWT_SECRET_KEY": secrets.token_urlsafe(48),
    "POSTGRES_PASSWORD": "letters1",
    "DATABASE_OWNER_PASSWORD": "letters2",
    "DATABASE_PASSWORD": "letters3",
    "TRUSTED_HOSTS": "shop.example",
    "TLS_FOLDER": "/etc/shop",
}


class Loader(yaml.SafeLoader):
    """YAML with compose's tags: `!override` stands before what replaces, instead of adding."""


Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


def services(name):
    """The services that one file describes."""
    return yaml.load((ROOT / name).read_text("utf-8"), Loader)["services"]  # noqa: S506 - a safe one


def compose(*arguments, **environ):
    """docker-compose, which needs no engine to judge its files; skipped where there is none."""
    program = shutil.which("docker-compose") or shutil.which(
        "docker-compose", path=Path(sys.executable).parent
    )
    if program is None:
        pytest.skip("no docker-compose on this machine")
    return subprocess.run(
        [program, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_all_that_run_for_long_tell_how_they_are():
    for name, service in services(DEVELOPMENT).items():
        assert "healthcheck" in service, name
        assert ("test" in service["healthcheck"]) == (name != "migrate")


def test_the_shop_starts_after_what_it_needs():
    waits = services(DEVELOPMENT)["app"]["depends_on"]

    assert {name: how["condition"] for name, how in waits.items()} == {
        "migrate": "service_completed_successfully",
        "postgres": "service_healthy",
        "redis": "service_healthy",
    }
    assert services(DEVELOPMENT)["nginx"]["depends_on"]["app"]["condition"] == "service_healthy"


def test_only_nginx_is_reached_from_outside_and_in_development_from_this_machine_alone():
    for file in (DEVELOPMENT, PRODUCTION):
        assert [name for name, service in services(file).items() if "ports" in service] == ["nginx"]

    assert services(DEVELOPMENT)["nginx"]["ports"] == ["127.0.0.1:${PORT:-5000}:8080"]


def test_replicas_can_be_many():
    app = services(DEVELOPMENT)["app"] | services(PRODUCTION)["app"]

    assert not {"ports", "container_name", "hostname"} & set(app)


@pytest.mark.parametrize("name", services(DEVELOPMENT))
def test_no_container_has_rights_to_lose(name):
    service = services(DEVELOPMENT)[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    for file in (DEVELOPMENT, PRODUCTION):
        assert not {"privileged", "cap_add", "devices"} & set(services(file)[name])
    # The image of the shop has a user of its own; those of others begin as root.
    assert name in OURS or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])


def test_production_has_limits_for_all_and_starts_all_again():
    for name, service in services(PRODUCTION).items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert (service.get("restart") == "unless-stopped") == (name != "migrate")


def test_production_plants_no_demo_shop():
    assert "seed-db" in services(DEVELOPMENT)["migrate"]["command"][-1]
    assert services(PRODUCTION)["migrate"]["command"] == ["flask", "db", "upgrade"]


@pytest.mark.parametrize("name", OURS)
def test_production_takes_no_secret_that_everybody_knows(name):
    settings = services(PRODUCTION)[name]["environment"]

    assert settings["FLASK_ENV"] == "production"
    for secret in ("SECRET_KEY", "JWT_SECRET_KEY", "TRUSTED_HOSTS"):
        assert settings[secret].startswith(f"${{{secret}:?")
    assert "${DATABASE_PASSWORD:?" in settings["DATABASE_URL"]


@pytest.mark.parametrize("file", [DEVELOPMENT, PRODUCTION])
@pytest.mark.parametrize("name", OURS)
def test_only_migrations_run_under_the_role_that_owns_the_tables(name, file):
    settings = services(file)[name]["environment"]

    assert settings["DATABASE_URL"].startswith("postgresql://shop_app:")
    owner = settings.get("DATABASE_OWNER_URL", "")
    assert owner.startswith("postgresql://shop_owner:") == (name == "migrate")


@pytest.mark.parametrize("name", OURS)
def test_no_password_of_another_role_comes_in_by_the_settings_file(name):
    """`.env` is handed to the containers as a whole; what stands in `environment` wins."""
    settings = services(DEVELOPMENT)[name]["environment"]

    assert settings["POSTGRES_PASSWORD"] == settings["DATABASE_OWNER_PASSWORD"] == ""
    assert "POSTGRES_PASSWORD" not in services(PRODUCTION)[name]["environment"]


def test_the_database_makes_its_roles_when_its_volume_is_made():
    service = services(DEVELOPMENT)["postgres"]
    (script,) = (volume for volume in service["volumes"] if "initdb.d" in volume)
    path = ROOT / script.partition(":")[0]

    assert os.access(path, os.X_OK)
    for name in re.findall(r"getenv [a-z_]+ ([A-Z_]+)", path.read_text("utf-8")):
        assert name in service["environment"]
        assert name in services(PRODUCTION)["postgres"]["environment"]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    "files", [(DEVELOPMENT,), (DEVELOPMENT, PRODUCTION)], ids=["development", "production"]
)
def test_the_shop_takes_the_settings_that_compose_gives_it(name, files):
    written = {k: str(v) for file in files for k, v in services(file)[name]["environment"].items()}
    given = {k: filled(v) for k, v in written.items()}

    settings = load(given)

    assert settings.problems() == []
    assert settings.SQLALCHEMY_DATABASE_URI.endswith("@postgres:5432/shopswift")
    assert settings.TRUSTED_PROXIES == 1


def filled(text):
    """`${NAME:-default}` and `${NAME:?why}` as compose fills them in, the inner ones first."""
    count = 1
    while count:
        text, count = re.subn(
            r"\$\{([A-Z_]+)(?::-([^{}]*)|:\?[^{}]*)?\}",
            lambda m: SECRETS.get(m[1]) or m[2] or "",
            text,
        )
    return text


def test_compose_itself_takes_the_files():
    for arguments, settings in (((), {}), (ON_TOP, SECRETS)):
        said = compose(*arguments, "config", "--quiet", **settings)

        assert (said.returncode, said.stdout) == (0, ""), said.stderr


@pytest.mark.parametrize("missing", SECRETS)
def test_compose_refuses_production_without(missing):
    settings = {name: value for name, value in SECRETS.items() if name != missing}

    said = compose(*ON_TOP, "config", "--quiet", **settings)

    assert said.returncode != 0
    assert f"required variable {missing} is missing" in said.stderr


def test_put_together_production_is_reached_over_its_own_ports_alone():
    said = compose(*ON_TOP, "config", "--format", "json", **SECRETS)

    nginx = json.loads(said.stdout)["services"]["nginx"]

    assert [(port["published"], port["target"]) for port in nginx["ports"]] == [
        ("80", 8080),
        ("443", 8443),
    ]
    mounted = {volume["target"]: Path(volume["source"]).name for volume in nginx["volumes"]}
    assert mounted["/etc/nginx/server.conf"] == "tls.conf"
    assert mounted["/etc/nginx/tls"] == "shop"


def test_the_linter_of_images_has_nothing_to_say():
    program = shutil.which("hadolint") or shutil.which("hadolint", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("no hadolint on this machine")

    said = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True)

    assert (said.returncode, said.stdout) == (0, "")


def test_the_image_has_all_that_the_shop_loads_and_no_secrets():
    taken = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)

    assert {
        "app",
        "migrations",
        "manage.py",
        "gunicorn.conf.py",
        "requirements.lock",
        "requirements-otel.lock",
    } <= set(taken)
    assert all((ROOT / name).exists() for name in taken)
    assert not [name for name in taken if name.startswith((".env", "instance", ".git"))]
    assert re.search(r"^USER 10001:10001$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)


def test_the_health_check_asks_by_any_name(tmp_path):
    settings = {
        "FLASK_ENV": "testing",
        "DATABASE_URL": f"sqlite:///{tmp_path}/shop.db",
        "REDIS_URL": "",
        "SECRET_KEY": "s" * 40,
        "JWT_SECRET_KEY": "j" * 40,
        "TRUSTED_HOSTS": "shop.example",
    }
    migrated(settings["DATABASE_URL"])
    with servers.gunicorn(settings, 1) as (_server, address):
        port = address.rpartition(":")[2]
        asked = healthy(port)

    assert (asked, healthy(port)) == (0, 1)


def healthy(port):
    """How the container's health check ends."""
    return subprocess.run(
        [sys.executable, "-I", "deploy/container/healthy.py"],
        env={"PORT": port},
        cwd=ROOT,
    ).returncode


def eventually(condition):
    """Whether it comes true, within a long while."""
    return any(condition() or Event().wait(0.05) for _ in range(600))
