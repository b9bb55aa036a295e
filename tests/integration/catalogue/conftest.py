"""What tests of pictures share."""

import pytest

from app.gateways.media import FolderStore
from tests import factories
from tests.integration.people import inside


@pytest.fixture
def folder(app, tmp_path):
    """A folder of this test's own for pictures."""
    before = app.extensions["media"]
    app.extensions["media"] = FolderStore(tmp_path / "media", "/media")
    yield tmp_path / "media"
    app.extensions["media"] = before


@pytest.fixture
def path(app):
    """The address of a product."""
    return f"/api/products/{inside(app, factories.product).id}"
