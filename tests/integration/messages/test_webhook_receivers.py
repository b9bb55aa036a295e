"""The receivers of WEBHOOKS.md take what is signed, and nothing else."""

import os
import re
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import playwright
import pytest
import requests
from standardwebhooks import Webhook

from app.config import ROOT
from app.services.messages import webhook_endpoints
from tests.servers import LOCALHOST, free_port

pytestmark = pytest.mark.processes
NODE = Path(playwright.__file__).parent / "driver" / "node"
PROGRAMS = {"python": [sys.executable, "-c"], "javascript": [str(NODE), "-e"]}


@pytest.fixture(params=PROGRAMS)
def receiver(request):
    """A running receiver: its URL and its secret."""
    text = (ROOT / "WEBHOOKS.md").read_text("utf-8")
    (code,) = re.findall(rf"```{request.param}\n(.*?)```", text, re.S)
    secret, port = webhook_endpoints._new_secret(), free_port()
    environ = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    process = subprocess.Popen(
        [*PROGRAMS[request.param], code], env=environ, stderr=subprocess.DEVNULL
    )
    try:
        yield f"http://{LOCALHOST}:{port}/", secret
    finally:
        process.kill()
        process.wait()


def send(url, signatures, sent, body="{}"):
    headers = {
        "webhook-id": "evt_1_1",
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    deadline = time.monotonic() + 30
    while True:
        try:
            return requests.post(url, body.encode(), headers=headers, timeout=10).status_code
        except requests.ConnectionError:  # it is still starting
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_receiver_takes_what_is_signed(receiver):
    url, secret = receiver
    now, old = datetime.now(timezone.utc), datetime.now(timezone.utc) - timedelta(minutes=6)
    body = '{"name":"Müller"}'
    right = Webhook(secret).sign("evt_1_1", now, body)
    other = Webhook(webhook_endpoints._new_secret()).sign("evt_1_1", now, body)

    assert send(url, [right], now, body) == 204
    assert send(url, [other, right], now, body) == 204
    assert send(url, [other], now, body) == 401
    assert send(url, [right], now, f"{body} ") == 401
    assert send(url, [Webhook(secret).sign("evt_1_1", old, body)], old, body) == 401
