"""The index of `lookup_words` of a table, in either database: an inverted index of whole words.

On PostgreSQL it is a GIN index of the words as they are: `to_tsvector` would split some of them anew.
On SQLite it is an FTS5 table, which triggers fill.
"""

from typing import cast as typed

from sqlalchemy import BindParameter, ColumnElement, cast, column, literal_column, select, table
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.word_search import WordSearch

OUTDATED_WORDS = "coalesce(substr(lookup_words, 1, 1), '') <> '|'"
"""The rows whose words are missing or were written by a release with another `MARK`."""


def has_words(
    table_name: str, id_: InstrumentedAttribute[int], dialect: str, text: BindParameter[str]
) -> ColumnElement[bool]:
    """Whether a row has the words of a search; `text` binds its `match_text`."""
    if dialect == "postgresql":
        vector: ColumnElement[str] = literal_column(vector_sql(table_name))
        return vector.op("@@", is_comparison=True)(cast(text, TSQUERY))
    index = f"{table_name}_fts"
    rows = table(index, column("rowid"))
    matches = literal_column(index).op("MATCH", is_comparison=True)(text)
    return typed(ColumnElement[bool], id_.in_(select(rows.c.rowid).where(matches)))


def vector_sql(table_name: str) -> str:
    """The indexed expression on PostgreSQL, as in its migration."""
    return f"array_to_tsvector(string_to_array({table_name}.lookup_words, ' '))"


def match_text(search: WordSearch, dialect: str) -> str:
    """A search in the language of the database's index. Words are letters and digits only, so that
    quotes around them are enough."""
    is_postgresql = dialect == "postgresql"
    each = "'{}':*" if is_postgresql else '"{}"*'
    whole = "'{}'" if is_postgresql else '"{}"'
    and_, or_ = (" & ", " | ") if is_postgresql else (" AND ", " OR ")
    choices = [f"({and_.join(each.format(word) for word in search.beginnings)})"]
    if search.phone_beginning:
        choices.append(each.format(search.phone_beginning))
    choices += [whole.format(word) for word in search.phones]
    return or_.join(choices)
