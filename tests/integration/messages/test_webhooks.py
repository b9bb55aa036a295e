"""Webhooks: what a receiver gets over the wire, in which order, and what happens when it fails."""

import itertools
import json
import select
import socket
import time
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from sqlalchemy import update
from standardwebhooks import Webhook, WebhookVerificationError

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.people.actor import SYSTEM
from app.extensions import db
from app.gateways import webhooks
from app.gateways.webhooks import HttpSender, NoReply
from app.jobs import KINDS, RELAYS
from app.jobs.worker import Worker
from app.models import AuditEvent, Event, Job, Mail, WebhookDelivery, WebhookEndpoint
from app.services.messages import (
    event_feed,
    job_queue,
    subscribers,
    webhook_deliveries,
    webhook_endpoints,
)
from tests.integration.people import at_once, inside, only_row, rows

PATH = "/api/webhook-endpoints"


class Receiver:
    """An HTTP server that remembers what it was sent, and answers as it is told."""

    def __init__(self):
        self.requests = []
        self.answer = lambda number, body: 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((dict(self.headers), raw))
                status = receiver.answer(len(receiver.requests), json.loads(raw))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", receiver.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?shop=1"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    @property
    def bodies(self):
        return [json.loads(raw) for _headers, raw in self.requests]

    @property
    def told(self):
        return [(body["type"], body["data"]["subject"]["id"]) for body in self.bodies]


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def private(app, monkeypatch):
    """A shop that may send to this machine."""
    monkeypatch.setitem(app.config, "WEBHOOK_ALLOW_PRIVATE", True)
    monkeypatch.setitem(app.config, "WEBHOOK_RETRY_SECONDS", 600)  # no pause ends by itself
    monkeypatch.setitem(app.extensions, "webhook_sender", HttpSender(allow_private=True))
    return app


@pytest.fixture
def endpoint(private, admin, receiver):
    """An endpoint of that receiver, as the API answered it."""
    inside(private, lambda: in_transaction(lambda: event_feed.number(())))
    answer = admin.post(PATH, json={"url": receiver.url})
    assert answer.status_code == 201, answer.json
    return answer.json


def happen(app, *events):
    """Let things happen: pairs of a type and the id of an order."""

    def work():
        for kind, subject in events:
            db.session.add(Event(type=kind, subject_kind="order", subject_id=subject))
            db.session.flush()

    inside(app, lambda: in_transaction(work))


def deliver(app):
    """What the worker does with what is due."""
    Worker(app, KINDS, (), relays=RELAYS).drain()


def make_due(app, seconds=0.0):
    """Move what waits into the past, and what the shop remembers of times by `seconds`."""
    past = utc_now() - timedelta(seconds=1)

    def work():
        for table, columns in (
            (Job, {"due_at": past}),
            (WebhookDelivery, {"next_at": past}),
            (WebhookEndpoint, {"paused_until": past}),
        ):
            db.session.execute(update(table).values(columns))
        begun = utc_now() - timedelta(seconds=seconds)
        if seconds:
            db.session.execute(update(WebhookDelivery).values(begun_at=begun))

    inside(app, lambda: in_transaction(work))


def test_an_event_is_delivered_once_with_a_signature(private, endpoint, receiver):
    happen(private, ("order.placed", 7))
    deliver(private)
    deliver(private)

    ((headers, raw),) = receiver.requests
    body = Webhook(endpoint["secret"]).verify(raw, headers)
    event = rows(private, Event)[-1]
    assert body == {
        "type": "order.placed",
        "timestamp": body["timestamp"],
        "data": {"seq": event.seq, "subject": {"kind": "order", "id": 7}},
    }
    assert headers["webhook-id"] == f"evt_{event.seq}_{endpoint['id']}"
    assert headers["Content-Type"] == "application/json"
    delivery = only_row(private, WebhookDelivery)
    assert (delivery.status, delivery.attempts, delivery.last_status) == ("delivered", 1, 200)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint["secret"]).verify(raw + b" ", headers)


def test_what_was_before_an_endpoint_is_not_told_nor_what_it_does_not_want(
    private, admin, receiver
):
    happen(private, ("order.placed", 1))
    deliver(private)
    admin.post(PATH, json={"url": receiver.url, "types": ["order.shipped"]})
    admin.post(PATH, json={"url": receiver.url, "is_active": False})
    happen(private, ("order.placed", 2), ("order.shipped", 3))
    deliver(private)

    assert receiver.told == [("order.shipped", 3)]


