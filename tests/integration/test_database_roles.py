"""PostgreSQL's roles: every connection needs a password, and no role of the shop is a superuser."""

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from app.extensions import db
from tests.integration.people import inside

pytestmark = pytest.mark.only_on("postgresql")


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_connection_without_the_right_password_is_refused(environ, password):
    url = make_url(environ["DATABASE_URL"])._replace(password=password)

    with pytest.raises(OperationalError, match="password"):
        create_engine(url).connect()


def test_the_shop_runs_under_a_role_that_is_no_superuser(app):
    query = text(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
        " FROM pg_roles WHERE rolname = current_user"
    )

    assert inside(app, lambda: db.session.scalar(query)) is False
