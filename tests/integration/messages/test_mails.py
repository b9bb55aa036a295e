"""Mails: one for each occasion and recipient, sent by the worker, and what becomes of failures."""

import os
import signal
import subprocess
import sys
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from app.config import ROOT
from app.db.moments import seconds_from_now
from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
from app.extensions import db
from app.gateways import mail
from app.gateways.mail import Bounce, FolderSender, OutcomeUnknown, TemporaryFailure
from app.jobs import KINDS
from app.jobs import mails as mail_jobs
from app.jobs.worker import Worker
from app.models import Job, Mail, Order, Store
from app.services.messages import job_queue, mail_service
from app.services.operations import purge_service
from tests import factories
from tests.factories import count
from tests.integration.conftest import Caller
from tests.integration.people import (
    at_once,
    change,
    inside,
    make_user,
    only_row,
    rows,
    signed_in_as,
)
from tests.integration.shopping import guest_order, order

TO = "ann@example.com"


class Outbox:
    """Takes messages instead of a mail server; fails first as it is told to."""

    def __init__(self, *failures):
        self.failures, self.messages = list(failures), []

    def send(self, message, sender, recipient):
        failure = self.failures.pop(0) if self.failures else None
        if not isinstance(failure, TemporaryFailure | Bounce) or isinstance(
            failure, OutcomeUnknown
        ):
            self.messages.append((recipient, message))
        if failure:
            raise failure


@pytest.fixture
def outbox(app, monkeypatch):
    """Where the shop's messages go."""
    box = Outbox()
    monkeypatch.setitem(app.extensions, "mail", box)
    return box


@pytest.fixture
def placed(app):
    """A guest's order."""
    return guest_order(Caller(app), inside(app, factories.product))


def queue(app, number, template="order_placed", to=TO, key="event 1"):
    work = partial(mail_service.queue_mail, template, to, key, {"order": number})
    return inside(app, lambda: in_transaction(work))


def make_due(app):
    statement = (
        update(Job)
        .where(Job.status == "waiting")
        .values(due_at=seconds_from_now(-1), leased_until=None)
    )
    inside(app, lambda: in_transaction(lambda: db.session.execute(statement)))


def work(app, times=1):
    for _ in range(times):
        make_due(app)
        Worker(app, KINDS, ()).drain()


def test_an_occasion_makes_one_mail_for_each_template_and_recipient(app, outbox, placed):
    assert queue(app, placed["number"])
    assert not queue(app, placed["number"])
    assert not queue(app, placed["number"], to="Ann@EXAMPLE.com")
    assert queue(app, placed["number"], template="order_shipped")
    assert queue(app, placed["number"], to="bob@example.com")
    assert queue(app, placed["number"], key="event 2")
    work(app)
    assert len(outbox.messages) == 4
    assert {row.status for row in rows(app, Mail)} == {"sent"}
    assert not queue(app, placed["number"])


def test_a_mail_of_a_change_that_was_rolled_back_does_not_exist(app):
    def fail():
        mail_service.queue_mail("order_placed", TO, "event 1", {"order": "SW"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        inside(app, lambda: in_transaction(fail))
    assert inside(app, count, Mail) == inside(app, count, Job) == 0


@pytest.mark.races
def test_eight_that_queue_one_mail_at_once_store_one(app, placed):
    results = at_once([partial(queue, app, placed["number"])] * 8)
    assert sorted(results) == [False] * 7 + [True]
    assert inside(app, count, Job) == 1


def test_headers_say_what_a_mail_is(app, outbox, placed):
    queue(app, placed["number"])
    work(app)
    ((recipient, message),) = outbox.messages
    row = only_row(app, Mail)
    assert recipient == TO
    assert message["To"] == TO
    assert message["From"].addresses[0].display_name == "ShopSwift"
    assert message["Subject"] == f"Your order {placed['number']}"
    assert message["Message-ID"] == f"<{row.message_id}@shop.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Reply-To"]
    assert message["List-Unsubscribe"] is None
    assert abs((message["Date"].datetime - row.created_at).total_seconds()) < 1
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_answers_go_to_an_address_that_the_message_can_hold(app, outbox, placed):
    rename = update(Store).values(email="läden@example.com")
    inside(app, lambda: in_transaction(lambda: db.session.execute(rename)))
    queue(app, placed["number"])
    queue(app, placed["number"], to="jürgen@example.com")
    work(app)
    addresses = [
        str(message["Reply-To"].addresses[0].addr_spec) for _to, message in outbox.messages
    ]
    assert sorted(addresses) == ["läden@example.com", "shop@shop.test"]
    plain = next(message for to, message in outbox.messages if to == TO)
    plain.as_bytes(policy=policy.SMTP)


@pytest.mark.parametrize(
    "name",
    ['Läden & Söhne, "GmbH"', "Evil\r\nBcc: x@example.com", "店" * 90],
    ids=["letters", "line break", "long"],
)
def test_no_name_of_the_shop_can_break_a_header(app, outbox, placed, name):
    rename = update(Store).values(name=name)
    inside(app, lambda: in_transaction(lambda: db.session.execute(rename)))
    queue(app, placed["number"])
    work(app)
    data = outbox.messages[0][1].as_bytes(policy=policy.SMTP)
    message = message_from_bytes(data, policy=policy.default)
    assert message["Bcc"] is None
    # Python's parser keeps the spaces between encoded words, which RFC 2047 says to ignore.
    assert message["From"].addresses[0].display_name.replace(" ", "") == "".join(name.split())
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))


