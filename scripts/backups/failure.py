"""Why a backup or a restore stops."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from app.config import ConfigurationError


class Failure(Exception):
    """Why it stops, in a line for the operator."""


@contextlib.contextmanager
def reported(name: str) -> Iterator[None]:
    """End with one line and exit code 1 where something fails."""
    try:
        yield
    except (Failure, ConfigurationError, OSError) as error:
        sys.exit(f"{name}: {str(error).rstrip('.')}.")
    except subprocess.CalledProcessError as error:  # has said why itself
        sys.exit(f"{name}: {Path(error.cmd[0]).name} failed with exit code {error.returncode}.")
    except (SQLAlchemyError, psycopg2.Error) as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        sys.exit(f"{name}: the database refused: {reason}")
