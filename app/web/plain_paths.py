"""The paths that programs call, and that answer in JSON; all others answer with pages."""

PLAIN_PATHS = ("/api", "/healthz", "/metrics")
_BELOW = tuple(f"{path}/" for path in PLAIN_PATHS)


def is_for_programs(path: str) -> bool:
    """Whether this path answers programs rather than people."""
    return path.startswith(_BELOW) or path in PLAIN_PATHS