def test_addresses_with_other_letters_are_written_as_servers_read_them(app, outbox, placed):
    queue(app, placed["number"], to="info@bücher.example")
    queue(app, placed["number"], to="jürgen@bücher.example")
    work(app)
    domain = "xn--bcher-kva.example"
    assert [to for to, _message in outbox.messages] == [f"info@{domain}", f"jürgen@{domain}"]
    data = outbox.messages[0][1].as_bytes(policy=policy.SMTP)
    assert f"To: info@{domain}".encode() in data


def test_a_temporary_failure_is_tried_again_with_the_same_message(app, outbox, placed):
    outbox.failures = [TemporaryFailure("The mail server answered 451 for ann@example.com")]
    queue(app, placed["number"])
    work(app)
    row, job = only_row(app, Mail), only_row(app, Job)
    assert (row.status, row.open_tries, job.status) == ("waiting", 0, "waiting")
    assert "451" in row.error
    assert TO not in job.error
    work(app)
    row = only_row(app, Mail)
    assert (row.status, row.error) == ("sent", None)
    assert len(outbox.messages) == 1


def test_two_days_of_failures_are_told_to_staff_who_can_run_the_job_again(app, outbox, placed):
    outbox.failures = [TemporaryFailure("away")] * mail_jobs.TRIES
    queue(app, placed["number"])
    work(app, mail_jobs.TRIES - 1)
    assert only_row(app, Mail).status == "waiting"
    work(app)
    row, job = only_row(app, Mail), only_row(app, Job)
    assert (row.status, row.error, job.status) == ("failed", "away", "parked")
    longest = sum(mail_jobs.MAIL.pause(tries) for tries in range(1, mail_jobs.TRIES)) / 3600
    assert 36 < longest < 60
    inside(app, lambda: in_transaction(lambda: job_queue.run_again(Actor("admin", 1), job.id)))
    work(app)
    assert only_row(app, Mail).status == "sent"
    assert only_row(app, Job).status == "done"


def test_a_hard_bounce_is_not_tried_again(app, outbox, placed):
    outbox.failures = [Bounce("The mail server answered 550 No such user")]
    queue(app, placed["number"])
    work(app, 2)
    row = only_row(app, Mail)
    assert (row.status, row.error) == ("failed", "The mail server answered 550 No such user")
    assert only_row(app, Job).status == "done"
    assert outbox.messages == []


def test_after_two_lost_answers_a_mail_is_left_to_staff(app, outbox, placed):
    outbox.failures = [OutcomeUnknown("no answer")] * 5
    queue(app, placed["number"])
    work(app, 5)
    assert len({message["Message-ID"] for _to, message in outbox.messages}) == 1
    assert len(outbox.messages) == 2
    assert only_row(app, Mail).status == "failed"
    assert only_row(app, Job).status == "parked"


def test_a_mail_that_cannot_be_made_does_not_count_as_sent(app, outbox, placed, monkeypatch):
    def fail(_mail):
        raise ZeroDivisionError

    monkeypatch.setattr("app.web.mails.messages.build", fail)
    queue(app, placed["number"])
    work(app, 3)
    assert (only_row(app, Mail).status, only_row(app, Mail).open_tries) == ("waiting", 0)
    work(app, mail_jobs.TRIES - 3)
    assert only_row(app, Mail).status == "failed"
    assert only_row(app, Job).status == "parked"


@pytest.mark.processes
def test_a_worker_that_dies_after_the_server_accepted_sends_the_same_message_once_more(
    app, environ, tmp_path, placed
):
    program = """
import os, signal, sys
from app import create_app
from app.config import load
from app.jobs import KINDS
from app.jobs.worker import Worker
from app.services.messages import mail_service

def die(*_args):
    os.kill(os.getpid(), signal.SIGKILL)

mail_service.record_sent = die
Worker(create_app(load()), KINDS, ()).drain()
"""
    queue(app, placed["number"])
    folder = tmp_path / "mail"
    settings = {**os.environ, **environ, "MAIL_FOLDER": str(folder)}
    messages = []
    for _ in range(2):
        make_due(app)
        ended = subprocess.run([sys.executable, "-c", program], env=settings, cwd=ROOT, timeout=120)
        assert ended.returncode == -signal.SIGKILL
        (path,) = folder.iterdir()
        messages.append(message_from_bytes(path.read_bytes(), policy=policy.default))
    assert messages[0]["Message-ID"] == messages[1]["Message-ID"]
    assert messages[0]["Date"] == messages[1]["Date"]
    assert only_row(app, Mail).open_tries == 2
    work(app)  # nobody knows whether it arrived twice, so it is not sent a third time
    assert only_row(app, Mail).status == "failed"


