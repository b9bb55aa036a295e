"""Prints the matrix and its size."""

import sys

from tests.integration.access.api_doors import API_DOORS
from tests.integration.access.page_doors import PAGE_DOORS
from tests.integration.access.table import CALLERS

ALL = [*API_DOORS, *PAGE_DOORS]
WIDTH = max(len(str(door)) for door in ALL)

lines = [" ".join((" " * WIDTH, *CALLERS))]
for door in ALL:
    cells = [str(door.expected[caller]).rjust(len(caller)) for caller in CALLERS]
    lines.append(" ".join((str(door).ljust(WIDTH), *cells)))
lines.append(f"{len(ALL)} doors x {len(CALLERS)} callers = {len(ALL) * len(CALLERS)} cells")
sys.stdout.write("\n".join(lines) + "\n")
