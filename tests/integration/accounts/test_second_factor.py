"""A second factor: set up, asked for at sign-ins, removed; each code counts once."""

from datetime import timedelta

import pytest
import time_machine

from app.domain.clock import utc_now
from app.domain.people import second_factor
from app.domain.people.second_factor import RECOVERY_CODES
from app.models import Cart, RecoveryCode, SecondFactor, SecurityEvent, Session, SignInStep
from tests import factories
from tests.factories import PASSWORD
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import (
    EMAIL,
    bearer,
    change,
    inside,
    login,
    make_user,
    me,
    only_row,
    rows,
    signed_in_as,
)
from tests.integration.second_factors import (
    MFA,
    WRONG,
    Authenticator,
    first_step,
    make_owner,
    second_step,
)
from tests.integration.shopping import fill

NEW_PASSWORD = "a rather different phrase"


@pytest.fixture(autouse=True)
def clock():
    """A clock that stands still until it is moved, so that no code expires meanwhile."""
    with time_machine.travel(utc_now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def owner(app):
    """EMAIL with a second factor, and a session."""
    return make_owner(app)


def kinds(app):
    return [event.kind for event in rows(app, SecurityEvent)]


class TestSetUp:
    """`/api/users/me/mfa`."""

    @pytest.fixture
    def ann(self, app):
        """A caller without a second factor."""
        make_user(app)
        return signed_in_as(app)

    def test_it_begins_with_the_password(self, app, ann):
        answer = ann.post(MFA, json={"password": PASSWORD})

        assert answer.status_code == 200
        assert set(answer.json) == {"secret", "otpauth_uri"}
        assert f"secret={answer.json['secret']}" in answer.json["otpauth_uri"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert ann.get(MFA).json == {"enabled": False, "confirmed_at": None, "recovery_codes": 0}
        assert login(Caller(app)).status_code == 200

    def test_a_wrong_password_begins_nothing(self, app, ann):
        answer = ann.post(MFA, json={"password": "wrong"})

        assert (answer.status_code, list(answer.json["errors"])) == (422, ["password"])
        assert rows(app, SecondFactor) == []
        assert "password_refused" in kinds(app)

    def test_a_code_confirms_it_and_recovery_codes_are_shown_once(self, app, ann):
        secret = ann.post(MFA, json={"password": PASSWORD}).json["secret"]

        answer = ann.post(f"{MFA}/confirm", json={"code": Authenticator(secret, []).code()})

        assert answer.status_code == 200
        assert len(answer.json["recovery_codes"]) == RECOVERY_CODES
        state = ann.get(MFA).json
        assert (state["enabled"], state["recovery_codes"]) == (True, RECOVERY_CODES)
        assert "second_factor_added" in kinds(app)

    def test_the_stored_rows_hold_neither_secret_nor_codes(self, app, ann):
        secret = ann.post(MFA, json={"password": PASSWORD}).json["secret"]
        code = Authenticator(secret, []).code()
        codes = ann.post(f"{MFA}/confirm", json={"code": code}).json["recovery_codes"]

        stored = repr(
            [vars(row) for table in (SecondFactor, RecoveryCode) for row in rows(app, table)]
        )
        assert secret not in stored
        assert not [one for one in codes if one in stored or one.replace("-", "") in stored]

    def test_all_other_sessions_end(self, app, ann):
        other = signed_in_as(app)
        secret = ann.post(MFA, json={"password": PASSWORD}).json["secret"]
        ann.post(f"{MFA}/confirm", json={"code": Authenticator(secret, []).code()})

        assert other.get("/api/users/me").status_code == 401
        assert ann.get("/api/users/me").status_code == 200

    def test_the_code_that_confirmed_does_not_sign_in(self, app, ann):
        secret = ann.post(MFA, json={"password": PASSWORD}).json["secret"]
        code = Authenticator(secret, []).code()
        ann.post(f"{MFA}/confirm", json={"code": code})

        assert second_step(Caller(app), first_step(app), code).json["code"] == "invalid_code"

    def test_a_wrong_code_confirms_nothing(self, app, ann):
        ann.post(MFA, json={"password": PASSWORD})

        answer = ann.post(f"{MFA}/confirm", json={"code": WRONG})

        assert (answer.status_code, list(answer.json["errors"])) == (422, ["code"])
        assert ann.get(MFA).json["enabled"] is False
        assert "code_refused" in kinds(app)

    def test_wrong_codes_lock_the_session(self, ann):
        ann.post(MFA, json={"password": PASSWORD})

        answers = [ann.post(f"{MFA}/confirm", json={"code": WRONG}) for _ in range(6)]

        assert [answer.status_code for answer in answers] == [422] * 5 + [429]

    def test_nothing_is_confirmed_before_it_begins(self, ann):
        answer = ann.post(f"{MFA}/confirm", json={"code": "123456"})

        assert (answer.status_code, answer.json["code"]) == (409, "mfa_not_begun")

    @pytest.mark.parametrize(("seconds", "status"), [(14 * 60, 200), (15 * 60 + 1, 409)])
    def test_a_secret_waits_a_quarter_of_an_hour_for_its_code(self, app, ann, seconds, status):
        secret = ann.post(MFA, json={"password": PASSWORD}).json["secret"]
        begun_at = utc_now() - timedelta(seconds=seconds)
        change(app, only_row(app, SecondFactor), created_at=begun_at)

        answer = ann.post(f"{MFA}/confirm", json={"code": Authenticator(secret, []).code()})
        assert answer.status_code == status

    def test_no_other_session_confirms_it(self, app, ann):
        other = signed_in_as(app)
        secret = ann.post(MFA, json={"password": PASSWORD}).json["secret"]
        body = {"code": Authenticator(secret, []).code()}

        answer = other.post(f"{MFA}/confirm", json=body)
        assert (answer.status_code, answer.json["code"]) == (409, "mfa_not_begun")
        assert ann.post(f"{MFA}/confirm", json=body).status_code == 200

    def test_beginning_again_replaces_the_secret(self, ann):
        first = ann.post(MFA, json={"password": PASSWORD}).json["secret"]
        second = ann.post(MFA, json={"password": PASSWORD}).json["secret"]

        old = ann.post(f"{MFA}/confirm", json={"code": Authenticator(first, []).code()})
        new = ann.post(f"{MFA}/confirm", json={"code": Authenticator(second, []).code()})

        assert (old.status_code, new.status_code) == (422, 200)

    @pytest.mark.parametrize("code", [None, 123456, "", " ", "1" * 65, ["123456"], "\x00"])
    def test_what_is_no_text_is_refused(self, ann, code):
        assert ann.post(f"{MFA}/confirm", json={"code": code}).status_code == 422

    def test_an_enabled_factor_is_neither_replaced_nor_confirmed_again(self, owner):
        begun = owner.caller.post(MFA, json={"password": PASSWORD})
        confirmed = owner.caller.post(f"{MFA}/confirm", json={"code": owner.authenticator.code()})

        assert [(a.status_code, a.json["code"]) for a in (begun, confirmed)] == [
            (409, "mfa_enabled")
        ] * 2


class TestSignIn:
    """The second step of a sign-in."""

    def test_the_password_alone_opens_no_session(self, app, owner):
        before = len(rows(app, Session))

        answer = login(Caller(app))

        assert (answer.status_code, answer.json["code"]) == (401, "mfa_required")
        assert answer.json["expires_in"] == 600
        assert "X-Device-Token" not in answer.headers
        assert len(rows(app, Session)) == before

    def test_a_code_completes_it(self, app, owner):
        answer = second_step(Caller(app), first_step(app), owner.authenticator.code())

        assert answer.status_code == 200
        assert set(answer.json) == {"access_token", "refresh_token", "token_type", "expires_in"}
        assert me(Caller(app), answer.json["access_token"]).json["email"] == EMAIL
        assert answer.headers["X-Device-Token"]
        assert rows(app, SignInStep) == []

    @pytest.mark.parametrize("text", ["{0} {1}", " {0}{1} ", "{0}-{1}"])
    def test_blanks_in_a_code_do_not_matter(self, app, owner, text):
        code = owner.authenticator.code()

        answer = second_step(Caller(app), first_step(app), text.format(code[:3], code[3:]))

        assert answer.status_code == 200

    def test_the_token_of_the_first_step_is_no_access_token(self, app, owner):
        token = first_step(app)

        assert me(Caller(app), token).status_code == 401
        assert Caller(app).post("/api/auth/refresh", headers=bearer(token)).status_code == 401

    def test_the_token_is_used_up(self, app, owner, clock):
        token = first_step(app)
        second_step(Caller(app), token, owner.authenticator.code())
        clock.shift(30)

        answer = second_step(Caller(app), token, owner.authenticator.code())

        assert (answer.status_code, answer.json["code"]) == (401, "invalid_mfa_token")

    def test_the_token_expires_after_ten_minutes(self, app, owner, clock):
        token = first_step(app)
        clock.shift(601)

        answer = second_step(Caller(app), token, owner.authenticator.code())

        assert (answer.status_code, answer.json["code"]) == (401, "invalid_mfa_token")

    def test_a_wrong_code_leaves_the_token_as_it_is(self, app, owner):
        token = first_step(app)

        wrong = second_step(Caller(app), token, WRONG)
        right = second_step(Caller(app), token, owner.authenticator.code())

        assert (wrong.status_code, wrong.json["code"]) == (401, "invalid_code")
        assert right.status_code == 200
        assert "code_refused" in kinds(app)

    def test_a_code_counts_once(self, app, owner):
        code = owner.authenticator.code()

        first = second_step(Caller(app), first_step(app), code)
        again = second_step(Caller(app), first_step(app), code)

        assert (first.status_code, again.status_code) == (200, 401)
        assert again.json["code"] == "invalid_code"

    def test_a_code_that_is_right_for_two_moments_counts_once(self, app, owner, monkeypatch):
        step = only_row(app, SecondFactor).last_step
        monkeypatch.setattr(second_factor, "matching_steps", lambda *_rest: [step + 1, step + 2])
        codes = [second_step(Caller(app), first_step(app), "123456") for _ in range(2)]

        assert [answer.status_code for answer in codes] == [200, 401]

    def test_no_earlier_code_counts_after_a_later_one(self, app, owner):
        second_step(Caller(app), first_step(app), owner.authenticator.code(1))

        answer = second_step(Caller(app), first_step(app), owner.authenticator.code())

        assert answer.json["code"] == "invalid_code"

    @pytest.mark.parametrize(
        ("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)]
    )
    def test_clocks_may_be_one_step_apart(self, app, owner, clock, steps, status):
        clock.shift(300)

        answer = second_step(Caller(app), first_step(app), owner.authenticator.code(steps))

        assert answer.status_code == status

    def test_a_recovery_code_counts_once(self, app, owner):
        code = owner.authenticator.recovery_codes[3]

        first = second_step(Caller(app), first_step(app), code.lower())
        again = second_step(Caller(app), first_step(app), code)

        assert (first.status_code, again.status_code) == (200, 401)
        assert owner.caller.get(MFA).json["recovery_codes"] == RECOVERY_CODES - 1
        details = [event.detail for event in rows(app, SecurityEvent)]
        assert "with a recovery code" in details

    def test_no_code_of_somebody_else_counts(self, app, owner):
        other = make_owner(app, "bob@example.com")

        answers = [
            second_step(Caller(app), first_step(app), code)
            for code in (other.authenticator.code(), other.authenticator.recovery_codes[0])
        ]

        assert [answer.json["code"] for answer in answers] == ["invalid_code"] * 2

    def test_a_new_password_ends_the_step(self, app, owner):
        token = first_step(app)
        body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        assert owner.caller.post("/api/users/me/password", json=body).status_code == 204

        answer = second_step(Caller(app), token, owner.authenticator.code())

        assert (answer.status_code, answer.json["code"]) == (401, "invalid_mfa_token")
        assert first_step(app, password=NEW_PASSWORD)

    def test_a_deactivated_account_ends_the_step(self, app, owner):
        token, admin = first_step(app), signed_in(app, role="admin")
        user_id = owner.caller.get("/api/users/me").json["id"]
        admin.patch(f"/api/users/{user_id}", json={"is_active": False})

        assert second_step(Caller(app), token, owner.authenticator.code()).status_code == 401

    @pytest.mark.parametrize("token", ["nobodys", "x" * 100, "é"])
    def test_a_made_up_token_is_refused(self, app, owner, token):
        answer = second_step(Caller(app), token, owner.authenticator.code())

        assert (answer.status_code, answer.json["code"]) == (401, "invalid_mfa_token")

    def test_the_guests_cart_comes_along_after_the_second_step_only(self, app, owner):
        guest = Caller(app)
        fill(guest, inside(app, factories.product))
        token = first_step(app, caller=guest)
        assert [cart.user_id for cart in rows(app, Cart)] == [None]

        second_step(guest, token, WRONG)
        assert [cart.user_id for cart in rows(app, Cart)] == [None]
        second_step(guest, token, owner.authenticator.code())

        assert owner.caller.get("/api/cart").json["item_count"] == 1

    def test_the_session_belongs_to_the_program_of_the_second_step(self, app, owner):
        phone = Caller(app, **{"User-Agent": "Phone/1.0"})

        second_step(phone, first_step(app), owner.authenticator.code())

        assert (
            owner.caller.get("/api/users/me/sessions").json["items"][0]["user_agent"] == "Phone/1.0"
        )

    def test_a_sign_in_is_logged_once_and_after_the_second_step(self, app, owner):
        before = kinds(app).count("signed_in")
        token = first_step(app)
        assert kinds(app).count("signed_in") == before

        second_step(Caller(app), token, owner.authenticator.code())

        assert kinds(app).count("signed_in") == before + 1

    def test_an_idempotency_key_is_refused(self, app, owner):
        headers = {"Idempotency-Key": "one"}

        answer = second_step(Caller(app), "x", "123456", headers=headers)

        assert answer.json["code"] == "idempotency_not_supported"


class TestRemoval:
    """Removing a second factor, and new recovery codes."""

    def test_the_password_removes_it(self, app, owner):
        token = first_step(app)

        answer = owner.caller.delete(MFA, json={"password": PASSWORD})

        assert (answer.status_code, answer.data) == (204, b"")
        assert [rows(app, table) for table in (SecondFactor, RecoveryCode, SignInStep)] == [
            [],
            [],
            [],
        ]
        assert second_step(Caller(app), token, owner.authenticator.code()).status_code == 401
        assert login(Caller(app)).status_code == 200
        assert "second_factor_removed" in kinds(app)

    def test_a_wrong_password_removes_nothing(self, app, owner):
        assert owner.caller.delete(MFA, json={"password": "wrong"}).status_code == 422
        assert first_step(app)

    def test_what_is_not_there_cannot_be_removed(self, app):
        make_user(app)
        ann = signed_in_as(app)

        removed = ann.delete(MFA, json={"password": PASSWORD})
        renewed = ann.post(f"{MFA}/recovery-codes", json={"password": PASSWORD})

        assert [(a.status_code, a.json["code"]) for a in (removed, renewed)] == [
            (409, "mfa_not_enabled")
        ] * 2

    def test_new_recovery_codes_replace_the_old_ones(self, app, owner):
        answer = owner.caller.post(f"{MFA}/recovery-codes", json={"password": PASSWORD})

        codes = answer.json["recovery_codes"]
        assert len(set(codes) - set(owner.authenticator.recovery_codes)) == RECOVERY_CODES
        old = second_step(Caller(app), first_step(app), owner.authenticator.recovery_codes[0])
        new = second_step(Caller(app), first_step(app), codes[0])
        assert (old.status_code, new.status_code) == (401, 200)

    def test_a_wrong_password_renews_nothing(self, app, owner):
        answer = owner.caller.post(f"{MFA}/recovery-codes", json={"password": "wrong"})

        assert answer.status_code == 422
        code = owner.authenticator.recovery_codes[0]
        assert second_step(Caller(app), first_step(app), code).status_code == 200

    def test_staff_remove_a_lost_one(self, app, owner):
        admin = signed_in(app, role="admin")
        user_id = owner.caller.get("/api/users/me").json["id"]

        answer = admin.delete(f"/api/users/{user_id}/mfa")

        assert (answer.status_code, answer.data) == (204, b"")
        assert owner.caller.get("/api/users/me").status_code == 401
        assert login(Caller(app)).status_code == 200

    def test_staff_remove_their_own_with_the_password_only(self, app):
        owner = make_owner(app, role="admin")
        user_id = owner.caller.get("/api/users/me").json["id"]

        answer = owner.caller.delete(f"/api/users/{user_id}/mfa")

        assert (answer.status_code, answer.json["code"]) == (409, "own_account")
        assert first_step(app)

    def test_staff_find_no_second_factor_of_nobody(self, app):
        admin = signed_in(app, role="admin")
        user = make_user(app)

        assert admin.delete("/api/users/999999/mfa").status_code == 404
        assert admin.delete(f"/api/users/{user.id}/mfa").json["code"] == "mfa_not_enabled"

    def test_an_erased_account_leaves_nothing_behind(self, app, owner):
        first_step(app)

        answer = owner.caller.delete("/api/users/me", json={"password": PASSWORD})

        assert answer.status_code == 204
        assert [rows(app, table) for table in (SecondFactor, RecoveryCode, SignInStep)] == [
            [],
            [],
            [],
        ]


def test_old_steps_and_abandoned_secrets_are_purged(app, owner, clock):
    first_step(app)
    make_user(app, email="bob@example.com")
    signed_in_as(app, "bob@example.com").post(MFA, json={"password": PASSWORD})
    clock.shift(timedelta(days=1, seconds=1))

    result = app.test_cli_runner().invoke(args=["purge"])

    assert result.exit_code == 0, result.output
    assert rows(app, SignInStep) == []
    assert only_row(app, SecondFactor).confirmed_at is not None


def test_the_database_refuses_a_confirmed_factor_without_its_step(app, owner):
    with pytest.raises(Exception, match="step_once_confirmed"):
        change(app, only_row(app, SecondFactor), last_step=None)
