"""Emails are compared without regard to the dot of an i: `admın` and `admin` are one address.

An account whose address would now be another account's keeps its old key, and staff have to look
at it: it cannot sign in.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

USERS = sa.table("users", sa.column("id", sa.BigInteger), sa.column("email_key", sa.String))


def upgrade() -> None:
    if op.get_context().as_sql:  # printed as SQL, there are no rows to look at
        return
    for user_id, old in _keys_with_such_letters():
        local, at, domain = old.partition("@")
        new = local.replace("i\u0307", "i").replace("\u0131", "i") + at + domain
        if new != old and not _is_taken(new):
            op.execute(USERS.update().where(USERS.c.id == user_id).values(email_key=new))


def downgrade() -> None:
    """The old keys are not known any more; the release before finds these accounts by `i`."""


def _keys_with_such_letters() -> list[sa.Row]:
    key = USERS.c.email_key
    query = sa.select(USERS.c.id, key).where(key.contains("\u0131") | key.contains("i\u0307"))
    return list(op.get_bind().execute(query.order_by(USERS.c.id)))


def _is_taken(key: str) -> bool:
    query = sa.select(USERS.c.id).where(USERS.c.email_key == key)
    return op.get_bind().execute(query).first() is not None
