"""People who do the same thing at the same time: one wins, and the tables stay true."""

import time
from datetime import timedelta
from threading import Event

import pytest

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
from app.errors import TooManyAttempts
from app.extensions import db
from app.models import Address, Cart, OrderEvent, Session, User
from app.services import user_service
from app.services.accounts import address_service, auth_service, throttle_service
from tests import factories
from tests.factories import PASSWORD
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import (
    EMAIL,
    at_once,
    inside,
    login,
    make_user,
    me,
    only_row,
    patient,
    refresh,
    rows,
    signed_in_as,
    statuses,
)
from tests.integration.shopping import fill, order
from tests.servers import PATIENCE

pytestmark = [pytest.mark.races, pytest.mark.thorough]

ADDRESS = {"name": "Ann Lee", "line1": "Main Street 1", "city": "Springfield", "country": "US"}
OTHER_PASSWORD = "a rather different phrase"


def test_of_ten_registrations_of_one_email_one_wins(app):
    spellings = [EMAIL, EMAIL.upper()] * 5

    answers = at_once(
        lambda email=email: Caller(app).post(
            "/api/auth/register", json={"email": email, "password": PASSWORD}
        )
        for email in spellings
    )

    assert statuses(answers) == [201] + [409] * 9
    assert {answer.json["code"] for answer in answers if answer.status_code == 409} == {
        "email_taken"
    }
    assert len(rows(app, User)) == 1


def test_of_fifty_uses_of_a_refresh_token_one_wins_and_then_the_family_ends(app):
    make_user(app)
    tokens = login(Caller(app)).json

    answers = at_once([patient(lambda: refresh(Caller(app), tokens["refresh_token"]))] * 50)

    assert statuses(answers) == [200] + [401] * 49
    won = next(answer.json for answer in answers if answer.status_code == 200)
    assert me(Caller(app), won["access_token"]).status_code == 401
    assert refresh(Caller(app), won["refresh_token"]).status_code == 401
    session = only_row(app, Session)
    assert session.generation == 1
    assert session.ended_at is not None


def test_of_two_admins_who_demote_each_other_one_stays(app):
    one, other = signed_in(app, role="admin"), signed_in(app, role="admin")

    answers = at_once(
        [
            lambda: one.patch(f"/api/users/{other.user_id}", json={"role": "customer"}),
            lambda: other.patch(f"/api/users/{one.user_id}", json={"is_active": False}),
        ]
    )

    # The slower one finds the door shut (409), or is no longer staff when the request comes in.
    assert 200 in statuses(answers)
    assert statuses(answers)[1] in (401, 403, 409)
    admins = [user for user in rows(app, User) if user.role == "admin" and user.is_active]
    assert len(admins) == 1


def test_of_two_admins_who_got_in_and_demote_each_other_the_second_is_told(app):
    one, other = signed_in(app, role="admin"), signed_in(app, role="admin")
    actor = user_service.Actor

    def demote(who, whom):
        with app.app_context():
            try:
                in_transaction(
                    lambda: user_service.update_user(
                        actor("admin", who.user_id), whom.user_id, "customer"
                    )
                )
            except user_service.Conflict as refusal:
                return refusal.code
        return "demoted"

    outcomes = at_once([lambda: demote(one, other), lambda: demote(other, one)])

    assert sorted(outcomes) == ["demoted", "last_admin"]


def test_of_two_admins_who_leave_one_stays(app):
    one, other = signed_in(app, role="admin"), signed_in(app, role="admin")

    answers = at_once(
        lambda caller=caller: caller.delete("/api/users/me", json={"password": PASSWORD})
        for caller in (one, other)
    )

    assert statuses(answers) == [204, 409]
    assert len([user for user in rows(app, User) if user.deleted_at is None]) == 1


def test_of_two_password_changes_one_wins(app):
    make_user(app)
    callers = [signed_in_as(app), signed_in_as(app)]

    answers = at_once(
        lambda caller=caller, number=number: caller.post(
            "/api/users/me/password",
            json={"current_password": PASSWORD, "new_password": f"{OTHER_PASSWORD} {number}"},
        )
        for number, caller in enumerate(callers)
    )

    # The slower one's session, or the password that it gave, is no longer good.
    assert statuses(answers)[0] == 204
    assert statuses(answers)[1] in (401, 422)
    logins = [login(Caller(app), password=f"{OTHER_PASSWORD} {n}").status_code for n in range(2)]
    assert sorted(logins) == [200, 401]


def test_no_session_of_the_old_password_survives_a_password_change(app):
    make_user(app)
    owner = signed_in_as(app)
    change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}

    answers = at_once(
        [lambda: owner.post("/api/users/me/password", json=change)]
        + [lambda: login(Caller(app))] * 6
    )

    assert answers[0].status_code == 204
    going_on = [session for session in rows(app, Session) if session.ended_at is None]
    assert len(going_on) == 1


