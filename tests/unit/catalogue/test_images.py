"""Images of others are pinned by digest, each tag by the same one everywhere."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from app.config import ROOT

FILES = ("Dockerfile", "docker-compose.yml", "DEPLOYMENT.md", ".github/workflows/ci.yml")
USED = re.compile(r"(?m)^(?:FROM| +image:) +(?!ghcr\.io/OWNER/|\$\{|shopswift:)(\S+)")
PINNED = re.compile(r"([a-z0-9./-]+:[a-z0-9.-]+)@(sha256:[0-9a-f]{64})")


def images(folder: Path = ROOT) -> list[str]:
    """All images of others that the files name."""
    return [name for file in FILES for name in USED.findall((folder / file).read_text("utf-8"))]


def test_every_image_of_others_is_pinned_by_its_digest():
    assert len(images()) >= 8
    assert [name for name in images() if not PINNED.fullmatch(name)] == []


def test_a_tag_has_the_same_digest_everywhere():
    tags = [name.partition("@")[0] for name in set(images())]

    assert sorted(tags) == [
        "nginx:1.30-alpine",
        "postgres:17",
        "python:3.12-slim",
        "redis:8-alpine",
    ]


def test_no_file_beside_them_names_an_image():
    files = [
        *ROOT.glob("*.yml"),
        *(ROOT / ".github/workflows").glob("*.yml"),
        *ROOT.glob("Dockerfile*"),
    ]

    found = {path.relative_to(ROOT).as_posix() for path in files if USED.search(path.read_text())}

    assert found <= set(FILES)


def test_pins_are_renewed_in_all_files(tmp_path):
    for name in (*FILES, "scripts/pin_images"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    digest = "sha256:" + "0123456789abcdef" * 4
    docker.write_text(f'#!/bin/sh\n[ "$1 $2 $3" = "buildx imagetools inspect" ]\necho {digest}\n')
    docker.chmod(0o755)

    done = run_pin_images(tmp_path)

    assert done.returncode == 0, done.stderr
    assert {name.partition("@")[2] for name in images(tmp_path)} == {digest}
    assert [name.partition("@")[0] for name in images(tmp_path)] == [
        name.partition("@")[0] for name in images()
    ]

    docker.write_text("#!/bin/sh\necho nothing\n")
    assert run_pin_images(tmp_path).returncode == 1
    assert {name.partition("@")[2] for name in images(tmp_path)} == {digest}


def run_pin_images(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [folder / "scripts/pin_images"],
        env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
