"""`create-admin`."""

import pytest

from app.models import User
from tests import factories
from tests.factories import PASSWORD, count

EMAIL, STRONG = "boss@example.com", "staple battery horse"


@pytest.fixture
def shop(app):
    with app.app_context():
        yield app


@pytest.fixture
def create_admin(shop):
    """Run the command; its result."""

    def run(*args, **options):
        return shop.test_cli_runner().invoke(args=["create-admin", *args], **options)

    return run


@pytest.fixture
def sign_in(anyone):
    """Try a password; the status of the answer."""
    return lambda email, password: (
        anyone.post("/api/auth/login", json={"email": email, "password": password}).status_code
    )


def test_an_admin_is_made_and_can_sign_in(create_admin, sign_in):
    result = create_admin(EMAIL, STRONG)

    assert (result.exit_code, result.stdout) == (0, f"create-admin: {EMAIL}: made.\n")
    assert sign_in(EMAIL, STRONG) == 200
    assert factories.db.session.query(User.role).scalar() == "admin"


@pytest.mark.parametrize("password", ["adminpass", "ShopSwift-26!"])
def test_a_weak_password_only_warns(create_admin, sign_in, password):
    result = create_admin("admin@example.com", password)

    assert result.exit_code == 0
    assert "Warning: this is a weak password." in result.stderr
    assert sign_in("admin@example.com", password) == 200


def test_the_password_is_asked_for_twice_and_hidden(create_admin, sign_in):
    result = create_admin(EMAIL, input=f"{STRONG}\n{STRONG}\n")

    assert result.exit_code == 0
    assert STRONG not in result.output
    assert sign_in(EMAIL, STRONG) == 200


def test_the_password_may_come_from_standard_input(create_admin, sign_in):
    create_admin(EMAIL, "-", input=f"{STRONG}\n")

    assert sign_in(EMAIL, STRONG) == 200


@pytest.mark.parametrize("password", ["", "half\x00way"])
def test_what_cannot_be_a_password_is_refused(create_admin, password):
    result = create_admin(EMAIL, password)

    assert result.exit_code == 1
    assert "password: " in result.stderr
    assert count(User) == 0


def test_what_is_no_address_is_wrong_usage(create_admin):
    assert create_admin("nobody", STRONG).exit_code == 2


def test_an_existing_account_is_left_alone_without_promote(create_admin, sign_in):
    row = factories.user(email=EMAIL)

    result = create_admin(EMAIL.upper(), STRONG)

    assert result.exit_code == 1
    assert "--promote" in result.stderr
    assert factories.reload(row).role == "customer"
    assert sign_in(EMAIL, PASSWORD) == 200


def test_promote_makes_an_admin_of_an_account_which_keeps_its_password(create_admin, sign_in):
    row = factories.user(email=EMAIL)

    result = create_admin(EMAIL, "--promote")

    assert result.stdout == f"create-admin: {EMAIL}: promoted.\n"
    assert factories.reload(row).role == "admin"
    assert sign_in(EMAIL, PASSWORD) == 200


def test_promote_with_a_password_sets_it_and_ends_sessions(create_admin, sign_in, customer):
    row = factories.reload(User(id=customer.user_id))

    create_admin(row.email, STRONG, "--promote")

    assert customer.get("/api/users/me").status_code == 401
    assert sign_in(row.email, STRONG) == 200
    assert sign_in(row.email, PASSWORD) == 401


def test_who_is_an_admin_already_stays_one(create_admin):
    factories.user(email=EMAIL, role="admin")

    result = create_admin(EMAIL, "--promote")

    assert (result.exit_code, result.stdout) == (0, f"create-admin: {EMAIL}: an admin already.\n")


def test_promote_makes_an_account_where_there_is_none(create_admin, sign_in):
    create_admin(EMAIL, STRONG, "--promote")

    assert sign_in(EMAIL, STRONG) == 200