def test_of_one_order_everything_comes_in_order_whatever_fails(private, endpoint, receiver):
    receiver.answer = lambda number, body: (
        500 if body["type"] == "order.placed" and number < 5 else 200
    )
    happen(
        private,
        ("order.placed", 1),
        ("order.placed", 2),
        ("order.shipped", 1),
        ("order.delivered", 1),
    )
    for _ in range(12):
        deliver(private)
        make_due(private)

    successes = [
        told for told, (_headers, _raw), number in zip(receiver.told, receiver.requests, range(1, 99), strict=False)
        if told[0] != "order.placed" or number >= 5
    ]  # fmt: skip
    assert [kind for kind, subject in successes if subject == 1] == [
        "order.placed", "order.shipped", "order.delivered",
    ]  # fmt: skip
    assert {row.status for row in rows(private, WebhookDelivery)} == {"delivered"}


def test_a_receiver_that_is_down_gets_one_request_a_pause_and_delays_no_other(
    private, endpoint, receiver, admin
):
    other = Receiver()
    try:
        admin.post(PATH, json={"url": other.url})
        receiver.answer = lambda number, body: 503
        happen(private, *(("order.placed", subject) for subject in range(20)))
        deliver(private)
        first = len(receiver.requests)
        assert sorted(told[1] for told in other.told) == list(range(20))
        for _ in range(3):
            make_due(private)
            deliver(private)
        assert first == 1
        assert len(receiver.requests) == 4

        receiver.answer = lambda number, body: 200
        for _ in range(2):
            make_due(private)
            deliver(private)
        assert sorted(told[1] for told in receiver.told[4:]) == list(range(20))
    finally:
        other.close()


def test_pauses_grow_and_after_three_days_the_delivery_is_dead(private, endpoint, receiver, admin):
    receiver.answer = lambda number, body: 500
    happen(private, ("order.placed", 1), ("order.shipped", 1))
    pauses = []
    for _ in range(4):
        deliver(private)
        row = rows(private, WebhookDelivery)[0]
        pauses.append((row.next_at - utc_now()).total_seconds())
        make_due(private)
    assert all(later > earlier for earlier, later in itertools.pairwise(pauses))

    make_due(private, seconds=3 * 86_400)
    deliver(private)
    dead, following = rows(private, WebhookDelivery)
    assert (dead.status, dead.attempts, dead.last_status) == ("dead", 5, 500)
    assert following.status == "waiting"
    shown = admin.get(f"{PATH}/{endpoint['id']}").json
    assert "three days" in shown["trouble"]

    receiver.answer = lambda number, body: 200
    make_due(private)
    deliver(private)
    assert receiver.told[-1] == ("order.shipped", 1)
    assert admin.get(f"{PATH}/{endpoint['id']}").json["trouble"] is None


def test_a_receiver_that_is_gone_is_switched_off(private, endpoint, receiver, admin):
    receiver.answer = lambda number, body: 410
    happen(private, ("order.placed", 1), ("order.placed", 2))
    deliver(private)
    make_due(private)
    deliver(private)

    assert len(receiver.requests) == 1
    shown = admin.get(f"{PATH}/{endpoint['id']}").json
    assert (shown["is_active"], "410" in shown["trouble"]) == (False, True)
    assert [mail.template for mail in rows(private, Mail)] == ["webhook_trouble"]
    assert [row.status for row in rows(private, WebhookDelivery)] == ["dead", "waiting"]

    receiver.answer = lambda number, body: 200
    admin.patch(f"{PATH}/{endpoint['id']}", json={"is_active": True})
    deliver(private)
    assert receiver.told[1:] == [("order.placed", 2)]


def test_a_change_of_an_endpoint_tries_what_waits_at_once(private, endpoint, receiver, admin):
    receiver.answer = lambda number, body: 500 if number == 1 else 200
    happen(private, ("order.placed", 1), ("order.shipped", 1))
    deliver(private)
    deliver(private)
    assert len(receiver.requests) == 1
    admin.patch(f"{PATH}/{endpoint['id']}", json={"description": "ERP"})
    deliver(private)
    assert [kind for kind, _subject in receiver.told[1:]] == ["order.placed", "order.shipped"]


