"""REQUIRE_STAFF_MFA, and the way back for somebody who has lost the second factor."""

import pytest
import time_machine

from app.domain.clock import utc_now
from app.models import AuditEvent, SecondFactor, SecurityEvent, User
from tests import factories
from tests.factories import PASSWORD
from tests.integration.browsing import Browser
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import EMAIL, bearer, inside, login, make_user, rows, signed_in_as
from tests.integration.second_factors import first_step, make_owner, second_step, set_up
from tests.integration.shopping import order

BOSS = "boss@example.com"
STAFF_ONLY = [
    ("GET", "/api/users"), ("POST", "/api/products"), ("GET", "/api/products/1/stock"),
    ("PATCH", "/api/orders/SW-0000-0000-0000/status"), ("DELETE", "/api/users/1/mfa"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def clock():
    """A clock that stands still until it is moved."""
    with time_machine.travel(utc_now(), tick=False) as traveller:
        yield traveller


class TestRequired:
    """Staff without a second factor, where the setting asks for one."""

    @pytest.fixture(autouse=True)
    def required(self, app, monkeypatch):
        """The setting."""
        monkeypatch.setitem(app.config, "REQUIRE_STAFF_MFA", True)

    @pytest.fixture
    def boss(self, app):
        """Staff without a second factor, signed in."""
        make_user(app, email=BOSS, role="admin")
        return signed_in_as(app, BOSS)

    @pytest.mark.parametrize(("method", "path"), STAFF_ONLY)
    def test_routes_of_staff_are_refused(self, boss, method, path):
        answer = boss.call(method, path, json={} if method != "GET" else None)

        assert (answer.status_code, answer.json["code"]) == (403, "mfa_setup_required")

    def test_routes_that_show_staff_more_show_them_what_a_customer_sees(self, app, boss):
        placed = order(signed_in(app), inside(app, factories.product)).json

        assert boss.get("/api/orders").json["items"] == []
        assert boss.get(f"/api/orders/{placed['number']}").status_code == 404
        assert boss.post(f"/api/orders/{placed['number']}/cancel").status_code == 404

    def test_their_own_account_is_open_and_setting_up_lets_them_in_at_once(self, boss):
        assert boss.get("/api/users/me").json["role"] == "admin"

        set_up(boss)

        assert boss.get("/api/users").status_code == 200

    def test_removing_it_takes_the_rights_away_again(self, boss):
        set_up(boss)

        boss.delete("/api/users/me/mfa", json={"password": PASSWORD})

        assert boss.get("/api/users").status_code == 403

    def test_a_secret_that_is_not_confirmed_does_not_do(self, boss):
        boss.post("/api/users/me/mfa", json={"password": PASSWORD})

        assert boss.get("/api/users").status_code == 403

    def test_customers_need_none(self, app):
        caller = signed_in(app)

        assert caller.get("/api/users/me/addresses").status_code == 200
        assert caller.get("/api/users").json["code"] == "forbidden"

    def test_pages_lead_to_the_set_up(self, app, boss):
        browser = Browser(app)
        browser.sign_in(BOSS)

        answer = browser.get("/admin/orders")

        assert (answer.status_code, answer.headers["Location"]) == (
            303,
            "/account/security/second-factor",
        )
        assert "Staff need a second factor." in browser.follow(answer).text
        assert "set up a second factor</a> to run the shop" in browser.get("/account").text
        assert 'href="/admin"' not in browser.get("/").text

    def test_a_form_of_staff_is_not_carried_out(self, app, boss, monkeypatch):
        customer = inside(app, factories.user)
        browser = Browser(app)
        browser.sign_in(BOSS)
        monkeypatch.setitem(app.config, "REQUIRE_STAFF_MFA", False)
        browser.get(f"/admin/customers/{customer.id}")
        monkeypatch.setitem(app.config, "REQUIRE_STAFF_MFA", True)

        answer = browser.send(f"/admin/customers/{customer.id}", is_active="false")

        assert answer.headers["Location"] == "/account/security/second-factor"
        assert all(user.is_active for user in rows(app, User))

    def test_the_last_admin_without_one_cannot_close_the_account(self, boss):
        answer = boss.delete("/api/users/me", json={"password": PASSWORD})

        assert (answer.status_code, answer.json["code"]) == (409, "last_admin")


def test_without_the_setting_staff_need_none(app):
    assert signed_in(app, role="admin").get("/api/users").status_code == 200


class TestLost:
    """An admin removes the second factor of somebody who has lost it."""

    @pytest.fixture
    def owner(self, app):
        """EMAIL with a second factor."""
        return make_owner(app)

    @pytest.fixture
    def staff(self, app):
        """A browser of staff."""
        make_user(app, email=BOSS, role="admin")
        browser = Browser(app)
        browser.sign_in(BOSS)
        return browser

    @pytest.fixture
    def path(self, app, owner):
        """The owner's page for staff."""
        user_id = owner.caller.get("/api/users/me").json["id"]
        return f"/admin/customers/{user_id}"

    def test_a_page_removes_it(self, app, owner, staff, path):
        assert f'href="{path}/second-factor"' in staff.get(path).text
        staff.get(f"{path}/second-factor")

        shown = staff.follow(staff.send(f"{path}/second-factor", checked="on")).text

        assert "The second factor is removed." in shown
        assert f'href="{path}/second-factor"' not in shown
        assert owner.caller.get("/api/users/me").status_code == 401
        assert login(Caller(app)).status_code == 200

    def test_the_trail_and_the_log_say_who_did_it(self, app, owner, staff, path):
        staff.get(f"{path}/second-factor")
        staff.send(f"{path}/second-factor", checked="on")

        (event,) = [one for one in rows(app, AuditEvent) if one.action == "user.mfa_removed"]
        assert (event.subject_id, event.changes) == (
            int(path.split("/")[-1]),
            {"mfa": [True, False]},
        )
        boss = next(user for user in rows(app, User) if user.email == BOSS)
        assert event.user_id == boss.id
        (line,) = [one for one in rows(app, SecurityEvent) if one.kind == "second_factor_removed"]
        assert (line.user_id, line.detail) == (boss.id, f"of account {event.subject_id}, by staff")
        assert "mfa" in staff.get("/admin/audit-trail").text
        assert "Removed a second factor" in staff.get("/admin/security").text

    def test_it_has_to_be_confirmed(self, app, owner, staff, path):
        staff.get(f"{path}/second-factor")

        answer = staff.send(f"{path}/second-factor")

        assert answer.status_code == 422
        assert "Check this first." in answer.text
        assert len(rows(app, SecondFactor)) == 1

    def test_a_second_click_says_that_there_is_none(self, owner, staff, path):
        staff.get(f"{path}/second-factor")
        staff.send(f"{path}/second-factor", checked="on")

        answer = staff.send(f"{path}/second-factor", checked="on")

        assert "This account has no second factor." in staff.follow(answer).text

    def test_one_admin_removes_another_ones_but_not_their_own(self, app):
        one = make_owner(app, BOSS, role="admin")
        other = signed_in(app, role="admin")
        user_id = one.caller.get("/api/users/me").json["id"]

        assert one.caller.delete(f"/api/users/{user_id}/mfa").json["code"] == "own_account"
        assert other.delete(f"/api/users/{user_id}/mfa").status_code == 204
        assert login(Caller(app), BOSS).status_code == 200

    def test_the_lock_by_wrong_codes_ends_with_it(self, app, owner):
        admin = signed_in(app, role="admin")
        for _ in range(6):
            second_step(Caller(app), first_step(app), "000000")
        user_id = owner.caller.get("/api/users/me").json["id"]

        admin.delete(f"/api/users/{user_id}/mfa")

        again = Caller(app, **bearer(login(Caller(app)).json["access_token"]))
        authenticator = set_up(again)
        assert second_step(Caller(app), first_step(app), authenticator.code()).status_code == 200

    def test_a_command_removes_the_last_admins(self, app):
        make_owner(app, BOSS, role="admin")

        result = app.test_cli_runner().invoke(args=["remove-second-factor", BOSS.upper()])

        assert result.exit_code == 0, result.output
        assert login(Caller(app), BOSS).status_code == 200
        (event,) = [one for one in rows(app, AuditEvent) if one.action == "user.mfa_removed"]
        assert (event.user_id, event.door) == (None, "cli")

    @pytest.mark.parametrize("email", ["nobody@example.com", EMAIL])
    def test_the_command_refuses_what_is_not_there(self, app, email):
        make_user(app)

        result = app.test_cli_runner().invoke(args=["remove-second-factor", email])

        assert result.exit_code == 1
        assert "There is no account" in result.output or "has no second factor" in result.output
