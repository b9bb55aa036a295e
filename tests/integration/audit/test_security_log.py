"""The security log: what leaves a line, what it says, and that it stays small."""

from datetime import timedelta

import pytest
import time_machine

from app.domain.clock import utc_now
from app.models import SecurityEvent
from app.services.audit import security_log
from tests.factories import PASSWORD
from tests.integration.browsing import Browser
from tests.integration.conftest import Caller
from tests.integration.people import (
    EMAIL,
    at_once,
    inside,
    login,
    make_user,
    rows,
    signed_in_as,
)
from tests.integration.staff import signed_in_staff

pytestmark = pytest.mark.usefixtures("midday")

WRONG = "not the password"
AWAY = "198.51.100.7"


@pytest.fixture
def account(app):
    """An account for EMAIL."""
    return make_user(app)


@pytest.fixture
def staff(app):
    """A browser that is signed in as staff."""
    return signed_in_staff(app, "boss@example.com")


def sign_in(app, address, password=PASSWORD, email=EMAIL):
    return login(Caller(app), email, password, environ_overrides={"REMOTE_ADDR": address})


def lines(app, *kinds):
    """Kind, account, address and count of each line."""
    return [
        (event.kind, event.user_id, event.address, event.count)
        for event in rows(app, SecurityEvent)
        if not kinds or event.kind in kinds
    ]


def test_a_sign_in_and_a_failure_leave_the_clients_address(app, account):
    sign_in(app, AWAY)
    sign_in(app, AWAY, WRONG)

    assert lines(app) == [
        ("signed_in", account.id, AWAY, 1),
        ("sign_in_failed", account.id, AWAY, 1),
    ]


def test_neither_passwords_nor_what_was_typed_as_an_email_is_kept(app, account):
    sign_in(app, AWAY, "secret typed wrongly")
    sign_in(app, AWAY, PASSWORD, "my-password-typed-as-email@example.com")

    kept = str([vars(event) for event in rows(app, SecurityEvent)])
    assert "secret" not in kept
    assert "typed" not in kept
    assert EMAIL not in kept


def test_failures_from_one_network_in_one_minute_are_one_line(app, account):
    bob = make_user(app, email="bob@example.com")
    with time_machine.travel(utc_now().replace(second=10), tick=False) as clock:
        for number in range(3):
            sign_in(app, f"2001:db8:0:{number}::1", WRONG)
        sign_in(app, "2001:db8:0:9::1", WRONG, "bob@example.com")
        sign_in(app, AWAY, WRONG)
        clock.shift(60)
        sign_in(app, AWAY, WRONG, "bob@example.com")

    assert lines(app) == [
        ("sign_in_failed", None, "2001:db8::/48", 4),
        ("sign_in_failed", account.id, AWAY, 1),
        ("sign_in_failed", bob.id, AWAY, 1),
    ]


def test_failures_from_many_networks_have_so_many_lines_a_minute_at_most(app, account, monkeypatch):
    monkeypatch.setattr(security_log, "MOST_FAILURES", 3)
    with time_machine.travel(utc_now().replace(second=10), tick=False):
        for number in range(9):
            sign_in(app, f"203.0.113.{number}", WRONG)

    assert [count for *_line, count in lines(app)] == [1, 1, 1, 6]
    assert rows(app, SecurityEvent)[-1].detail == "from many networks"


def test_what_is_refused_because_it_is_locked_leaves_no_line(app, account):
    for _ in range(8):
        sign_in(app, AWAY, WRONG)

    assert sum(count for *_line, count in lines(app)) == 5


