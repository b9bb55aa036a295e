"""A race about sessions: one refresh token, used fifty times at once."""

from tests.reliability.client import bearer
from tests.reliability.history import Attempt
from tests.reliability.scenes.lane import Lane, ending, needed

PARALLEL = 50
REFUSED = 401


def refresh_at_once(lane: Lane) -> str | None:
    """One use wins. The others betray that there are two users: all tokens are dead afterwards."""
    ann = lane.ann
    needed(ann.sign_in())
    token = ann.refresh_token or ""

    answers = lane.race(*[lambda: _refresh(lane, token)] * PARALLEL)

    won = [attempt.answer for attempt in answers if attempt.status == 200]
    lost = sum(attempt.status == REFUSED for attempt in answers)
    after = [ending(_refresh(lane, tokens["refresh_token"]))[0] for tokens in won] + [
        ending(_read_cart(lane, tokens["access_token"]))[0] for tokens in won
    ]
    needed(ann.sign_in())
    if (len(won), lost) != (1, PARALLEL - 1):
        return f"{len(won)} uses won, {lost} lost"
    return None if after == [REFUSED] * 2 else f"the winner's tokens were answered {after}"


def _refresh(lane: Lane, token: str) -> Attempt:
    return lane.ann.send("refresh", "POST", "/api/auth/refresh", headers=bearer(token))


def _read_cart(lane: Lane, token: str) -> Attempt:
    return lane.ann.send("read_cart", "GET", "/api/cart", headers=bearer(token))
