"""Prints the matrix and its size."""

import sys

from tests.integration.access.api_routes import API_ROUTES
from tests.integration.access.page_routes import PAGE_ROUTES
from tests.integration.access.table import CALLERS

ALL = [*API_ROUTES, *PAGE_ROUTES]
WIDTH = max(len(str(route)) for route in ALL)

lines = [" ".join((" " * WIDTH, *CALLERS))]
for route in ALL:
    cells = [str(route.expected[caller]).rjust(len(caller)) for caller in CALLERS]
    lines.append(" ".join((str(route).ljust(WIDTH), *cells)))
lines.append(f"{len(ALL)} routes x {len(CALLERS)} callers = {len(ALL) * len(CALLERS)} cells")
sys.stdout.write("\n".join(lines) + "\n")