def test_a_guests_link_opens_the_order_also_after_the_key_has_changed(
    app, outbox, placed, monkeypatch
):
    def link():
        text = outbox.messages[-1][1].get_body(("plain",)).get_content()
        return next(line for line in text.splitlines() if "token=" in line)

    def opens(address):
        token = address.rpartition("token=")[2]
        path = f"/api/orders/{placed['number']}"
        return Caller(app).get(path, headers={"X-Order-Token": token}).status_code == 200

    queue(app, placed["number"])
    work(app)
    first = link()
    assert first.startswith(f"http://localhost:5000/orders/{placed['number']}?token=")
    assert opens(first)
    assert not opens(first + "x")
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [app.config["SECRET_KEY"]])
    monkeypatch.setitem(app.config, "SECRET_KEY", "another-secret-of-more-than-32-bytes!")
    queue(app, placed["number"], template="order_shipped")
    work(app)
    assert link() == first
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [])
    assert opens(first)
    assert first.rpartition("=")[2] not in str(
        inside(app, lambda: db.session.execute(db.select(Mail.__table__)).all())
    )


def test_a_link_does_not_change_the_order(app, outbox, placed):
    before = only_row(app, Order).updated_at
    queue(app, placed["number"])
    work(app)
    assert only_row(app, Order).updated_at == before


def test_a_customers_link_holds_no_secret(app, outbox, customer):
    number = order(customer, inside(app, factories.product)).json["number"]
    queue(app, number)
    work(app)
    text = outbox.messages[0][1].get_body(("plain",)).get_content()
    assert f"http://localhost:5000/orders/{number}\n" in text
    assert "token" not in text
    assert only_row(app, Order).link_token_hash is None


def test_closing_the_account_deletes_its_mails(app, outbox, placed):
    make_user(app, email=TO)
    ann = signed_in_as(app, TO)
    number = order(ann, inside(app, factories.product)).json["number"]
    queue(app, number)
    queue(app, number, to="former@example.com")
    queue(app, placed["number"], to="bob@example.com")
    change(app, Order(id=placed["id"]), email=None)
    answer = ann.delete("/api/users/me", json={"password": factories.PASSWORD})
    assert answer.status_code == 204
    assert [row.recipient for row in rows(app, Mail)] == ["bob@example.com"]
    work(
        app
    )  # the job of the deleted mail has nothing to do, and of the other order no person is left
    assert outbox.messages == []
    assert only_row(app, Mail).status == "failed"
    assert {job.status for job in rows(app, Job)} == {"done"}


def test_closing_the_account_deletes_mails_to_former_addresses_and_their_files(app):
    ann = make_user(app, email=TO)
    caller = signed_in_as(app, TO)
    queue_it = partial(mail_service.queue_mail, "password_changed", "old@example.com", "1",
                    {"user": ann.id, "at": "2026-01-01T00:00:00+00:00"})  # fmt: skip
    inside(app, lambda: in_transaction(queue_it))
    work(app)
    name = only_row(app, Mail).message_id
    file = Path(app.config["MAIL_FOLDER"]) / f"{name}.eml"
    assert file.exists()
    answer = caller.delete("/api/users/me", json={"password": factories.PASSWORD})
    assert answer.status_code == 204
    assert rows(app, Mail) == []
    assert not file.exists()


def test_old_mails_are_purged(app, placed):
    queue(app, placed["number"])
    expired = next(r for r in inside(app, purge_service.expired_rows, 30, 90) if r.table is Mail)
    assert inside(app, purge_service.count, expired) == 0
    age = seconds_from_now(-mail_service.STORED.total_seconds() - 60)
    inside(
        app, lambda: in_transaction(lambda: db.session.execute(update(Mail).values(created_at=age)))
    )
    assert inside(app, purge_service.count, expired) == 1


def test_without_a_server_mails_are_files_that_others_cannot_read(app, placed):
    folder = app.config["MAIL_FOLDER"]
    queue(app, placed["number"])
    work(app)
    name = only_row(app, Mail).message_id
    store = FolderSender(mail.Path(folder))
    message = message_from_bytes(store.read(name), policy=policy.default)
    assert message["To"] == TO
    assert (mail.Path(folder) / f"{name}.eml").stat().st_mode & 0o077 == 0
    assert store.read("../secret") is None
    assert store.read("0" * 32) is None


def test_a_folder_that_cannot_be_written_to_is_tried_again(app, placed, monkeypatch, tmp_path):
    (tmp_path / "mail").write_text("a file")
    monkeypatch.setitem(app.extensions, "mail", FolderSender(tmp_path / "mail"))
    queue(app, placed["number"])
    work(app)
    assert "folder of mails cannot be written" in only_row(app, Mail).error
