"""Accounts: creating, finding, changing and erasing them."""

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, String, bindparam, delete, or_, select, update

from app.db.bulk import among, update_rows
from app.db.paging import Page, Slice, SortKey, fetch_page, fetch_slice
from app.domain.clock import utc_now
from app.domain.people import emails
from app.domain.people.actor import Actor
from app.domain.word_search import stored_words, word_search
from app.errors import Conflict, Invalid, NotFound, Unauthenticated
from app.extensions import db
from app.models import Address, Cart, IdempotencyKey, Order, OrderEvent, User
from app.models.word_index import has_words, match_text
from app.services.accounts import (
    account_tokens,
    second_factors,
    session_service,
    throttle_service,
)
from app.services.audit import security_log, trail
from app.services.messages import idempotency, mail_service

NEWEST_FIRST = SortKey("newest users", User.id, User.id, descending=True)
NO_PASSWORD = "!"  # noqa: S105 - no password has this hash
log = logging.getLogger(__name__)


def add(
    email: str,
    password_hash: str,
    first_name: str = "",
    last_name: str = "",
    role: str = "customer",
) -> User:
    """Create an account.

    Raises:
        Invalid: `email` is no address.
        Conflict: `email_taken`; emails compare without regard to case.
    """
    try:
        address = emails.clean(email)
    except emails.NotAnEmail as error:
        raise Invalid({"email": [str(error)]}) from None
    if find_by_email(address):
        raise Conflict("email_taken", "There is an account with this email address already.")
    _correct_key(emails.key(address))
    user = User(
        email=address,
        email_key=emails.key(address),
        password_hash=password_hash,
        first_name=first_name,
        last_name=last_name,
        role=role,
        lookup_words=name_words(first_name, last_name),
    )
    db.session.add(user)
    db.session.flush()
    return user


def find_by_email(email: str) -> User | None:
    """The account with this address, without regard to case; None if there is none or it is
    deleted."""
    keys = (emails.key(email), emails.former_key(email))
    accounts = db.session.scalars(select(User).where(User.email_key.in_(keys)))
    return next((user for user in accounts if emails.key(user.email or "") == keys[0]), None)


def find_id(email: str, email_key: str) -> int | None:
    """The id of the account with this address; one statement, and the same work if there is none."""
    keys = (email_key, emails.former_key(email))
    rows = db.session.execute(select(User.id, User.email).where(User.email_key.in_(keys)))
    return next((id_ for id_, found in rows if emails.key(found or "") == email_key), None)


def _correct_key(email_key: str) -> None:
    """If an account is stored under this key of another mailbox, as earlier releases could, give it
    its own key."""
    holder = db.session.scalar(select(User).where(User.email_key == email_key).with_for_update())
    if holder is not None and holder.email is not None:
        holder.email_key = emails.key(holder.email)
        db.session.flush()


def get_user(user_id: int) -> User:
    """An account that is not deleted; raises NotFound."""
    return _one(select(User).where(User.id == user_id), user_id)


def list_users(
    page: int, per_page: int, q: str = "", role: str | None = None, is_active: bool | None = None
) -> Page[User]:
    """Accounts, newest first. `q` is part of the email or the name, without regard to case, or the
    beginnings of the name's words, without accents and in whatever order."""
    query = _matching(q, role, is_active)
    return fetch_page(query, NEWEST_FIRST.order_by(), page, per_page)


def slice_of_users(
    cursor: str, per_page: int, q: str = "", role: str | None = None, is_active: bool | None = None
) -> Slice[User]:
    """The same after a cursor; an empty one starts. Raises Invalid."""
    return fetch_slice(_matching(q, role, is_active), NEWEST_FIRST, cursor, per_page)


def _matching(q: str, role: str | None, is_active: bool | None) -> Select[User]:
    query = select(User).where(User.deleted_at.is_(None))
    if q:
        name = User.first_name + " " + User.last_name
        query = query.where(
            or_(
                User.email_key.contains(emails.key(q), autoescape=True),
                User.email_key.contains(emails.former_key(q), autoescape=True),
                name.icontains(q, autoescape=True),
                *_has_words(q),
            )
        )
    if role is not None:
        query = query.where(User.role == role)
    if is_active is not None:
        query = query.where(User.is_active.is_(is_active))
    return query


def name_words(first_name: str, last_name: str) -> str:
    """The words of a name as an account stores them."""
    return stored_words((), (first_name, last_name))


def renew_words(ids: Sequence[int]) -> None:
    """Derive the words of these accounts anew from their names; the caller has locked them."""
    query = select(User.id, User.first_name, User.last_name, User.updated_at)
    rows = [
        (id_, name_words(first, last), updated_at)
        for id_, first, last, updated_at in db.session.execute(query.where(among(User.id, ids)))
    ]
    update_rows(User, ("lookup_words", "updated_at"), rows)


def _has_words(q: str) -> list[ColumnElement[bool]]:
    search, dialect = word_search(q), db.engine.dialect.name
    if search is None:
        return []
    words = bindparam("words", match_text(search, dialect), type_=String())
    return [has_words("users", User.id, dialect, words)]


def lock_caller(actor: Actor) -> User:
    """The caller's own account, locked until the commit.

    Raises:
        Unauthenticated: the account was closed during the request.
    """
    query = select(User).where(User.id == actor.user_id).with_for_update(key_share=True)
    user = db.session.scalar(query.execution_options(populate_existing=True))
    if user is None or user.deleted_at is not None or not user.is_active:
        raise Unauthenticated("invalid_token", "The account is closed.")
    return user