def test_an_account_deleted_twice_at_once_is_deleted_once(app):
    make_user(app)
    caller = signed_in_as(app)

    answers = at_once([lambda: caller.delete("/api/users/me", json={"password": PASSWORD})] * 5)

    assert statuses(answers)[0] == 204
    assert set(statuses(answers)[1:]) <= {401, 422, 429}
    assert only_row(app, User).deleted_at is not None


def test_signing_in_while_the_account_is_deleted_leaves_no_session(app):
    make_user(app)
    caller = signed_in_as(app)

    answers = at_once(
        [lambda: login(Caller(app))] * 4
        + [lambda: caller.delete("/api/users/me", json={"password": PASSWORD})]
    )

    assert answers[-1].status_code == 204
    assert {answer.status_code for answer in answers[:-1]} <= {200, 401}
    assert all(session.ended_at for session in rows(app, Session))


def test_addresses_added_while_the_account_is_deleted_do_not_stay(app):
    make_user(app)
    caller = signed_in_as(app)

    answers = at_once(
        [lambda: caller.post("/api/users/me/addresses", json=ADDRESS)] * 4
        + [lambda: caller.delete("/api/users/me", json={"password": PASSWORD})]
    )

    assert answers[-1].status_code == 204
    assert {answer.status_code for answer in answers[:-1]} <= {201, 401}
    assert rows(app, Address) == []


def test_a_cart_filled_while_the_account_is_deleted_does_not_stay(app):
    make_user(app)
    caller, product = signed_in_as(app), inside(app, factories.product)

    answers = at_once(
        [lambda: fill(caller, product)] * 4
        + [lambda: caller.delete("/api/users/me", json={"password": PASSWORD})]
    )

    assert answers[-1].status_code == 204
    assert {answer.status_code for answer in answers[:-1]} <= {201, 401}
    assert rows(app, Cart) == []


def test_notes_written_while_the_account_is_deleted_do_not_stay(app):
    make_user(app)
    caller, product = signed_in_as(app), inside(app, factories.product)
    placed = [order(caller, product).json["id"] for _ in range(4)]

    answers = at_once(
        [
            lambda each=each: caller.post(f"/api/orders/{each}/cancel", json={"note": "Ann Lee"})
            for each in placed
        ]
        + [lambda: caller.delete("/api/users/me", json={"password": PASSWORD})]
    )

    assert answers[-1].status_code == 204
    assert {answer.status_code for answer in answers[:-1]} <= {200, 401}
    assert {step.note for step in rows(app, OrderEvent)} == {""}


@pytest.mark.only_on("postgresql")
def test_an_account_is_deleted_without_waiting_for_whoever_signs_in(app):
    owner = Actor("customer", make_user(app).id)
    login(Caller(app), password="wrong")
    attempt = inside(app, auth_service.try_own_password, owner, PASSWORD)
    counting, runs = Event(), []

    def sign_in():
        runs.append("sign in")
        throttle_service.lock_counts(throttle_service.login_guards(EMAIL, None, is_known=False))
        counting.set()
        time.sleep(0.5)
        return db.session.scalar(db.select(User).with_for_update())

    def close():
        runs.append("close")
        return auth_service.close_account(owner, attempt)

    def close_meanwhile():
        counting.wait(PATIENCE)
        return in_transaction(close)

    at_once([lambda: inside(app, in_transaction, sign_in), lambda: inside(app, close_meanwhile)])

    assert runs == ["sign in", "close"]
    assert only_row(app, User).deleted_at is not None


def test_parallel_additions_do_not_overfill_the_address_book(app, customer, monkeypatch):
    monkeypatch.setattr(address_service, "MAX_ADDRESSES", 3)

    answers = at_once([lambda: customer.post("/api/users/me/addresses", json=ADDRESS)] * 8)

    assert statuses(answers) == [201] * 3 + [409] * 5
    assert len(rows(app, Address)) == 3


def test_many_sign_ins_of_one_account_all_succeed(app):
    make_user(app)
    assert inside(app, auth_service.try_credentials, EMAIL, PASSWORD).is_correct

    answers = at_once([patient(lambda: login(Caller(app)))] * 10)

    assert statuses(answers) == [200] * 10
    assert len(rows(app, Session)) == 10


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize(("failures", "outcome"), [(4, Session), (5, TooManyAttempts)])
def test_a_sign_in_is_judged_after_the_failures_that_are_being_counted(app, failures, outcome):
    make_user(app)
    attempt = inside(app, auth_service.try_credentials, EMAIL, PASSWORD)
    counting, ends = Event(), []

    def fail():
        for _ in range(failures):
            rows_ = throttle_service.lock_counts(attempt.guards)
            throttle_service.record_failure(attempt.guards, rows_)
        counting.set()
        time.sleep(0.5)
        ends.append("failed")

    def sign_in():
        counting.wait(PATIENCE)
        ends.append(in_transaction(lambda: auth_service.sign_in(attempt, timedelta(days=1))))

    at_once([lambda: inside(app, in_transaction, fail), lambda: inside(app, sign_in)])

    assert ends[0] == "failed"
    assert isinstance(ends[1], outcome)
