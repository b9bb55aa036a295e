"""Sessions below the routes: what is stored, and which condition ends each."""

from datetime import timedelta

import pytest
import time_machine

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.errors import Unauthenticated
from app.extensions import db
from app.models import Session, User
from app.services.accounts import auth_service, session_service, throttle_service
from tests import factories

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _inside(app):
    with app.app_context():
        yield


@pytest.fixture
def user():
    return factories.user()


def begin(user, lifetime=DAY, place=None, user_agent=""):
    return in_transaction(lambda: session_service.begin(user.id, lifetime, place, user_agent))


def stored(session):
    return db.session.scalars(
        db.select(Session).where(Session.id == session.id),
        execution_options={"populate_existing": True},
    ).one()


def advance(session, generation=0):
    return in_transaction(lambda: session_service.advance(session.id, generation, 2 * DAY))


def write(update, **values):
    in_transaction(lambda: db.session.execute(update.values(values)))


def test_a_session_begins_as_it_is_stored(user):
    now = utc_now()
    with time_machine.travel(now, tick=False):
        session = begin(user, DAY, "k" * 32, "A browser")

    row = stored(session)
    for one in (session, row):
        assert (one.user_id, one.generation, one.place) == (user.id, 0, "k" * 32)
        assert (one.created_at, one.expires_at, one.last_used_at) == (now, now + DAY, now)
        assert (one.user_agent, one.ended_at) == ("A browser", None)


def test_each_refresh_is_the_next_generation_with_a_new_lifetime(user):
    session, other = begin(user), begin(user)
    later = utc_now() + timedelta(hours=1)

    with time_machine.travel(later, tick=False):
        first = advance(session)
        second = advance(session, 1)

    assert (first.id, second.id) == (session.id, session.id)
    row = stored(session)
    assert (row.generation, row.expires_at, row.last_used_at) == (2, later + 2 * DAY, later)
    assert stored(other).generation == 0


def test_of_another_generation_nothing_is_refreshed(user):
    session = begin(user)

    assert [advance(session, generation) for generation in (1, 2)] == [None, None]
    assert advance(session).generation == 1
    assert advance(session) is None
    assert stored(session).generation == 1


@pytest.mark.parametrize("reason", ["ended", "expired", "inactive", "deleted"])
def test_a_session_that_is_over_finds_nobody_and_is_not_refreshed(user, reason):
    session = begin(user)
    other = begin(factories.user())
    assert session_service.find_caller(session.id).actor.user_id == user.id

    if reason == "ended":
        in_transaction(lambda: session_service.end(session.id))
    elif reason == "expired":
        write(db.update(Session).where(Session.id == session.id), expires_at=utc_now())
    elif reason == "inactive":
        write(db.update(User).where(User.id == user.id), is_active=False)
    else:
        gone = {"deleted_at": utc_now(), "email": None, "email_key": None}
        write(db.update(User).where(User.id == user.id), **gone)

    assert session_service.find_caller(session.id) is None
    assert advance(session) is None
    assert session_service.find_caller(other.id).actor.user_id == other.user_id
    assert advance(other).generation == 1


def test_a_caller_has_the_role_and_the_session(user):
    admin = factories.user(role="admin")

    callers = [session_service.find_caller(begin(one).id) for one in (user, admin)]

    assert [(one.actor.user_id, one.actor.role) for one in callers] == [
        (user.id, "customer"),
        (admin.id, "admin"),
    ]
    assert not any(one.has_second_factor or one.is_use_due for one in callers)
    assert session_service.find_caller(10**9) is None


def test_ending_sessions_ends_those_that_are_meant_and_once(user):
    first, second, third = (begin(user) for _ in range(3))
    stranger = begin(factories.user())
    ended_at = utc_now()
    with time_machine.travel(ended_at, tick=False):
        in_transaction(lambda: session_service.end(first.id))

    in_transaction(lambda: session_service.end_all(user.id, except_id=second.id))

    assert stored(first).ended_at == ended_at
    assert stored(second).ended_at is None
    assert stored(third).ended_at > ended_at
    in_transaction(lambda: session_service.end_all(user.id))
    assert stored(second).ended_at is not None
    assert stored(stranger).ended_at is None


def test_the_networks_of_one_user_are_erased(user):
    session, stranger = begin(user, place="k1"), begin(factories.user(), place="k2")

    in_transaction(lambda: session_service.erase_places(user.id))

    assert (stored(session).place, stored(stranger).place) == (None, "k2")


def test_a_use_is_stored_when_a_quarter_of_an_hour_has_passed(user):
    session, other = begin(user), begin(user)

    for minutes, stored_minutes in ((14, 0), (16, 16), (30, 16)):
        moment = session.created_at + timedelta(minutes=minutes)
        with time_machine.travel(moment, tick=False):
            assert session_service.find_caller(session.id).is_use_due == (minutes == 16)
            in_transaction(lambda: session_service.note_use(session.id))
        last = session.created_at + timedelta(minutes=stored_minutes)
        assert stored(session).last_used_at == last
    assert stored(other).last_used_at == other.created_at


def test_figures_that_are_promised():
    assert timedelta(days=1) == session_service.STORED_AFTER_EXPIRY
    assert timedelta(minutes=15) == session_service.USE_INTERVAL


def test_whoever_registers_has_no_session_but_a_known_place():
    user = in_transaction(
        lambda: auth_service.register(DAY, "192.0.2.1", "ann@example.com", "a hash")
    )

    (row,) = db.session.scalars(db.select(Session))
    assert (user.first_name, user.last_name) == ("", "")
    assert (row.user_id, row.place) == (user.id, throttle_service.place_key("192.0.2.1"))
    assert row.ended_at is not None
    assert row.expires_at == row.ended_at + DAY
    assert session_service.find_caller(row.id) is None


def test_a_token_that_is_used_twice_ends_its_session(user):
    session, other = begin(user), begin(user)

    def refresh(generation):
        return in_transaction(lambda: auth_service.refresh(session.id, generation, DAY))

    assert refresh(0).generation == 1
    again = refresh(0)

    assert isinstance(again, Unauthenticated)
    assert again.code == "invalid_token"
    assert isinstance(refresh(1), Unauthenticated)
    assert stored(other).ended_at is None
