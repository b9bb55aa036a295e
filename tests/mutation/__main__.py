"""The command `scripts/mutants`: mutate modules, and print how many mutants the tests notice."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutation import targets
from tests.mutation.memory import Memory
from tests.mutation.plugin import MutationPlugin

LEFT_OUT = "not slow and not processes"
"""Tests that take very long, and those whose servers and commands are other processes: there no mutant
is planted. The thorough ones, which take long as well, are left out unless they are asked for."""


def main(arguments: Sequence[str]) -> int:
    """Play what the command line asks for: 0 where the goal is reached."""
    options = _options(arguments)
    paths = targets.matching(options.modules)
    if not paths:
        sys.exit("There is no such module: see tests/mutation/targets.py.")
    stages = [options.stage] if options.stage else targets.STAGES
    memory = Memory(options.results, options.again)
    plugin = MutationPlugin(paths, stages, options.minutes, options.seconds, memory)
    os.environ.pop("PYTEST_XDIST_WORKER", None)
    tests = options.tests or targets.TESTS
    left_out = LEFT_OUT if options.thorough else f"{LEFT_OUT} and not thorough"
    code = pytest.main(
        [*tests, "-q", "-m", left_out, "-p", "no:cacheprovider", "-p", "no:xdist"], [plugin]
    )
    return int(code) or int(not plugin.is_reached)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help="parts of their paths; all, if none is named")
    parser.add_argument("--minutes", type=float, default=120, help="no mutant begins after these")
    parser.add_argument("--seconds", type=float, default=20, help="for the tests of one mutant")
    parser.add_argument("--stage", choices=targets.STAGES, help="these tests only")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="verdicts are written there, and not tried again",
    )
    parser.add_argument("--again", action="store_true", help="try the survivors among them again")
    parser.add_argument("--thorough", action="store_true", help="with tests marked so")
    parser.add_argument("--tests", nargs="+", help="files and folders, instead of all")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
