"""SECURITY.md names files, functions and tests: all of them are there, and no requirement is left out."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from app.config import ROOT

TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
WORDS = sorted(set(re.findall(r"`([^`\n]+)`", TEXT)))
TESTS = [word for word in WORDS if re.match(r"(tests/.*/)?test_\w+\.py", word)]
FUNCTIONS = [
    word for word in WORDS if re.fullmatch(r"[a-z]\w+(\.\w+)+", word) and word not in TESTS
]
FILES = [word for word in WORDS if re.fullmatch(r"[\w./-]*\.(py|md|lock)|\./scripts/\w+", word)]
SETTINGS = [word for word in WORDS if re.fullmatch("[A-Z]+(_[A-Z]+)+", word)]
LEVEL_1 = {
    "V1": ["2.1", "2.2", "2.3", "2.4", "2.5", "3.1", "3.2", "5.1"],
    "V2": ["1.1", "2.1", "2.2", "3.1"],
    "V3": ["2.1", "2.2", "3.1", "4.1", "4.2", "5.1", "5.2", "5.3"],
    "V4": ["1.1", "4.1"],
    "V6": ["1.1", *(f"2.{number}" for number in range(1, 9)), "3.1", "3.2", "4.1", "4.2"],
    "V7": ["2.1", "2.2", "2.3", "2.4", "4.1", "4.2"],
    "V8": ["1.1", "2.1", "2.2", "3.1"],
    "V9": ["1.1", "1.2", "1.3", "2.1"],
}
"""The requirements of ASVS 5.0.0 at level 1, in the chapters that the page is about."""


@cache
def names(path: Path) -> set[str]:
    """What a module defines, what is inside its classes included."""
    defined = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined.add(node.name)
        if isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return defined


@pytest.mark.parametrize("word", TESTS)
def test_every_test_that_is_named_is_there(word):
    file, _, test = word.partition("::")
    folder, name = ROOT / Path(file).parent, Path(file).name

    (found,) = [folder / name] if "/" in file else (ROOT / "tests").rglob(name)

    assert found.is_file()
    assert not test or test in names(found)


@pytest.mark.parametrize("word", [word for word in FUNCTIONS if word not in FILES])
def test_every_function_that_is_named_is_there(word):
    parts = word.split(".")
    length = max(n for n in range(1, len(parts) + 1) if is_module(parts[:n]))
    path = (ROOT / "app").joinpath(*parts[:length]).with_suffix(".py")

    assert set(parts[length:]) <= names(path)


def is_module(parts: list[str]) -> bool:
    path = (ROOT / "app").joinpath(*parts)
    return path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize("word", [word for word in FILES if word not in TESTS])
def test_every_file_that_is_named_is_there(word):
    assert (ROOT / word).is_file()


@pytest.mark.parametrize("word", SETTINGS)
def test_every_setting_that_is_named_is_one(word):
    assert f"{word}=" in (ROOT / ".env.example").read_text("utf-8")


def test_every_risk_and_every_requirement_has_its_row():
    rows = re.findall(r"(?m)^\| (API\d+|V\d\.\d\.\d+) ", TEXT)

    assert rows == [f"API{number}" for number in range(1, 11)] + [
        f"{chapter}.{number}" for chapter, numbers in LEVEL_1.items() for number in numbers
    ]


def test_the_page_names_more_than_a_few():
    assert len(TESTS) > 60
    assert len(FUNCTIONS) > 30
    assert len(SETTINGS) > 5
