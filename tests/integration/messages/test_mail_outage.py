"""The way of a mail from a change to a real mail server, and an hour without one."""

from collections import Counter

import pytest

from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.gateways import mail
from app.jobs import KINDS, RELAYS
from app.jobs.worker import Worker
from app.models import Job, Mail
from tests import factories
from tests.integration.conftest import Caller
from tests.integration.people import inside, rows
from tests.integration.shopping import fill, guest_order
from tests.mail_server import Mailbox, mail_server, make_certificate
from tests.servers import free_port

pytestmark = pytest.mark.processes

MINUTE = 60


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def port(app, certificate, monkeypatch):
    """The port of the shop's mail server, which does not run yet."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    number = free_port()
    sender = mail.SmtpSender(mail.read_url(f"smtp://localhost:{number}"), "shop.test")
    monkeypatch.setitem(app.extensions, "mail", sender)
    return number


@pytest.fixture
def product(app):
    return inside(app, factories.product, stock=1000)


def work(app):
    Worker(app, KINDS, (), relays=RELAYS).drain()


def pass_time(app, seconds):
    """Let the jobs that wait be due so much sooner."""

    def move():
        for job in db.session.scalars(db.select(Job).where(Job.status == "waiting")):
            job.due_at = job.due_at.fromtimestamp(
                job.due_at.timestamp() - seconds, job.due_at.tzinfo
            )

    inside(app, lambda: in_transaction(move))


def order_as(app, product, email):
    guest = Caller(app)
    fill(guest, product)
    assert guest.post("/api/orders", json={"email": email}).status_code == 201


def test_after_an_hour_without_a_mail_server_each_mail_is_sent_once(
    app, port, product, certificate
):
    people = [f"guest{number}@example.com" for number in range(12)]
    for email in people:  # five minutes later each
        order_as(app, product, email)
        work(app)
        pass_time(app, 5 * MINUTE)
    waiting = rows(app, Mail)
    assert len(waiting) == len(people)
    assert {row.status for row in waiting} == {"waiting"}
    assert all("cannot be reached" in row.error for row in waiting)
    tries = {job.tries for job in rows(app, Job) if job.kind == "mail"}
    assert 1 <= min(tries) <= max(tries) <= 9  # not one try a minute

    mailbox = Mailbox()
    with mail_server(mailbox, certificate, port=port):
        for _ in range(12):
            pass_time(app, 15 * MINUTE)
            work(app)
    sent = Counter(delivery.recipients for delivery in mailbox.deliveries)
    assert sent == {(email,): 1 for email in people}
    assert len({delivery.message["Message-ID"] for delivery in mailbox.deliveries}) == len(people)
    assert {row.status for row in rows(app, Mail)} == {"sent"}
    assert {job.status for job in rows(app, Job)} == {"done"}


def test_a_server_that_asks_to_wait_gets_the_mail_later(app, port, product, certificate):
    mailbox = Mailbox()
    mailbox.to_recipients = ["450 4.2.0 Greylisted, come back later"]
    with mail_server(mailbox, certificate, port=port):
        guest_order(Caller(app), product)
        work(app)
        (row,) = rows(app, Mail)
        assert row.status == "waiting"
        assert "450 4.2.0 Greylisted" in row.error
        pass_time(app, MINUTE)
        work(app)
    (delivery,) = mailbox.deliveries
    assert delivery.recipients == ("guest@example.com",)
    assert delivery.was_encrypted
    (row,) = rows(app, Mail)
    assert (row.status, row.error) == ("sent", None)


def test_an_address_that_does_not_exist_is_given_up_at_once(app, port, product, certificate):
    mailbox = Mailbox()
    mailbox.to_recipients = ["550 5.1.1 No such user here"]
    with mail_server(mailbox, certificate, port=port):
        guest_order(Caller(app), product)
        work(app)
        pass_time(app, 60 * MINUTE)
        work(app)
    assert mailbox.deliveries == []
    (row,) = rows(app, Mail)
    assert (row.status, row.error) == (
        "failed", "The mail server answered 550 5.1.1 No such user here",
    )  # fmt: skip


def test_a_slow_server_gets_a_mail_twice_at_most(app, port, product, certificate, monkeypatch):
    monkeypatch.setattr(mail, "DATA_TIMEOUT", 0.5)
    mailbox = Mailbox()
    mailbox.seconds = 2.0
    with mail_server(mailbox, certificate, port=port):
        guest_order(Caller(app), product)
        for _ in range(4):
            work(app)
            pass_time(app, 60 * MINUTE)
    assert len(mailbox.deliveries) == 2
    assert len({delivery.message["Message-ID"] for delivery in mailbox.deliveries}) == 1
    (row,) = rows(app, Mail)
    assert row.status == "failed"
    assert "it may have arrived" in row.error
