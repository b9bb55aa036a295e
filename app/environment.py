"""Reads settings from environment variables, and refuses values that cannot be read."""

import re
from collections.abc import Mapping

from limits import parse_many
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError


class ConfigurationError(Exception):
    """The shop cannot start with these settings; the message is one line for the operator."""


class Environment:
    """Environment variables as typed values. A variable that is empty counts as not set.

    Each method raises ConfigurationError for a value that it cannot read; the message repeats the
    variable's name but not its value, which may be a secret.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str, default: str = "") -> str:
        """The text without spaces around it."""
        return self._variables.get(name, "").strip() or default

    def integer(self, name: str, default: int, low: int = 1, high: int = 1_000_000) -> int:
        """A whole number from `low` to `high`."""
        text = self.text(name, str(default))
        if not (re.fullmatch("[0-9]{1,9}", text) and low <= int(text) <= high):
            raise ConfigurationError(f"{name} must be a whole number from {low} to {high}.")
        return int(text)

    def boolean(self, name: str, default: bool) -> bool:
        """True or false, in one of the usual spellings."""
        text = self.text(name, str(default)).lower()
        if text not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
            raise ConfigurationError(f"{name} must be true or false.")
        return text in ("1", "true", "yes", "on")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of the choices, however its case is."""
        text = self.text(name, default)
        for choice in choices:
            if text.lower() == choice.lower():
                return choice
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}.")

    def words(self, name: str) -> list[str]:
        """The parts of a list that is separated by commas."""
        return [word.strip() for word in self.text(name, "").split(",") if word.strip()]

    def matching(self, name: str, pattern: re.Pattern[str], kind: str) -> list[str] | None:
        """A list in small letters whose parts all match a pattern; None where it is not set."""
        text = self.text(name).lower()
        parts = [part.strip() for part in text.split(",")] if text else None
        if parts and not all(pattern.fullmatch(part) for part in parts):
            raise ConfigurationError(f"{name} must be {kind}, split by commas.")
        return parts

    def limit(self, name: str, default: str) -> str:
        """Rate limits in the notation of the package `limits`."""
        text = self.text(name, default)
        try:
            parse_many(text)
        except ValueError:
            raise ConfigurationError(
                f"{name} must be a limit such as 100 per minute, or several split by semicolons."
            ) from None
        return text

    def redis_url(self, name: str, default: str) -> str:
        """The URL of a Redis."""
        from redis.connection import parse_url

        url = self.text(name, default)
        if url == default:
            return url
        try:
            parse_url(url)  # type: ignore[no-untyped-call]
        except ValueError:
            raise ConfigurationError(f"{name} must be a URL like redis://host:6379/0.") from None
        return url

    def database_url(self, name: str, default: str = "") -> str:
        """The URL of a database that the shop can use, with its driver named."""
        try:
            url = make_url(with_driver(self.text(name, default)))
        except (ArgumentError, ValueError):
            raise ConfigurationError(f"{name} is not the URL of a database.") from None
        if url.drivername not in ("sqlite", "postgresql+psycopg2"):
            raise ConfigurationError(f"{name} must start with postgresql:// or sqlite:///.")
        if not url.database or url.database == ":memory:":
            raise ConfigurationError(f"{name} must name a database, or a file for SQLite.")
        return url.render_as_string(hide_password=False)


def with_driver(url: str) -> str:
    """A database's URL that names psycopg2, whichever of its schemes PostgreSQL has."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg2://" + url[len(scheme) :]
    return url
