"""A rule of the books."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A rule: its name, the sentence that describes a violation, and the query for violations."""

    name: str
    sentence: str
    query: str