def test_what_people_do_to_their_accounts_leaves_lines(app, account):
    caller = signed_in_as(app)
    change = {"current_password": WRONG, "new_password": "a rather different phrase"}
    caller.post("/api/users/me/password", json=change)
    caller.post("/api/users/me/password", json={**change, "current_password": PASSWORD})
    caller.delete("/api/users/me/sessions")
    again = signed_in_as(app, password="a rather different phrase")
    again.delete("/api/users/me", json={"password": "a rather different phrase"})

    kinds = [kind for kind, *_more in lines(app)]
    assert kinds == [
        "signed_in", "password_refused", "password_changed", "signed_out_everywhere",
        "account_deleted",
    ]  # fmt: skip
    assert {(user_id, address) for _kind, user_id, address, _count in lines(app)} == {
        (account.id, "127.0.0.1")
    }


def test_registering_leaves_a_line_by_the_api_and_on_the_pages(app):
    Caller(app).post("/api/auth/register", json={"email": EMAIL, "password": PASSWORD})
    browser = Browser(app)
    browser.get("/register")
    browser.send("/register", email="bob@example.com", password=PASSWORD)

    assert [kind for kind, *_more in lines(app)] == ["registered", "registered"]


def test_a_change_of_rights_names_who_did_it_and_to_whom(app, admin, account):
    admin.patch(f"/api/users/{account.id}", json={"role": "admin"})

    (event,) = rows(app, SecurityEvent)
    assert (event.kind, event.user_id, event.address) == (
        "rights_changed", admin.user_id, "127.0.0.1"
    )  # fmt: skip
    assert event.detail == f"account {account.id} became admin, active"


def test_commands_leave_lines_without_an_address(app, account):
    runner = app.test_cli_runner()
    assert runner.invoke(args=["create-admin", EMAIL, "--promote"]).exit_code == 0
    assert runner.invoke(args=["export-products"]).exit_code == 0

    found = [(event.kind, event.address, event.detail) for event in rows(app, SecurityEvent)]
    assert found == [
        ("rights_changed", None, f"account {account.id} became admin, active by command"),
        ("exported", None, "products by command"),
    ]


def test_an_export_leaves_a_line(app, staff):
    staff.get("/admin/export.csv")

    assert [kind for kind, *_more in lines(app, "exported")] == ["exported"]


def test_the_log_is_shown_to_staff(app, staff, account):
    sign_in(app, AWAY, WRONG)
    for _ in range(2):
        sign_in(app, "203.0.113.9")

    everything = staff.get("/admin/security").text
    assert "Failed to sign in" in everything
    assert EMAIL in everything

    failures = staff.get("/admin/security?kind=sign_in_failed").text
    assert AWAY in failures
    assert "203.0.113.9" not in failures
    assert "203.0.113.9" in staff.get(f"/admin/security?person={EMAIL}&kind=signed_in").text
    assert AWAY not in staff.get("/admin/security?address=203.0.113.9").text
    assert "No line fits." in staff.get("/admin/security?person=nobody@example.com").text
    assert staff.get("/admin/security?kind=x&address=%00&page=x").status_code == 200


def test_the_log_pages(app, staff, account):
    def fill():
        from app.db.unit_of_work import in_transaction

        def work():
            for number in range(60):
                security_log.record("exported", account.id, f"203.0.113.{number}")

        in_transaction(work)

    inside(app, fill)

    first = staff.get("/admin/security?kind=exported").text
    second = staff.get("/admin/security?kind=exported&page=2").text
    assert "203.0.113.59" in first
    assert "203.0.113.9<" not in first
    assert "203.0.113.9<" in second


def test_old_lines_are_purged_after_the_days_that_are_set(app, account, monkeypatch, tmp_path):
    sign_in(app, AWAY)
    run = app.test_cli_runner().invoke
    for days, left in ((89, 1), (91, 0)):
        with time_machine.travel(utc_now() + timedelta(days=days), tick=False):
            assert run(args=["purge"]).exit_code == 0
        assert len(rows(app, SecurityEvent)) == left


@pytest.mark.races
def test_failures_at_the_same_time_are_all_counted(app, account):
    answers = at_once([lambda: sign_in(app, AWAY, WRONG) for _ in range(10)])

    failed = [answer.status_code for answer in answers].count(401)
    assert sum(count for *_line, count in lines(app, "sign_in_failed")) == failed == 5