def test_what_is_sent_again_does_not_overtake_what_waits(private, endpoint, receiver, admin):
    receiver.answer = lambda number, body: 500 if number == 1 else 200
    happen(private, ("order.placed", 1), ("order.shipped", 1), ("order.delivered", 1))
    deliver(private)
    last = rows(private, WebhookDelivery)[-1]
    admin.post(f"{PATH}/deliveries/{last.id}/resend")
    deliver(private)
    assert [kind for kind, _subject in receiver.told[1:]] == [
        "order.placed", "order.shipped", "order.delivered",
    ]  # fmt: skip


def test_a_receiver_that_is_down_costs_one_job_whatever_waits(private, endpoint, receiver):
    receiver.answer = lambda number, body: 500
    happen(private, *(("order.placed", subject) for subject in range(30)))
    deliver(private)
    (job,) = [job for job in rows(private, Job) if job.kind == "webhook"]
    assert (job.status, job.tries, job.key) == ("waiting", 0, str(endpoint["id"]))
    assert len(receiver.requests) == 1


def test_a_delivery_that_fails_keeps_no_other_waiting(private, endpoint, receiver):
    """The receiver refuses what it is told of one order, and takes everything else."""
    receiver.answer = lambda number, body: 500 if body["data"]["subject"]["id"] == 1 else 200
    happen(private, ("order.placed", 1))
    deliver(private)
    inside(private, lambda: in_transaction(lambda: db.session.execute(
        update(WebhookEndpoint).values(paused_until=utc_now())
    )))  # fmt: skip
    for subject in (2, 3):
        happen(private, ("order.placed", subject))
        deliver(private)

    assert [subject for _kind, subject in receiver.told] == [1, 2, 3]


def test_a_job_that_staff_dropped_is_woken_by_the_next_event(private, endpoint, receiver):
    def drop():
        job = job_queue.claim(["webhook"])
        job_queue.park(job, "It failed too often.")
        job_queue.drop(SYSTEM, job.id)

    happen(private, ("order.placed", 1))
    inside(private, lambda: in_transaction(subscribers.relay_events))
    inside(private, lambda: in_transaction(drop))
    happen(private, ("order.shipped", 1))
    deliver(private)
    assert [kind for kind, _subject in receiver.told] == ["order.placed", "order.shipped"]


@pytest.mark.races
def test_an_event_that_comes_while_the_job_ends_is_sent(private, endpoint, receiver):
    """Whoever is second sees what the first has done: both hold the endpoint's lock."""

    def tell(number):
        happen(private, ("order.placed", number))
        inside(private, lambda: in_transaction(subscribers.relay_events))

    for number in range(10):
        at_once([lambda: tell(number), lambda: deliver(private)])  # noqa: B023
    deliver(private)
    assert sorted(told[1] for told in receiver.told) == list(range(10))


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 429])
def test_whatever_is_no_success_is_tried_again(private, endpoint, receiver, status):
    receiver.answer = lambda number, body: status if number == 1 else 204
    happen(private, ("order.placed", 1))
    deliver(private)
    delivery = only_row(private, WebhookDelivery)
    assert (delivery.status, delivery.last_status) == ("waiting", status)
    make_due(private)
    deliver(private)

    first, second = receiver.requests
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert only_row(private, WebhookDelivery).status == "delivered"


def test_a_rotated_secret_signs_beside_the_old_one_for_a_day(private, endpoint, receiver, admin):
    new = admin.post(f"{PATH}/{endpoint['id']}/rotate").json
    happen(private, ("order.placed", 1))
    deliver(private)
    inside(private, lambda: in_transaction(lambda: db.session.execute(
        update(WebhookEndpoint).values(old_secret_until=utc_now())
    )))  # fmt: skip
    happen(private, ("order.placed", 2))
    deliver(private)

    (headers, raw), (later_headers, later_raw) = receiver.requests
    for secret in (endpoint["secret"], new["secret"]):
        Webhook(secret).verify(raw, headers)
    Webhook(new["secret"]).verify(later_raw, later_headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint["secret"]).verify(later_raw, later_headers)


