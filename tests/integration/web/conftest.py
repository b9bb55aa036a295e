"""What the tests of the access matrix share."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.gateways.media import FolderStore
from tests.integration.access.world import World
from tests.integration.conftest import empty


@pytest.fixture(scope="module")
def first_world(shared_app: Flask, tmp_path_factory: Any) -> Iterator[World]:
    """The matrix's people and things, made once a file, with a folder of their own for pictures."""
    with pytest.MonkeyPatch.context() as patch:
        store = FolderStore(tmp_path_factory.mktemp("media"), "/media")
        patch.setitem(shared_app.extensions, "media", store)
        # Their tokens must outlast the tests of the file, however busy the machine is.
        patch.setitem(shared_app.config, "JWT_ACCESS_TOKEN_EXPIRES", timedelta(days=1))
        empty(shared_app)
        world = World(shared_app)
        world.remember()
        yield world


@pytest.fixture
def world(first_world: World, app: Flask) -> World:
    """The matrix's people and things as they were at first. To put their rows back takes a tenth of
    the time that it takes to sign up, fill carts and order anew."""
    first_world.put_back()
    return first_world
