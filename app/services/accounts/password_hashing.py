"""Hashes passwords and compares them with hashes (bcrypt).

Only this module calls bcrypt, so that the bulkhead limits all of it. bcrypt is slow on purpose: call
these functions outside of transactions. They first return the connection to its pool.
"""

from app.domain.people import passwords
from app.errors import Invalid
from app.extensions import bcrypt, db
from app.services.accounts import bulkhead


def hash_password(password: str, is_patient: bool = False) -> str:
    """The hash to store for a password.

    Args:
        is_patient: wait for a place as long as it takes, as commands do.

    Raises:
        Invalid: it is empty, or has characters that cannot be hashed.
        Busy: too many passwords are hashed at present.
    """
    if not passwords.is_readable(password):
        raise Invalid(
            {"password": ["It is empty, or has characters that cannot stand in a password."]}
        )
    db.session.close()
    with bulkhead.current().place(is_patient):
        return _hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password matches a hash. None stands for an account that does not exist: it takes
    the same time, and nothing matches.

    Raises:
        Busy: too many passwords are hashed at present.
    """
    db.session.close()
    with bulkhead.current().place():
        return _matches(password_hash, passwords.canonical(password))


def is_outdated(password_hash: str) -> bool:
    """Whether a hash has a lower cost than new ones, since BCRYPT_LOG_ROUNDS was raised after it."""
    return _cost(password_hash) < bcrypt.cost


def _matches(password_hash: str | None, text: str) -> bool:
    """Compare in the time that the present cost takes, whatever the hash's own cost.

    A hash of a lower cost is compared faster, which would reveal that the account exists. Further
    hashes make up for the difference. (One of a higher cost, from before BCRYPT_LOG_ROUNDS was
    lowered, takes longer.)
    """
    present = bcrypt.cost
    if password_hash is None or passwords.cost_of(password_hash) is None:
        password_hash = passwords.unmatchable_hash(present)
    fits: bool = bcrypt.check_password_hash(password_hash, text)
    # 2^cost + 2^cost + 2^(cost + 1) + ... + 2^(present - 1) rounds are 2^present.
    for cost in range(_cost(password_hash), present):
        bcrypt.check_password_hash(passwords.unmatchable_hash(cost), text)
    return fits


def _cost(password_hash: str) -> int:
    return passwords.cost_of(password_hash) or bcrypt.cost


def _hash(password: str) -> str:
    return bcrypt.generate_password_hash(passwords.canonical(password)).decode()
