"""Hashes passwords and compares them with hashes (bcrypt).

All work of bcrypt goes through here, so that the bulkhead can limit it (`app.bulkhead`). It is slow
on purpose: call it outside of transactions. The connection to the database is given back first.
"""

import secrets
from functools import cache

from app import bulkhead
from app.domain import passwords
from app.errors import Invalid
from app.extensions import bcrypt, db


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


def refuse_if_full() -> None:
    """Spare a request that will be refused the work before the hash.

    Raises:
        Busy: too many passwords are hashed at present.
    """
    bulkhead.current().refuse_if_full()


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password fits a hash. None stands for an account that does not exist: it is the
    same work, and nothing fits.

    Raises:
        Busy: too many passwords are hashed at present.
    """
    db.session.close()
    with bulkhead.current().place():
        # Made by whoever comes first, known or unknown, so that its making tells nothing either.
        dummy = _dummy_hash()
        fits: bool = bcrypt.check_password_hash(
            password_hash or dummy, passwords.canonical(password)
        )
        return fits and password_hash is not None


def _hash(password: str) -> str:
    hashed: bytes = bcrypt.generate_password_hash(passwords.canonical(password))
    return hashed.decode()


@cache
def _dummy_hash() -> str:
    return _hash(secrets.token_hex())