def test_staff_send_a_delivery_again(private, endpoint, receiver, admin):
    happen(private, ("order.placed", 1))
    deliver(private)
    (shown,) = admin.get(f"{PATH}/{endpoint['id']}/deliveries").json["items"]
    assert (shown["status"], shown["next_at"], shown["last_status"]) == ("delivered", None, 200)

    for _ in range(2):
        again = admin.post(f"{PATH}/deliveries/{shown['id']}/resend")
        assert (again.status_code, again.json["status"]) == (200, "waiting")
        deliver(private)

    assert len(receiver.requests) == 3
    assert len({headers["webhook-id"] for headers, _raw in receiver.requests}) == 1
    actions = [event.action for event in rows(private, AuditEvent)]
    assert actions == ["webhook.created", "webhook.resent", "webhook.resent"]


def test_a_worker_that_dies_after_the_answer_sends_it_again(
    private, endpoint, receiver, monkeypatch
):
    def die(*_arguments):
        raise KeyboardInterrupt

    happen(private, ("order.placed", 1))
    with monkeypatch.context() as patch:
        patch.setattr(webhook_deliveries, "record_outcome", die)
        with pytest.raises(KeyboardInterrupt):
            deliver(private)
    make_due(private)
    deliver(private)

    assert len(receiver.requests) == 2
    assert only_row(private, WebhookDelivery).status == "delivered"


def test_an_endpoint_that_is_removed_takes_what_waits_with_it(private, endpoint, receiver, admin):
    receiver.answer = lambda number, body: 500
    happen(private, ("order.placed", 1))
    deliver(private)
    assert admin.delete(f"{PATH}/{endpoint['id']}").status_code == 204
    make_due(private)
    deliver(private)

    assert rows(private, WebhookDelivery) == []
    assert len(receiver.requests) == 1
    assert admin.get(f"{PATH}/{endpoint['id']}").status_code == 404


def test_an_endpoint_is_changed_and_its_trouble_forgotten(private, endpoint, receiver, admin):
    receiver.answer = lambda number, body: 500
    happen(private, ("order.placed", 1))
    deliver(private)
    changed = admin.patch(
        f"{PATH}/{endpoint['id']}", json={"description": "ERP", "types": ["stock.out"]}
    )
    assert changed.status_code == 200
    assert (changed.json["description"], changed.json["types"]) == ("ERP", ["stock.out"])
    row = only_row(private, WebhookEndpoint)
    assert (row.failures, row.paused_until) == (0, None)
    assert admin.get(PATH).json == {"items": [changed.json]}


def test_the_secret_is_shown_once_and_stored_encrypted(private, endpoint, admin):
    row = only_row(private, WebhookEndpoint)
    assert endpoint["secret"].startswith("whsec_")
    assert endpoint["secret"] not in row.secret
    assert "secret" not in admin.get(f"{PATH}/{endpoint['id']}").json
    assert endpoint["secret"] not in str([event.changes for event in rows(private, AuditEvent)])


def test_a_replaced_key_of_the_shop_loses_no_secret(private, endpoint, receiver, monkeypatch):
    before = only_row(private, WebhookEndpoint)
    monkeypatch.setitem(private.config, "SECRET_KEY_FALLBACKS", [private.config["SECRET_KEY"]])
    monkeypatch.setitem(private.config, "SECRET_KEY", "another-secret-of-more-than-32-bytes-7")
    result = private.test_cli_runner().invoke(args=["renew-encryption"])
    assert (result.exit_code, result.output) == (
        0,
        "renew-encryption: 1 secret is encrypted anew.\n",
    )
    monkeypatch.setitem(private.config, "SECRET_KEY_FALLBACKS", [])
    happen(private, ("order.placed", 1))
    deliver(private)

    ((headers, raw),) = receiver.requests
    Webhook(endpoint["secret"]).verify(raw, headers)
    assert only_row(private, WebhookEndpoint).key_id != before.key_id


