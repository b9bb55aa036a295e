"""Sessions are listed, and ended one by one or all but the present one."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from app.models import SecurityEvent, Session
from app.services.accounts import session_service
from app.services.accounts.session_service import USE_INTERVAL
from tests.factories import PASSWORD
from tests.integration.browsing import Browser
from tests.integration.conftest import Caller
from tests.integration.people import (
    EMAIL,
    at_once,
    bearer,
    change,
    login,
    make_user,
    me,
    only_row,
    refresh,
    rows,
    signed_in_as,
    statuses,
)
from tests.integration.shopping import statements_for

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SESSIONS = "/api/users/me/sessions"


@pytest.fixture
def ann(app):
    """A caller who is signed in as EMAIL."""
    make_user(app)
    return signed_in_as(app)


def open_ids(app):
    return [session.id for session in rows(app, Session) if session.ended_at is None]


def used_long_ago(app, session):
    """Let a session have been used last before the time that is stored exactly."""
    past = session.created_at - USE_INTERVAL - timedelta(seconds=1)
    change(app, session, last_used_at=past)
    return past


def test_a_session_says_when_and_by_which_program_it_was_used(app, ann):
    phone = Caller(app, **{"User-Agent": FIREFOX})
    login(phone)

    answer = ann.get(SESSIONS)

    (newest, oldest) = answer.json["items"]
    assert answer.json["total"] == 2
    assert set(newest) == {"id", "created_at", "last_used_at", "user_agent", "current"}
    assert (newest["user_agent"], newest["current"]) == (FIREFOX, False)
    assert oldest["current"] is True
    assert oldest["last_used_at"] == oldest["created_at"]


def test_the_list_has_cursors(app, ann):
    login(Caller(app))

    first = ann.get(f"{SESSIONS}?cursor=&per_page=1").json
    second = ann.get(f"{SESSIONS}?cursor={first['next_cursor']}&per_page=1").json

    assert [first["items"][0]["id"], second["items"][0]["id"]] == open_ids(app)[::-1]
    assert second["next_cursor"] is None


def test_sessions_of_others_and_ended_ones_are_not_listed(app, ann):
    make_user(app, email="bob@example.com")
    signed_in_as(app, "bob@example.com")
    signed_in_as(app).post("/api/auth/logout")

    items = ann.get(SESSIONS).json["items"]

    assert [item["current"] for item in items] == [True]


def test_an_ended_session_is_refused_at_once(app, ann):
    tokens = login(Caller(app)).json
    newest = ann.get(SESSIONS).json["items"][0]["id"]

    answer = ann.delete(f"{SESSIONS}/{newest}")

    assert (answer.status_code, answer.data) == (204, b"")
    assert me(Caller(app), tokens["access_token"]).status_code == 401
    assert refresh(Caller(app), tokens["refresh_token"]).status_code == 401
    assert ann.get("/api/users/me").status_code == 200
    assert "session_ended" in [event.kind for event in rows(app, SecurityEvent)]


def test_the_present_session_can_be_ended_like_any_other(app, ann):
    (own,) = open_ids(app)

    assert ann.delete(f"{SESSIONS}/{own}").status_code == 204
    assert ann.get(SESSIONS).status_code == 401


@pytest.mark.parametrize("which", ["ended", "of somebody else", "none", "too large"])
def test_a_session_that_is_not_an_open_one_of_the_caller_is_not_found(app, ann, which):
    make_user(app, email="bob@example.com")
    bob = signed_in_as(app, "bob@example.com")
    before = open_ids(app)
    ended = signed_in_as(app)
    ended_id = open_ids(app)[-1]
    ended.post("/api/auth/logout")
    ids = {"ended": ended_id, "of somebody else": before[-1], "none": 10**9, "too large": 2**64}

    answer = ann.delete(f"{SESSIONS}/{ids[which]}")

    assert answer.status_code == 404
    assert open_ids(app) == before
    assert bob.get("/api/users/me").status_code == 200


def test_the_time_of_the_last_use_is_stored_from_time_to_time(app, ann):
    past = used_long_ago(app, only_row(app, Session))

    ann.get("/api/users/me")

    first = only_row(app, Session).last_used_at
    ann.get("/api/users/me")
    assert first > past + USE_INTERVAL
    assert only_row(app, Session).last_used_at == first


def test_a_refresh_stores_the_time_of_the_last_use(app):
    make_user(app)
    tokens = login(Caller(app)).json
    past = used_long_ago(app, only_row(app, Session))

    refresh(Caller(app), tokens["refresh_token"])

    assert only_row(app, Session).last_used_at > past + USE_INTERVAL


def test_a_session_of_a_release_before_was_used_when_it_began(app, ann):
    change(app, only_row(app, Session), last_used_at=None, user_agent=None)

    (item,) = ann.get(SESSIONS).json["items"]

    assert item["last_used_at"] == item["created_at"]
    assert item["user_agent"] == ""


def test_a_request_costs_no_statement_more_for_the_time_of_use(app, ann):
    def ask():
        ann.get("/api/users/me")

    ask()
    usual = statements_for(app, ask)
    used_long_ago(app, only_row(app, Session))

    assert statements_for(app, ask) > usual
    assert statements_for(app, ask) == usual


def test_where_the_time_of_use_cannot_be_stored_the_request_is_answered(app, ann, monkeypatch):
    def fail(_session_id):
        raise OperationalError("UPDATE sessions", {}, Exception("the server takes no writes"))

    past = used_long_ago(app, only_row(app, Session))
    monkeypatch.setattr(session_service, "note_use", fail)

    assert ann.get("/api/users/me").status_code == 200
    assert only_row(app, Session).last_used_at == past


@pytest.mark.races
@pytest.mark.thorough
def test_of_many_requests_at_once_after_a_pause_all_are_answered(app, ann):
    past = used_long_ago(app, only_row(app, Session))

    answers = at_once([lambda: ann.get("/api/users/me")] * 8)

    assert statuses(answers) == [200] * 8
    assert only_row(app, Session).last_used_at > past


def test_an_erased_account_leaves_no_program_behind(app):
    make_user(app)
    caller = Caller(app, **{"User-Agent": FIREFOX})
    caller.headers |= bearer(login(caller).json["access_token"])

    assert caller.delete("/api/users/me", json={"password": PASSWORD}).status_code == 204
    assert only_row(app, Session).user_agent is None


class TestPage:
    """`/account/security`, without scripts."""

    @pytest.fixture
    def browser(self, app):
        """A browser that is signed in as EMAIL, beside another program."""
        make_user(app)
        login(Caller(app, **{"User-Agent": FIREFOX}))
        browser = Browser(app)
        browser.sign_in(EMAIL)
        return browser

    def test_it_lists_the_sessions_and_ends_one(self, app, browser):
        other, own = open_ids(app)
        page = browser.get("/account/security")
        assert "Firefox on Linux" in page.text
        assert f"/account/security/sessions/{own}/end" not in page.text

        answer = browser.send(f"/account/security/sessions/{other}/end")

        shown = browser.follow(answer).text
        assert "That session has ended." in shown
        assert "Firefox on Linux" not in shown
        assert open_ids(app) == [own]

    def test_it_ends_all_others(self, app, browser):
        own = open_ids(app)[-1]
        login(Caller(app))
        browser.get("/account/security")

        answer = browser.send("/account/security/end-others")

        shown = browser.follow(answer).text
        assert "All other sessions have ended." in shown
        assert "/account/security/end-others" not in shown
        assert open_ids(app) == [own]

    def test_what_a_program_calls_itself_is_shown_as_text(self, app, browser):
        login(Caller(app, **{"User-Agent": "<script>alert(1)</script> &"}))

        shown = browser.get("/account/security").text

        assert "<script>alert" not in shown
        assert "&lt;script&gt;alert(1)&lt;" in shown

    def test_it_has_pages(self, app, browser):
        for _ in range(20):
            login(Caller(app))

        first = browser.get("/account/security").text

        assert "Page 1 of 2" in first
        assert "Firefox on Linux" in browser.get("/account/security?page=2").text
        assert browser.get("/account/security?page=x").status_code == 200
