"""ARCHITECTURE.md shows every room and every service, and none that is not there."""

import re

import pytest

from app.config import ROOT

TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
APP = ROOT / "app"


def modules(*folder: str) -> set[str]:
    """The modules of a folder, and its folders that have some."""
    files = {path.stem for path in APP.joinpath(*folder).glob("*.py")}
    rooms = {path.parent.name for path in APP.joinpath(*folder).glob("*/*.py")}
    return (files - {"__init__"}) | rooms


def test_the_map_has_every_room():
    (map_,) = re.findall(r"```\napp/\n(.*?)```", TEXT, re.DOTALL)

    shown = {name.removesuffix(".py").rstrip("/") for name in re.findall(r"(?m)^  (\S+)", map_)}

    assert shown - {"__init__"} == modules()


def test_the_table_has_every_service():
    (table,) = re.findall(r"\| subject \| modules \|\n\|---\|---\|\n(.*?)\n\n", TEXT, re.DOTALL)
    rows = [re.findall(r"`([a-z_/]+)`", row) for row in table.split("\n")]

    assert {subject.rstrip("/"): set(names) for subject, *names in rows} == {
        path.name: modules("services", path.name)
        for path in (APP / "services").iterdir()
        if (path / "__init__.py").is_file()
    }


@pytest.mark.parametrize(
    "path",
    sorted(set(re.findall(r"`((?:utils|web|pages|domain|db|services)/\w+(?:\.py)?)`", TEXT))),
)
def test_what_it_names_is_there(path):
    assert (APP / path).with_suffix(".py").exists()