def test_without_its_key_a_delivery_waits_until_the_secret_is_rotated(
    private, endpoint, receiver, monkeypatch
):
    monkeypatch.setitem(private.config, "SECRET_KEY", "another-secret-of-more-than-32-bytes-7")
    happen(private, ("order.placed", 1))
    deliver(private)
    delivery = only_row(private, WebhookDelivery)
    assert (delivery.status, "SECRET_KEY" in delivery.last_error) == ("waiting", True)

    rotate = webhook_endpoints.rotate_secret
    inside(private, lambda: in_transaction(lambda: rotate(SYSTEM, endpoint["id"])))
    make_due(private)
    deliver(private)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://erp.example/", "ftp://erp.example/", "https://", "https://user:pw@erp.example/",
        "https://erp.example:0/", "https://erp.example/a b", "javascript:alert(1)", "//erp.example",
        "https://erp.example/" + "x" * 2000, "https://erp.example?".ljust(2000, "x"), "https://[::1", 7,
    ],
)  # fmt: skip
def test_a_url_that_is_none_of_a_receiver_is_refused(admin, url):
    answer = admin.post(PATH, json={"url": url})
    assert answer.status_code == 422
    assert "url" in answer.json["errors"]


def test_there_are_at_most_fifty_endpoints(app, admin, monkeypatch):
    monkeypatch.setattr("app.services.messages.webhook_endpoints.MAX_ENDPOINTS", 2)
    body = {"url": "https://erp.example/", "types": ["order.placed"]}
    answers = [admin.post(PATH, json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert answers[2].json["code"] == "too_many_webhook_endpoints"


DISGUISED = [
    "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0",
    "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "169.254.169.254",
    "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "[fe80::1]", "[fc00::1]", "127.0.0.1.",
]  # fmt: skip


@pytest.fixture
def listener():
    """A port of this machine, and whether anybody has connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def is_called(listening):
    return bool(select.select([listening], [], [], 0.05)[0])


@pytest.mark.parametrize("host", DISGUISED)
def test_nothing_inside_the_network_is_reached(listener, host):
    url = f"https://{host}:{listener.getsockname()[1]}/hook"
    with pytest.raises(NoReply, match=r"not a public one|not known"):
        HttpSender().send(url, "{}", {})
    assert not is_called(listener)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::1"]])
def test_a_name_that_leads_inside_the_network_is_refused(listener, monkeypatch, addresses):
    port = listener.getsockname()[1]
    families = {True: socket.AF_INET6, False: socket.AF_INET}
    answers = [
        (families[":" in address], socket.SOCK_STREAM, 6, "", (address, port, *((0, 0) if ":" in address else ())))
        for address in addresses
    ]  # fmt: skip
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: answers)
    with pytest.raises(NoReply, match="not a public one"):
        HttpSender().send(f"https://erp.example:{port}/", "{}", {})
    assert not is_called(listener)


def test_a_listener_would_notice(listener):
    with pytest.raises(NoReply):
        HttpSender(allow_private=True).send(
            f"https://127.0.0.1:{listener.getsockname()[1]}/", "{}", {}
        )
    assert is_called(listener)


def test_the_sender_of_a_shop_reaches_public_addresses_alone(shared_app, listener):
    url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
    with shared_app.app_context(), pytest.raises(NoReply, match="not a public one"):
        webhooks.sender().send(url, "{}", {})
    assert not is_called(listener)


@contextmanager
def raw_server(answer):
    """A server whose handler gets the socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _address = listener.accept()
            with connection:
                answer(connection)

        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_receiver_that_drips_its_answer_is_left_after_a_while(monkeypatch):
    monkeypatch.setattr(webhooks, "WHOLE_SECONDS", 1.0)

    def drip(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100):
            try:
                connection.sendall(b"X-A: b\r\n")
            except OSError:
                return
            time.sleep(0.1)

    with raw_server(drip) as url, pytest.raises(NoReply, match="in time"):
        HttpSender(allow_private=True).send(url, "{}", {})


def test_a_large_answer_is_not_read(monkeypatch):
    sizes = []

    def flood(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            for _ in range(2000):
                connection.sendall(b"x" * 65536)
                sizes.append(65536)
        except OSError:
            return

    with raw_server(flood) as url:
        assert HttpSender(allow_private=True).send(url, "{}", {}).status == 200
    assert sum(sizes) < 50_000_000


def test_what_is_no_http_is_no_reply():
    def talk(connection):
        connection.recv(65536)
        connection.sendall(b"220 smtp ready\r\n")

    with raw_server(talk) as url, pytest.raises(NoReply):
        HttpSender(allow_private=True).send(url, "{}", {})
