"""A forgotten password: a link by mail, which sets a new one once."""

from datetime import timedelta

import pytest
import time_machine

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.people.tokens import hash_token
from app.extensions import db
from app.models import AccountToken, Job, Mail, SecondFactor, SecurityEvent, User
from app.services import user_service
from app.services.accounts import account_tokens, recovery
from app.services.operations import purge_service, store_service
from tests.factories import PASSWORD
from tests.integration.conftest import Caller
from tests.integration.links import mails, newest_link, newest_token, text_of, work
from tests.integration.people import (
    EMAIL,
    at_once,
    bearer,
    change,
    inside,
    login,
    make_user,
    me,
    only_row,
    rows,
    signed_in_as,
    statuses,
)
from tests.integration.second_factors import first_step, make_owner, second_step

FORGOT, RESET = "/api/auth/password/forgot", "/api/auth/password/reset"
NEW_PASSWORD = "a rather different phrase"


@pytest.fixture
def ann(app):
    """EMAIL, who has forgotten the password."""
    return make_user(app)


def forget(app, email=EMAIL):
    return Caller(app).post(FORGOT, json={"email": email})


def reset(app, token, password=NEW_PASSWORD, **options):
    return Caller(app).post(RESET, json={"token": token, "new_password": password}, **options)


def token_for(app, email=EMAIL):
    assert forget(app, email).status_code == 202
    return newest_token(app, "password_reset")


class TestForgot:
    """`POST /api/auth/password/forgot`."""

    def test_a_mail_with_a_link_goes_to_the_account(self, app, ann):
        answer = forget(app)

        assert (answer.status_code, answer.data) == (202, b"")
        assert rows(app, Mail) == []
        (mail,) = mails(app, "password_reset")
        assert (mail.recipient, mail.status) == (EMAIL, "sent")
        assert newest_link(app, "password_reset").startswith("/password/reset?token=")
        assert "once, for an hour" in text_of(app, mail)

    def test_it_goes_to_the_address_as_the_account_has_it(self, app, ann):
        forget(app, "  ANN@Example.com")

        assert [mail.recipient for mail in mails(app, "password_reset")] == [EMAIL]

    @pytest.mark.parametrize("email", ["nobody@example.com", "no address", "a" * 254])
    def test_whoever_has_no_account_gets_the_same_answer_and_nobody_a_mail(self, app, ann, email):
        known, unknown = forget(app), forget(app, email)
        work(app)

        def told(answer):
            names = ("Content-Type", "Cache-Control", "Vary")
            return answer.status_code, answer.data, [answer.headers.get(name) for name in names]

        assert told(known) == told(unknown)
        assert len(mails(app, "password_reset")) == 1

    def test_the_same_statements_run_for_both(self, app, ann):
        def statements(email):
            seen = []

            def note(_connection, _cursor, text, *_rest):
                seen.append(text)

            with app.app_context():
                db.event.listen(db.engine, "before_cursor_execute", note)
            try:
                assert forget(app, email).status_code == 202
            finally:
                with app.app_context():
                    db.event.remove(db.engine, "before_cursor_execute", note)
            return seen

        statements(EMAIL)  # the first one reads what is read once
        known, unknown = statements(EMAIL), statements("nobody@example.com")

        assert known == unknown
        assert any("users" in text for text in known)

    def test_neither_jobs_nor_mails_nor_tokens_hold_the_secret(self, app, ann):
        token = token_for(app)

        stored = str([vars(row) for kind in (Job, Mail, AccountToken) for row in rows(app, kind)])
        assert token not in stored
        assert hash_token(token) == only_row(app, AccountToken).token_hash

    @pytest.mark.parametrize("facts", [{"is_active": False}, {"email": None, "email_key": None}])
    def test_a_closed_account_gets_none(self, app, ann, facts):
        deleted = {"deleted_at": utc_now()} if "email" in facts else {}
        change(app, ann, **facts, **deleted)

        assert forget(app).status_code == 202
        assert mails(app, "password_reset") == []

    def test_an_account_gets_a_few_links_an_hour(self, app, ann):
        for _ in range(account_tokens.MOST + 3):
            assert forget(app).status_code == 202
        assert len(mails(app, "password_reset")) == account_tokens.MOST

        with time_machine.travel(utc_now() + timedelta(hours=1, seconds=1), tick=True):
            forget(app)
            inside(app, lambda: in_transaction(lambda: recovery.send_link(ann.id)))
            assert len(rows(app, AccountToken)) == account_tokens.MOST + 1

    def test_a_second_try_of_the_mail_sends_the_same_link(self, app, ann):
        token = token_for(app)
        row = only_row(app, AccountToken)

        assert inside(app, account_tokens.link_token, row.id, ann.id, EMAIL, "reset") == token

    def test_a_new_secret_key_does_not_break_links_that_wait(self, app, ann, monkeypatch):
        token = token_for(app)
        row, old = only_row(app, AccountToken), app.config["SECRET_KEY"]
        monkeypatch.setitem(app.config, "SECRET_KEY", "another-secret-of-more-than-32-bytes!")
        assert inside(app, account_tokens.link_token, row.id, ann.id, EMAIL, "reset") is None

        monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [old])
        assert inside(app, account_tokens.link_token, row.id, ann.id, EMAIL, "reset") == token
        assert reset(app, token).status_code == 204

    def test_a_mail_that_waits_never_gets_the_link_of_another_token(self, app, ann):
        bob = make_user(app, email="bob@example.com")
        inside(app, lambda: in_transaction(lambda: recovery.send_link(ann.id)))
        (mine,) = rows(app, AccountToken)
        for facts in (
            {"user_id": bob.id, "email": bob.email},  # the id was given to somebody else
            {"email": "other@example.com"},
            {"purpose": "email"},
        ):
            change(app, mine, **facts)
            assert inside(app, account_tokens.link_token, mine.id, ann.id, EMAIL, "reset") is None
            change(app, mine, user_id=ann.id, email=EMAIL, purpose="reset")
        change(app, mine, user_id=bob.id, email=bob.email)

        (mail,) = mails(app, "password_reset")
        assert (mail.status, mail.error) == ("failed", "The link does not work any more.")

    def test_a_mail_that_waited_too_long_is_not_sent(self, app, ann):
        inside(app, lambda: in_transaction(lambda: recovery.send_link(ann.id)))
        change(app, only_row(app, AccountToken), expires_at=utc_now() - timedelta(seconds=1))

        (mail,) = mails(app, "password_reset")
        assert (mail.status, mail.error) == ("failed", "The link does not work any more.")


