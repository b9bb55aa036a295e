"""The paths where programs call, who are answered in JSON; elsewhere people do, who get a page."""

PLAIN_PATHS = ("/api", "/healthz", "/metrics")
_BELOW = tuple(f"{path}/" for path in PLAIN_PATHS)


def is_for_programs(path: str) -> bool:
    """Whether programs call at this path, rather than people."""
    return path.startswith(_BELOW) or path in PLAIN_PATHS
