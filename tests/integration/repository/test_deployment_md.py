"""DEPLOYMENT.md: its settings, units, manifests, commands and run-book are such as work."""

import configparser
import re
import secrets
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
import requests
import yaml
from sqlalchemy import text

from app.config import ROOT, load
from app.extensions import db
from app.services.operations import schema_service
from tests import pooler, proxy
from tests.servers import PATIENCE, free_port

pytestmark = pytest.mark.processes

TEXT = (ROOT / "DEPLOYMENT.md").read_text("utf-8")
UNITS = ("shopswift@.service", "shopswift-worker.service",
         "shopswift-backup.service", "shopswift-backup.timer",
         "shopswift-drill.service", "shopswift-drill.timer", "shopswift-failed@.service")  # fmt: skip
DOCUMENTS = sorted(path.name for path in ROOT.glob("*.md"))


def blocks(kind: str) -> list[str]:
    """What stands in fenced blocks of this kind."""
    return re.findall(rf"```{re.escape(kind)}\n(.*?)```", TEXT, re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {word.replace(" ", "-") for word in words}


def manifests() -> list[dict]:
    return [entry for text in blocks("yaml") for entry in yaml.safe_load_all(text)]


def pods() -> list[dict]:
    """The specs of all pods that the manifests make."""
    found = []
    for entry in manifests():
        spec = entry["spec"].get("jobTemplate", entry)["spec"]
        found += [spec["template"]["spec"]] if "template" in spec else []
    return found


def test_each_alert_has_its_steps():
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    rules = [rule for group in alerts["groups"] for rule in group["rules"] if "alert" in rule]

    named = {rule["annotations"]["runbook"].partition("#")[2] for rule in rules}
    described = {anchor for anchor in anchors(TEXT) if anchor.startswith("alert-")}

    assert named == described
    for rule in rules:
        steps = TEXT.partition(f"### Alert {rule['alert']}\n")[2].partition("\n### ")[0]
        assert steps.lstrip().startswith(f"*{rule['labels']['severity']}.*"), rule["alert"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_links_to_is_there(name):
    text = (ROOT / name).read_text("utf-8")

    links = re.findall(r"\]\(([^)\s]+)\)", text)

    for link in links:
        file, _, anchor = link.partition("#")
        if ":" not in link:
            assert not file or (ROOT / file).exists(), link
            assert not anchor or anchor in anchors((ROOT / (file or name)).read_text("utf-8")), link


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_commands_that_a_document_names_are_there(name, shared_app):
    text = (ROOT / name).read_text("utf-8")

    named = set(re.findall(r"(?:\bflask |\[flask, )([a-z][a-z-]+)(?:[\s`,\]])", text, re.MULTILINE))
    scripts = set(re.findall(r"\bscripts/[a-z_/]+(?:\.py)?", text))

    assert named - {"run", "db"} <= set(shared_app.cli.commands)
    assert {script for script in scripts if not (ROOT / script).exists()} == set()


def test_the_settings_start_a_shop_in_production():
    (text,) = blocks("ini shop.env")
    given = dict(line.split("=", 1) for line in text.splitlines())
    known = (ROOT / ".env.example").read_text("utf-8")

    settings = load(
        {name: re.sub("<.*>", secrets.token_hex(32), value) for name, value in given.items()}
    )

    assert settings.problems() == []
    assert settings.warnings() == []
    for name in given.keys() - {"FLASK_APP", "FLASK_SKIP_DOTENV"}:
        assert f"{name}=" in known


def test_the_settings_of_releases_are_ones_that_the_command_reads():
    (text,) = blocks("sh release.conf")
    command = (ROOT / "scripts/deploy/release-systemd").read_text("utf-8")

    for name in re.findall("(?m)^([A-Z_]+)=", text):
        assert re.search(rf"(?m)^{name}=|\$\{{{name}:\?", command), name


def test_the_oldest_release_to_go_back_to_is_the_one_that_the_migrations_allow():
    oldest = schema_service.oldest_revision(str(ROOT / "migrations"))

    assert f"whose newest migration is `{oldest}`" in TEXT


def test_settings_that_are_named_are_settings():
    known = (ROOT / ".env.example").read_text("utf-8")
    workflow = (ROOT / ".github/workflows/deploy.yml").read_text("utf-8")

    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", TEXT)) - {"PG_BIN", "FLASK_APP"}

    assert len(named) > 20
    assert {name for name in named if f"{name}=" not in known and name not in workflow} == set()


@pytest.mark.parametrize("name", UNITS)
def test_units_are_ones_that_systemd_takes(name, tmp_path):
    (text,) = blocks(f"ini {name}")
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(re.sub("(EnvironmentFile=.*\n)+", r"\1", text))  # which may be repeated
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    here = (text.replace("/srv/shopswift/current/.venv/bin/", f"{Path(shutil.which('sh')).parent}/sh -c ")
            .replace("/srv/shopswift/current", str(ROOT)))  # fmt: skip
    file = tmp_path / name.replace("@", "@8001")
    if "OnFailure=" in text:
        (told,) = blocks("ini shopswift-failed@.service")
        (tmp_path / "shopswift-failed@.service").write_text(told)
    file.write_text(here)
    if name.endswith(".timer"):
        (served,) = blocks(f"ini {name.replace('timer', 'service')}")
        file.with_suffix(".service").write_text(
            served.replace("/srv/shopswift/current/", "/bin/sh ")
        )

    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True
    )

    assert (said.returncode, said.stderr) == (0, "")


def test_whoever_stops_the_shop_waits_until_what_is_under_way_is_finished():
    (unit,) = blocks("ini shopswift@.service")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    gunicorn = (ROOT / "gunicorn.conf.py").read_text("utf-8")

    waits = re.findall(r"TimeoutStopSec=(\d+)", unit)
    waits += re.findall(r"(\d+)s", compose["services"]["app"]["stop_grace_period"])
    waits += re.findall(r"docker stop --time (\d+)", (ROOT / "scripts/deploy/switch").read_text())

    (graceful,) = re.findall(r"(?m)^graceful_timeout = (\d+)", gunicorn)
    assert len(waits) == 3
    assert all(int(wait) > int(graceful) for wait in waits)


@pytest.fixture
def nginx_home(tmp_path):
    """The folder of nginx's configuration, as the commands of this page make it, for the version
    that is installed here."""
    home = tmp_path / "nginx"
    (home / "var").mkdir(parents=True)
    (commands,) = blocks("sh nginx")
    run_in(home, commands)
    if proxy.version() < proxy.MODERN:
        (more,) = blocks("sh nginx-older")
        run_in(home, more)
    proxy.certificate(home / "tls")
    for file in home.rglob("*.conf"):
        file.write_text(on_this_machine(file.read_text(), home))
    return home


def run_in(home: Path, commands: str) -> None:
    """Run commands of this page, with other folders."""
    for place, here in (("/srv/shopswift/repository", ROOT), ("/etc/nginx", home), ("/var/cache/nginx", home / "var")):  # fmt: skip
        commands = commands.replace(place, str(here))
    subprocess.run(["sh", "-euc", commands.replace("sudo ", "")], check=True, capture_output=True)


def test_nginx_takes_what_the_commands_make_of_the_shipped_files(nginx_home):
    tested = subprocess.run(
        proxy.command(nginx_home / "nginx.conf", "-t"), capture_output=True, text=True
    )

    servers = (nginx_home / "upstream.conf").read_text()
    assert servers.count("server 127.0.0.1:8001") == servers.count("server 127.0.0.1:8002") == 2
    assert " resolve " not in servers
    assert "stderr" not in (nginx_home / "nginx.conf").read_text()
    assert tested.returncode == 0, tested.stderr
    assert "warn" not in tested.stderr


def test_as_the_commands_set_it_up_nginx_speaks_http2_and_reaches_the_shop(nginx_home):
    plain, secure = free_port(), free_port()
    server, upstream = nginx_home / "server.conf", nginx_home / "upstream.conf"
    listening = re.sub(r" +listen \[::\].*\n", "", server.read_text())
    server.write_text(listening.replace("listen 80 ", f"listen 127.0.0.1:{plain} ")
                      .replace("listen 443 ", f"listen 127.0.0.1:{secure} "))  # fmt: skip
    with proxy.echo() as shop:
        upstream.write_text(re.sub("127.0.0.1:800[12]", shop.address, upstream.read_text()))
        with proxy.running(nginx_home / "nginx.conf", secure):
            heard = requests.get(f"https://127.0.0.1:{secure}/", verify=certificate_of(nginx_home), timeout=PATIENCE)  # fmt: skip
            protocol = agreed_protocol(secure, certificate_of(nginx_home))

    assert heard.json()["x-forwarded-proto"] == "https"
    assert protocol == "h2"


def certificate_of(home: Path) -> Path:
    return home / "tls" / "fullchain.pem"


def agreed_protocol(port: int, authority: Path) -> str | None:
    """What a server chooses for those who speak HTTP/2 as well (RFC 7301)."""
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((proxy.LOCALHOST, port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=proxy.LOCALHOST) as client,
    ):
        return client.selected_alpn_protocol()


def on_this_machine(text: str, home: Path) -> str:
    """With folders that may be written to here, and this test's user."""
    for place in ("/tmp/", "/run/", "/var/log/nginx/", "/var/cache/nginx/"):  # noqa: S108 - the first one, since home lies there
        text = text.replace(place, f"{home}/var/")
    return text.replace("/etc/nginx/", f"{home}/").replace("user www-data;\n", "")


def test_each_folder_that_clients_may_fill_has_a_file_system_of_its_own():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    in_compose = compose["services"]["nginx"]["tmpfs"]
    (fstab,) = blocks("text fstab")
    (pod,) = (pod for pod in pods() if len(pod["containers"]) == 2)
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][1]["volumeMounts"]}

    filled = set(re.findall(r"(/var/cache/nginx/\w+)", (ROOT / "deploy/nginx/nginx.conf").read_text()))  # fmt: skip
    sizes = {path: re.findall(r"size=(\d+)m", options)
             for path, options in (mount.split(":") for mount in in_compose)}  # fmt: skip
    on_one_machine = {line.split()[1]: re.findall(r"size=(\d+)m", line) for line in fstab.splitlines()}  # fmt: skip
    in_pods = {mounts[volume["name"]]: re.findall(r"(\d+)Mi", volume["emptyDir"]["sizeLimit"])
               for volume in pod["volumes"]
               if volume.get("emptyDir", {}).get("medium") == "Memory"}  # fmt: skip

    assert len(filled) == 3
    assert filled | {"/tmp"} == set(sizes)  # noqa: S108 - a path in the container
    assert in_pods == sizes
    assert on_one_machine == {path: sizes[path] for path in filled}