class TestReset:
    """`POST /api/auth/password/reset`."""

    def test_it_sets_the_password_and_ends_all_sessions(self, app, ann):
        tokens = login(Caller(app)).json
        answer = reset(app, token_for(app))

        assert (answer.status_code, answer.data) == (204, b"")
        assert me(Caller(app), tokens["access_token"]).status_code == 401
        assert login(Caller(app)).status_code == 401
        assert login(Caller(app), password=NEW_PASSWORD).status_code == 200

    def test_the_owner_is_told_by_mail_and_the_log_has_a_line(self, app, ann):
        reset(app, token_for(app))

        (mail,) = mails(app, "password_changed")
        assert (mail.recipient, mail.status) == (EMAIL, "sent")
        kinds = [(event.kind, event.detail) for event in rows(app, SecurityEvent)]
        assert ("password_changed", "by a link from a mail") in kinds

    def test_a_token_counts_once(self, app, ann):
        token = token_for(app)
        assert reset(app, token).status_code == 204

        answer = reset(app, token, "yet another phrase here")
        assert (answer.status_code, answer.json["code"]) == (422, "token_invalid")
        assert login(Caller(app), password=NEW_PASSWORD).status_code == 200

    @pytest.mark.races
    def test_of_eight_at_once_one_succeeds(self, app, ann):
        token = token_for(app)
        passwords = [f"a rather different phrase {number}" for number in range(8)]

        answers = at_once([lambda chosen=chosen: reset(app, token, chosen) for chosen in passwords])

        assert statuses(answers) == [204] + [422] * 7
        (chosen,) = [
            one for one, answer in zip(passwords, answers, strict=True) if answer.status_code == 204
        ]
        assert login(Caller(app), password=chosen).status_code == 200
        assert inside(app, lambda: db.session.get(User, ann.id)).password_version == 1

    @pytest.mark.races
    def test_of_two_links_at_once_one_succeeds(self, app, ann):
        tokens = [token_for(app), token_for(app)]

        answers = at_once([lambda token=token: reset(app, token) for token in tokens])

        assert statuses(answers) == [204, 422]

    @pytest.mark.parametrize("token", ["nobodys", "x", "é" * 100, "A" * 43])
    def test_another_token_is_refused(self, app, ann, token):
        assert reset(app, token).json["code"] == "token_invalid"

    def test_it_is_valid_for_an_hour(self, app, ann):
        token = token_for(app)
        with time_machine.travel(utc_now() + timedelta(minutes=61), tick=True):
            assert reset(app, token).json["code"] == "token_invalid"

    def test_a_password_that_was_changed_meanwhile_makes_it_invalid(self, app, ann):
        token = token_for(app)
        changed = signed_in_as(app).post(
            "/api/users/me/password",
            json={"current_password": PASSWORD, "new_password": NEW_PASSWORD},
        )
        assert changed.status_code == 204

        assert reset(app, token, "yet another phrase here").json["code"] == "token_invalid"

    @pytest.mark.parametrize("facts", [{"is_active": False}, {"email": "an@ex.org"}])
    def test_so_does_a_closed_account_or_another_address(self, app, ann, facts):
        token = token_for(app)
        change(app, ann, **facts)

        assert reset(app, token).json["code"] == "token_invalid"

    def test_erasing_the_account_deletes_its_tokens(self, app, ann):
        token = token_for(app)

        def erase():
            user_service.erase(user_service.lock_user(ann.id))

        inside(app, lambda: in_transaction(erase))

        assert rows(app, AccountToken) == []
        assert reset(app, token).json["code"] == "token_invalid"

    @pytest.mark.parametrize("password", ["short", "password1", "ann@example.com"])
    def test_a_weak_password_is_refused_and_uses_nothing_up(self, app, ann, password):
        token = token_for(app)

        answer = reset(app, token, password)
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["new_password"])
        assert reset(app, token).status_code == 204

    def test_the_name_that_staff_gave_the_shop_is_weak(self, app, ann, monkeypatch):
        details = inside(app, store_service.known_details)._replace(name="Wicker and Reed")
        monkeypatch.setattr(store_service, "known_details", lambda: details)

        answer = reset(app, token_for(app), "wicker and reed")
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["new_password"])

    def test_the_second_factor_stays(self, app):
        owner = make_owner(app)
        assert reset(app, token_for(app)).status_code == 204

        assert len(rows(app, SecondFactor)) == 1
        token = first_step(app, password=NEW_PASSWORD)
        assert second_step(Caller(app), token, owner.authenticator.code()).status_code == 200

    def test_a_sign_in_that_waits_for_its_code_is_over(self, app):
        owner = make_owner(app)
        step = first_step(app)
        reset(app, token_for(app))

        answer = second_step(Caller(app), step, owner.authenticator.code())
        assert answer.json["code"] == "invalid_mfa_token"

    def test_whoever_was_locked_out_gets_in(self, app, ann):
        for _ in range(6):
            last = login(Caller(app), password="wrong")
        assert last.status_code == 429

        reset(app, token_for(app))
        assert login(Caller(app), password=NEW_PASSWORD).status_code == 200

    def test_devices_of_the_old_password_are_strangers_again(self, app, ann):
        device = login(Caller(app)).headers["X-Device-Token"]
        reset(app, token_for(app))

        answer = Caller(app).post(
            "/api/auth/login",
            json={"email": EMAIL, "password": NEW_PASSWORD},
            headers={"X-Device-Token": device},
        )
        assert answer.headers["X-Device-Token"] != device

    def test_a_session_of_the_browser_is_no_obstacle(self, app, ann):
        access = login(Caller(app)).json["access_token"]
        assert reset(app, token_for(app), headers=bearer(access)).status_code == 204


def test_old_tokens_are_removed(app, ann):
    token_for(app)
    conditions = {
        rows_.name: rows_ for rows_ in inside(app, lambda: purge_service.expired_rows(30, 90))
    }
    assert inside(app, purge_service.count, conditions["links of mails"]) == 0
    change(app, only_row(app, AccountToken), expires_at=utc_now() - timedelta(seconds=1))
    assert inside(app, purge_service.count, conditions["links of mails"]) == 1
