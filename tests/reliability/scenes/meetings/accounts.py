"""Meetings about accounts: sessions that end, and an account that is deleted while it orders."""

from tests.reliability.client import bearer
from tests.reliability.history import Attempt
from tests.reliability.scenes.lane import Lane, ending, needed
from tests.reliability.scenes.meetings.hold import answered, hold, meet
from tests.reliability.scenes.stage import rows
from tests.reliability.setting import PASSWORD

EVENTS = """SELECT 1 FROM order_events JOIN orders ON orders.id = order_events.order_id
    WHERE orders.user_id = %(id)s FOR UPDATE"""
"""The last of what is erased of an account's orders."""
SESSIONS = "SELECT 1 FROM sessions WHERE user_id = %(id)s FOR UPDATE"
PERSONAL = """SELECT count(*) FROM orders
    WHERE user_id = :id AND (email IS NOT NULL OR shipping_address IS NOT NULL OR note <> '')"""
NEW_PASSWORD = "a stirrup, a saddle, a lantern"


def deleted_while_ordering(lane: Lane) -> str | None:
    """A customer orders while the account is being deleted: nothing personal stays anywhere."""
    ann, user_id = lane.ann, lane.ann.user_id or 0
    lane.order()
    needed(ann.add_item(lane.one.variant_id, 1))
    body = {"password": PASSWORD}

    with hold(lane, EVENTS, id=user_id) as held:
        deletion = held.send(lambda: ann.send("close", "DELETE", "/api/users/me", body))
        order = held.send(lane.checkout(ann))
        held.let_go()
        deleted, ordered = answered(deletion.result()), answered(order.result())

    ((personal,),) = rows(lane.stage.setting, PERSONAL, id=user_id)
    found = (deleted.status, ordered.status, personal)
    return None if found == (204, 401, 0) else f"{found} came of it"


def refreshed_twice(lane: Lane) -> str | None:
    """One refresh token is used twice at once: one use wins, and its tokens die with the session."""
    token = lane.ann.refresh_token or ""

    answers = meet(lane, SESSIONS, lane.ann.user_id or 0, *[lambda: _refresh(lane, token)] * 2)

    endings = sorted(str(attempt.status) for attempt in answers)
    if endings != ["200", "401"]:
        return f"it ended in {endings}"
    (won,) = (attempt.answer for attempt in answers if attempt.status == 200)
    after = _whose(lane, won["access_token"])
    return None if after == 401 else f"the winner's token was answered {after}"


def password_ends_sessions(lane: Lane) -> str | None:
    """A new password ends all other sessions, and not this one."""
    elsewhere = lane.guest(lane.ann)
    needed(elsewhere.sign_in())
    access, refresh = elsewhere.access or "", elsewhere.refresh_token or ""
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}

    needed(lane.ann.send("password", "POST", "/api/users/me/password", body))

    found = (
        _whose(lane, access), answered(_refresh(lane, refresh)).status,
        _whose(lane, lane.ann.access or ""),
    )  # fmt: skip
    return None if found == (401, 401, 200) else f"the tokens were answered {found}"


def _refresh(lane: Lane, token: str) -> Attempt:
    return lane.ann.send("refresh", "POST", "/api/auth/refresh", headers=bearer(token))


def _whose(lane: Lane, token: str) -> int | None:
    own = lane.ann.send("read_me", "GET", "/api/users/me", headers=bearer(token))
    return ending(answered(own))[0]


MEETINGS = (deleted_while_ordering, refreshed_twice, password_ends_sessions)
