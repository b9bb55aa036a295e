"""What every test of prices ends with."""

import pytest

from app.services.audit import books


@pytest.fixture(autouse=True)
def audited_books(app):
    """The books agree after each test."""
    yield
    with app.app_context():
        assert list(books.violations()) == []
