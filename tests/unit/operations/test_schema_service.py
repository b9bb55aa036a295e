"""Which releases can serve on which schema, by planted migrations."""

from pathlib import Path

import pytest

from app.config import ROOT
from app.services.operations import schema_service
from app.services.operations.schema_service import UnknownRevision

MIGRATIONS = str(ROOT / "migrations")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Migrations 1 to 6, of which some contract; the shop is in business since 1."""
    monkeypatch.setattr(schema_service, "OLDEST_REVISION", "1")
    (tmp_path / "versions").mkdir()

    def write(**contracts: str) -> str:
        for number in range(1, 7):
            lines = [
                f"revision, down_revision = {str(number)!r}, {str(number - 1) if number > 1 else None!r}"
            ]
            if f"n{number}" in contracts:
                lines.append(f"contract = {contracts[f'n{number}']!r}")
            (tmp_path / "versions" / f"{number}.py").write_text("\n".join(lines))
        return str(tmp_path)

    return write


def served(folder: str) -> list[str]:
    return [head for head in "123456" if schema_service.can_serve(head, folder)]


def test_all_releases_serve_where_nothing_is_dropped(folder):
    assert served(folder()) == list("123456")


def test_releases_that_read_what_is_dropped_do_not_serve(folder):
    assert served(folder(n5="3")) == list("3456")


def test_of_several_the_latest_counts(folder):
    assert served(folder(n3="2", n5="4", n6="3")) == list("456")


def test_a_release_of_later_migrations_is_unknown(folder):
    with pytest.raises(UnknownRevision):
        schema_service.can_serve("7", folder())


def test_the_shops_own_migrations_name_an_oldest_release():
    oldest = schema_service.oldest_revision(MIGRATIONS)

    assert schema_service.can_serve(oldest, MIGRATIONS)
    assert not schema_service.can_serve("0001", MIGRATIONS)
