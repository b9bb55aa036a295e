"""What all commands share: exits after refusals, progress bars, messages on standard error.

Exit codes: 0 done, 1 failed, 2 used wrongly.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from app.errors import NO_ROOM, ShopError

Advance = Callable[[int], None]


class ShopCommand(click.Command):
    """A command that prints one line and exits with 1 if the shop or its database refuses."""

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
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise click.ClickException(f"A file could not be written: {error.strerror}.") from None


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A decorator: makes a function a command that runs in the app's context."""

    def make(function: Callable[..., Any]) -> click.Command:
        return click.command(name, cls=ShopCommand)(with_appcontext(function))

    return make


def _sentence(error: ShopError) -> str:
    fields = error.extra.get("errors", {})
    messages = [f"{name}: {' '.join(texts)}" for name, texts in fields.items()]
    return " ".join([error.detail, *messages])


def complain(text: str) -> None:
    """Print a line on standard error."""
    click.echo(text, err=True)


@contextmanager
def progress(length: int | None, label: str) -> Iterator[Advance]:
    """A progress bar on standard error, if that is a terminal."""
    if length is None or not sys.stderr.isatty():
        yield lambda _steps: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
