"""Differences between two states of a row, for the audit trail."""

from collections.abc import Mapping
from typing import Any

Changes = dict[str, list[Any]]
"""`{field: [before, after]}`; None stands for a field that does not exist."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """The fields whose values differ, those of the later state first."""
    names = [*after, *(name for name in before if name not in after)]
    return {
        name: [before.get(name), after.get(name)]
        for name in names
        if before.get(name) != after.get(name)
    }