def test_manifests_belong_together():
    entries = {(entry["kind"], entry["metadata"]["name"]) for entry in manifests()}
    claims = {claim for kind, claim in entries if kind == "PersistentVolumeClaim"}

    assert {kind for kind, _name in entries} >= {"Deployment", "PodDisruptionBudget", "Job",
        "Service", "Ingress", "NetworkPolicy"}  # fmt: skip
    for pod in pods():
        volumes = {volume["name"] for volume in pod["volumes"]}
        used = {m["name"] for box in pod["containers"] for m in box["volumeMounts"]}
        assert used == volumes
        for volume in pod["volumes"]:
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or claim["claimName"] in claims


def test_no_container_has_rights_to_lose():
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.only_on("sqlite")
def test_probes_ask_what_the_shop_answers(shared_app):
    routes = {rule.rule for rule in shared_app.url_map.iter_rules()}
    (pod,) = (pod for pod in pods() if len(pod["containers"]) == 2)
    shop = pod["containers"][0]

    asked = {name: shop[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")}

    assert asked == {"liveness": "/healthz/live", "readiness": "/healthz/ready"}
    assert set(asked.values()) <= routes
    stops = int(shop["lifecycle"]["preStop"]["exec"]["command"][1])
    graceful = re.search(r"graceful_timeout = (\d+)", (ROOT / "gunicorn.conf.py").read_text())
    assert graceful is not None
    assert pod["terminationGracePeriodSeconds"] > stops + int(graceful[1])


@pytest.mark.only_on("postgresql")
def test_the_run_books_questions_are_ones_that_postgresql_answers(app):
    questions = re.findall(r"`(SELECT [^`]*pg_(?:stat_|replication_slots)[^`]*?);?`", TEXT)
    questions += blocks("sql lock-holders")

    assert len(questions) == 3
    with app.app_context(), db.engine.connect() as another:
        another.execute(text("SELECT 1"))
        for question in questions:
            rows = db.session.execute(text(question)).all()
            assert rows or "pg_replication_slots" in question


def test_what_is_set_behind_a_pooler_is_what_its_file_says():
    (statements,) = blocks("sql")

    assert [line.rstrip(";") for line in statements.splitlines()] == pooler.statements()


def test_a_task_that_fails_is_told_at_once():
    tasks = [name for name in UNITS if "Type=oneshot" in "".join(blocks(f"ini {name}"))]
    tasks.remove("shopswift-failed@.service")

    assert tasks == ["shopswift-backup.service", "shopswift-drill.service"]
    for name in tasks:
        (text,) = blocks(f"ini {name}")
        assert "\nOnFailure=shopswift-failed@%n.service\n" in text, name


def test_the_key_of_backups_is_given_to_those_who_sign_and_verify_alone():
    with_key = {name for name in UNITS if "backup.env" in "".join(blocks(f"ini {name}"))}
    (shop,) = blocks("ini shop.env")
    (given,) = blocks("ini backup.env")

    assert with_key == {"shopswift-backup.service", "shopswift-drill.service"}
    assert "BACKUP_KEY" not in shop
    assert given.startswith("BACKUP_KEY=")
