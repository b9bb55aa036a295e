"""What all commands share: how refusals end them, progress, words on standard error.

Exit codes: 0 done, 1 failed, 2 used wrongly.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from app.errors import ShopError

Advance = Callable[[int], None]


class ShopCommand(click.Command):
    """A command that ends in one line and exit code 1 where the shop or its database refuses."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ShopError as error:
            raise click.ClickException(_sentence(error)) from None
        except DBAPIError as error:
            reason = str(error.orig).strip().partition("\n")[0]
            raise click.ClickException(
                f"The database refused: {reason}. `flask doctor` looks into it."
            ) from None


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command of the shop that runs inside the app's context."""

    def make(function: Callable[..., Any]) -> click.Command:
        return click.command(name, cls=ShopCommand)(with_appcontext(function))

    return make


def _sentence(error: ShopError) -> str:
    fields = error.extra.get("errors", {})
    wrong = [f"{name}: {' '.join(messages)}" for name, messages in fields.items()]
    return " ".join([error.detail, *wrong])


def complain(text: str) -> None:
    """A line on standard error."""
    click.echo(text, err=True)


@contextmanager
def progress(length: int | None, label: str) -> Iterator[Advance]:
    """A bar on standard error where that is a terminal, and nothing where it is not."""
    if length is None or not sys.stderr.isatty():
        yield lambda _done: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
