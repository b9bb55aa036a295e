"""Changes to a schema that a shop in business does not notice. CONTRIBUTING.md has the rules."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import op


def create_index(name: str, table: str, columns: Sequence[Any], **options: Any) -> None:
    """Add an index while others write; `options` are those of `op.create_index`.

    PostgreSQL can do so outside of a transaction only. A try that failed leaves an index that is
    no good: the next one begins by dropping it. So let a migration that does this do nothing else.
    """
    if _blocks_nobody():
        op.create_index(name, table, columns, **options)
        return
    with _without_a_transaction():
        op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True, **options)


def drop_index(name: str, table: str) -> None:
    """Drop an index while others read and write."""
    if _blocks_nobody():
        op.drop_index(name, table_name=table)
        return
    with _without_a_transaction():
        op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)


def _blocks_nobody() -> bool:
    """SQLite lets readers on; writers wait for one another there anyway."""
    return op.get_context().dialect.name == "sqlite"


@contextmanager
def _without_a_transaction() -> Iterator[None]:
    with op.get_context().autocommit_block():
        # It waits for transactions that are older, such as a backup's, and keeps nobody waiting.
        op.execute("SET lock_timeout = 0")
        yield
        op.execute("RESET lock_timeout")
