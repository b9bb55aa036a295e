"""The second step of a sign-in: after the password, a code of the account's second factor.

A right password begins a step, whose token the client sends with the code. The token is for this step
alone: it opens no session by itself, is used up by the sign-in, expires after ten minutes, and becomes
invalid with a new password. Wrong codes are counted for the account and the network, not for the token:
otherwise whoever knows the password could begin steps without end, and guess a few times in each.

Whoever guesses here knows the password already, so unlike for passwords, an account's failures from all
strange networks lock these for the rest of the day. The owner gets in from a network or a device that
signed in with a code before; those have a limit a day, too.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select

from app.db import cleanup
from app.db.unit_of_work import after_commit
from app.domain.clock import utc_now
from app.domain.people import tokens
from app.domain.people.guessing import AttemptCounters
from app.errors import SecondFactorRequired, ShopError, Unauthenticated
from app.extensions import db
from app.models import Session, SignInStep, User
from app.observability import metrics
from app.services.accounts import device_tokens, second_factors, session_service, throttle_service
from app.services.audit import security_log
from app.services.messages import mail_rules

LIFETIME = timedelta(minutes=10)
"""How long people have for the second step."""


@dataclass(frozen=True)
class CodeAttempt:
    """A code that somebody sent with the token of a step, and the counters that it counts for."""

    token_hash: str
    user_id: int
    password_version: int
    code: str
    guards: AttemptCounters
    client: str | None
    """The client's network address."""
    user_agent: str

    def mark_device(self, device: str) -> str:
        """The device tokens that the client should keep after a right code."""
        return device_tokens.mark_device(device, self.user_id, self.password_version)


def begin(user: User) -> SecondFactorRequired:
    """Begin the second step of a user whose password was right; the refusal holds its token."""
    now, token = utc_now(), tokens.new_token()
    step = SignInStep(
        user_id=user.id,
        token_hash=tokens.hash_token(token),
        password_version=user.password_version,
        expires_at=now + LIFETIME,
    )
    db.session.add(step)
    db.session.flush()
    if cleanup.is_due(step.id):
        cleanup.delete_batch(SignInStep, SignInStep.expires_at < now)
    return SecondFactorRequired(token, int(LIFETIME.total_seconds()))


def is_open(token: str) -> bool:
    """Whether a token's step waits for a code."""
    return _find(tokens.hash_token(token)) is not None


def try_code(
    token: str, code: str, client: str | None = None, device: str = "", user_agent: str = ""
) -> CodeAttempt:
    """Look up the step of a token.

    Args:
        client: the client's network address.
        device: the device tokens that the client sent.
        user_agent: the program that calls, as `user_agents.clean` returns it.

    Raises:
        Unauthenticated: `invalid_mfa_token`: there is no such step, or not any more.
        TooManyAttempts: the account is locked for this client.
    """
    token_hash = tokens.hash_token(token)
    step = _find(token_hash)
    if step is None:
        raise _invalid_token()
    guards = _guards(step, client, device)
    throttle_service.refuse_locked(guards)
    return CodeAttempt(
        token_hash, step.user_id, step.password_version, code, guards, client, user_agent
    )


def sign_in(attempt: CodeAttempt, lifetime: timedelta) -> Session | ShopError:
    """Open a session after a right code.

    A refusal that counts is returned: `invalid_code` or `too_many_attempts`.

    Raises:
        Unauthenticated: `invalid_mfa_token`.
    """
    rows = throttle_service.lock_counts(attempt.guards)
    too_many = throttle_service.refusal(attempt.guards, rows)
    if too_many:
        return too_many
    user = _lock_user(attempt)
    kind = second_factors.use_code(user.id, attempt.code)
    outcome = "right" if kind else "wrong"
    after_commit(lambda: metrics.shop.sign_ins.labels(outcome).inc())
    if kind is None:
        throttle_service.record_failure(attempt.guards, rows)
        security_log.record(security_log.CODE_REFUSED, user.id, attempt.client)
        return Unauthenticated("invalid_code", "This code is wrong, or was used before.")
    _end(attempt.token_hash)
    throttle_service.record_success(attempt.guards, rows)
    session = _open_session(attempt, kind, lifetime)
    mail_rules.queue_staff_sign_in(user, session)
    return session


def _open_session(attempt: CodeAttempt, kind: str, lifetime: timedelta) -> Session:
    security_log.record(security_log.SIGNED_IN, attempt.user_id, attempt.client, f"with a {kind}")
    place = throttle_service.place_key(attempt.client)
    return session_service.begin(attempt.user_id, lifetime, place, attempt.user_agent)


def _guards(step: SignInStep, client: str | None, device: str) -> AttemptCounters:
    """The counters of a code: of the device if it signed in before, else of the network."""
    token = device_tokens.find_token(device, step.user_id, step.password_version)
    if token:
        guards = throttle_service.code_guards_of_device(step.user_id, token)
        if not throttle_service.find_lock(guards):
            return guards
    is_known = session_service.is_known_place(step.user_id, throttle_service.place_keys(client))
    return throttle_service.code_guards(step.user_id, client, is_known)


def _find(token_hash: str) -> SignInStep | None:
    """The open step of a token, if the account's password is still the same."""
    query = (
        select(SignInStep)
        .join(User, User.id == SignInStep.user_id)
        .where(
            SignInStep.token_hash == token_hash,
            SignInStep.expires_at > utc_now(),
            SignInStep.password_version == User.password_version,
            User.is_active,
            User.deleted_at.is_(None),
        )
    )
    step: SignInStep | None = db.session.scalar(query)
    return step


def _lock_user(attempt: CodeAttempt) -> User:
    """Lock the account; raises Unauthenticated if the step has ended since it was looked up."""
    query = select(User).where(User.id == attempt.user_id).with_for_update(key_share=True)
    user = db.session.scalar(query.execution_options(populate_existing=True))
    # Read after the lock: of several requests with one token, the first has used it up by now.
    if user is None or _find(attempt.token_hash) is None:
        raise _invalid_token()
    return user


def _end(token_hash: str) -> None:
    query = delete(SignInStep).where(SignInStep.token_hash == token_hash)
    db.session.execute(query, execution_options={"synchronize_session": False})


def _invalid_token() -> Unauthenticated:
    detail = "This sign-in took too long or is over. Sign in again."
    return Unauthenticated("invalid_mfa_token", detail)
