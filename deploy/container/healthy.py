"""The container's health check: 0 where the shop's process answers, else 1. Needs no curl."""

import os
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException


def is_healthy(environ: Mapping[str, str]) -> bool:
    """Whether /healthz/live answers 200 within two seconds."""
    connection = HTTPConnection("127.0.0.1", int(environ.get("PORT") or 5000), timeout=2)
    try:
        connection.request("GET", "/healthz/live")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_healthy(os.environ) else 1)