def lock_user(user_id: int) -> User:
    """An account that is not deleted, locked until the commit; raises NotFound."""
    return _one(select(User).where(User.id == user_id).with_for_update(key_share=True), user_id)


def lock_active(user_id: int) -> User | None:
    """An account that is neither deleted nor deactivated, locked until the commit."""
    query = select(User).where(User.id == user_id, User.is_active, User.deleted_at.is_(None))
    user: User | None = db.session.scalar(
        query.with_for_update(key_share=True).execution_options(populate_existing=True)
    )
    return user


def update_profile(actor: Actor, **changes: str) -> User:
    """Change the caller's own first_name, last_name."""
    user = lock_caller(actor)
    for name, value in changes.items():
        setattr(user, name, value)
    db.session.flush()
    # On its own: a trigger clears words that stay the same while the name changes.
    words = name_words(user.first_name, user.last_name)
    db.session.execute(update(User).where(User.id == user.id).values(lookup_words=words))
    return user


def update_user(
    actor: Actor, user_id: int, role: str | None = None, is_active: bool | None = None
) -> User:
    """Change an account's role or activate or deactivate it; None changes nothing.

    A change ends the account's sessions and open links of mails at once.

    Raises:
        NotFound
        Conflict: `last_admin`, if no active admin would be left.
    """
    admins = lock_admins()
    user = lock_user(user_id)
    before = audited_state(user)
    after = (role or user.role, user.is_active if is_active is None else is_active)
    if (user.role, user.is_active) == after:
        return user
    if after != ("admin", True):
        refuse_last_admin(user, admins)
    user.role, user.is_active = after
    session_service.end_all(user.id)
    account_tokens.end_all(user.id)  # or they would work once the account is active again
    trail.record(actor, "user.edited", user.id, before, audited_state(user))
    state = "active" if user.is_active else "deactivated"
    change = f"account {user.id} became {user.role}, {state}"
    security_log.record_of(actor, security_log.RIGHTS_CHANGED, change)
    db.session.flush()
    log.info("User %s became %s; by %s %s", user.id, after, actor.by, actor.user_id)
    return user


def release_address(actor: Actor, user_id: int) -> None:
    """Delete a customer's account that has never ordered, so that its address can be registered anew.

    Until addresses are confirmed by mail, anybody may register an address that is not theirs.

    Raises:
        NotFound
        Conflict: `account_in_use`: the account has ordered, or is one of staff.
    """
    user = lock_user(user_id)
    # Placing an order locks the account's row, so no order can be placed meanwhile.
    has_ordered = db.session.scalar(select(Order.id).where(Order.user_id == user.id).limit(1))
    if has_ordered or user.role != "customer":
        raise Conflict("account_in_use", "An account that has ordered, or is of staff, stays.")
    trail.record(actor, "user.released", user.id, audited_state(user))
    security_log.record_of(actor, security_log.ADDRESS_RELEASED, f"account {user.id}")
    erase(user)
    session_service.erase_places(user.id)


def audited_state(user: User) -> trail.State:
    """The fields of an account that the audit trail records; none is personal."""
    return {"role": user.role, "is_active": user.is_active}


def lock_admins() -> Sequence[User]:
    """All admins, locked until the commit, so that two who remove each other cannot both succeed."""
    query = (
        select(User)
        .where(User.role == "admin", User.deleted_at.is_(None))
        .order_by(User.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return db.session.scalars(query).all()


def refuse_last_admin(user: User, admins: Sequence[User]) -> None:
    """Keep the last active admin.

    Raises:
        Conflict: `last_admin`.
    """
    others = [admin for admin in admins if admin.is_active and admin.id != user.id]
    if user.role == "admin" and user.is_active and not others:
        raise Conflict("last_admin", "This is the last active admin; make another one first.")


def erase(user: User) -> None:
    """Erase everything personal of an account and its orders; the rows themselves stay."""
    throttle_service.delete_counts(
        throttle_service.login_key(user.email or ""),
        throttle_service.own_key(user.id),
        throttle_service.code_key(user.id),
    )
    second_factors.remove(user.id)
    account_tokens.erase(user.id)
    session_service.end_all(user.id)
    db.session.execute(delete(Cart).where(Cart.user_id == user.id))
    db.session.execute(delete(Address).where(Address.user_id == user.id))
    # Stored answers contain addresses: the account's own, and those of orders that staff cancelled.
    scopes = [f"user:{user.id}", *idempotency.scopes_of_email(emails.key(user.email or ""))]
    own_orders = select(Order.id).where(Order.user_id == user.id)
    db.session.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.scope.in_(scopes) | IdempotencyKey.order_id.in_(own_orders))
        .execution_options(synchronize_session=False)
    )
    db.session.execute(  # a trigger takes the person out of `lookup_words`
        update(Order)
        .where(Order.user_id == user.id)
        .values(email=None, shipping_address=None, billing_address=None, vat_id=None, note="")
    )
    db.session.execute(
        update(OrderEvent)
        .where(OrderEvent.order_id.in_(own_orders))
        .values(note="")
        .execution_options(synchronize_session=False)
    )
    mail_service.erase_account(user.id, user.email or "")
    user.email = user.email_key = user.email_verified_at = None
    user.first_name = user.last_name = ""
    user.lookup_words = name_words("", "")
    user.set_password(NO_PASSWORD)
    user.is_active = False
    user.deleted_at = utc_now()
    db.session.flush()


def _one(query: Select[Any], user_id: int) -> User:
    user: User | None = None
    if 0 < user_id < 2**63:
        user = db.session.scalar(
            query.where(User.deleted_at.is_(None)).execution_options(populate_existing=True)
        )
    if user is None:
        raise NotFound("user")
    return user
