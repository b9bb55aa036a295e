"""Which mails follow from what happens, from the change to the message."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest

from app.db.moments import seconds_from_now
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.jobs import KINDS, RELAYS
from app.jobs.kinds import Kind
from app.jobs.worker import Worker
from app.models import Mail, Order, Store
from app.services.messages import job_queue, mail_rules
from tests import factories
from tests.integration import second_factors
from tests.integration.conftest import Caller
from tests.integration.people import change, inside, login, make_user, only_row, rows, signed_in_as
from tests.integration.shopping import ADDRESS, guest_order, move, order

STAFF = "clerk@example.com"


@pytest.fixture
def product(app):
    return inside(app, factories.product, stock=5, name="Blue mug")


@pytest.fixture
def staff(app):
    """A member of staff, who signed in before these tests."""
    make_user(app, email=STAFF, role="admin")
    caller = signed_in_as(app, STAFF)
    inside(app, lambda: in_transaction(lambda: db.session.execute(db.delete(Mail))))
    return caller


def work(app):
    Worker(app, KINDS, (), relays=RELAYS).drain()


def mails(app):
    """Template and recipient of each mail."""
    return [(row.template, row.recipient) for row in rows(app, Mail)]


def text_of(app, row):
    path = Path(app.config["MAIL_FOLDER"]) / f"{row.message_id}.eml"
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    return message.get_body(("plain",)).get_content()


def test_a_guest_is_told_of_their_order_and_can_open_it(app, product):
    guest = Caller(app)
    placed = guest_order(guest, product, 2)
    work(app)
    row = only_row(app, Mail)
    assert (row.template, row.recipient, row.status) == (
        "order_placed", "guest@example.com", "sent",
    )  # fmt: skip
    text = text_of(app, row)
    for part in (placed["number"], "2 × Blue mug: $20.00", "Total: $20.00"):
        assert part in text
    path = text[text.index("/orders/") :].split()[0]
    browser = app.test_client()
    assert browser.get(path).status_code == 303
    assert placed["number"] in browser.get(f"/orders/{placed['number']}").text


def test_a_customer_is_told_of_each_step_once(app, product, staff):
    make_user(app, email="ann@example.com")
    placed = order(signed_in_as(app, "ann@example.com"), product, shipping_address=ADDRESS).json
    move(staff, placed, "processing", "shipped", "delivered")
    work(app)
    work(app)
    to = "ann@example.com"
    assert mails(app) == [("order_placed", to), ("order_shipped", to)]
    shipped = text_of(app, rows(app, Mail)[1])
    assert "1 High Street" in shipped
    assert "United Kingdom" in shipped


def test_a_cancelled_order_is_told(app, product):
    guest = Caller(app)
    placed = guest_order(guest, product)
    assert guest.post(f"/api/orders/{placed['number']}/cancel").status_code == 200
    work(app)
    assert [template for template, _to in mails(app)] == ["order_placed", "order_cancelled"]
    assert "Nothing of it will be sent" in text_of(app, rows(app, Mail)[1])


def test_a_guests_address_gets_so_many_mails_a_day(app, product, monkeypatch, caplog):
    monkeypatch.setattr(mail_rules, "MAX_FOR_GUEST", 3)

    def order_and_cancel():
        guest = Caller(app)
        placed = guest_order(guest, product)
        assert guest.post(f"/api/orders/{placed['number']}/cancel").status_code == 200

    order_and_cancel()
    order_and_cancel()  # in one batch
    work(app)
    assert len(mails(app)) == 3
    order_and_cancel()
    work(app)
    assert len(mails(app)) == 3
    assert "2 mails about guests' orders are not sent" in caplog.text
    assert "guest@example.com" not in caplog.text
    yesterday = seconds_from_now(-mail_rules.GUEST_SECONDS - 60)
    age = db.update(Mail).values(created_at=yesterday)
    inside(app, lambda: in_transaction(lambda: db.session.execute(age)))
    order_and_cancel()
    work(app)
    assert len(mails(app)) == 5


def test_an_accounts_owner_is_told_of_any_number_of_orders(app, product, monkeypatch):
    monkeypatch.setattr(mail_rules, "MAX_FOR_GUEST", 1)
    make_user(app, email="ann@example.com")
    ann = signed_in_as(app, "ann@example.com")
    for _ in range(3):
        order(ann, product)
    work(app)
    assert len(mails(app)) == 3


def test_the_mail_goes_to_the_accounts_present_address(app, product):
    ann = make_user(app, email="ann@example.com")
    order(signed_in_as(app, "ann@example.com"), product)
    change(app, ann, email="anna@example.com", email_key="anna@example.com")
    work(app)
    assert mails(app) == [("order_placed", "anna@example.com")]


def test_an_order_whose_person_is_erased_is_told_to_nobody(app, product):
    placed = guest_order(Caller(app), product)
    change(app, Order(id=placed["id"]), email=None)
    work(app)
    assert mails(app) == []


def test_staff_are_told_what_sold_out_in_one_mail(app, product, staff):
    make_user(app, email="former@example.com", role="admin", is_active=False)
    other = inside(app, factories.product, stock=1, name="Red mug")
    guest_order(Caller(app), product, 5)
    guest_order(Caller(app), other, 1)
    work(app)
    assert [to for template, to in mails(app) if template == "stock_out"] == [STAFF]
    (row,) = (row for row in rows(app, Mail) if row.template == "stock_out")
    text = text_of(app, row)
    assert "Blue mug" in text
    assert "Red mug" in text


def test_all_that_sold_out_is_told_in_mails_of_a_limited_length(app, product, staff, monkeypatch):
    monkeypatch.setattr(mail_rules, "MAX_VARIANTS", 2)
    names = ["Blue mug", "Red mug", "Green mug"]
    for name in names[1:]:
        guest_order(Caller(app), inside(app, factories.product, stock=1, name=name), 1)
    guest_order(Caller(app), product, 5)
    work(app)
    told = [text_of(app, row) for row in rows(app, Mail) if row.template == "stock_out"]
    assert len(told) == 2
    assert all(name in "".join(told) for name in names)


def test_what_is_in_stock_again_is_not_told(app, product, staff):
    guest = Caller(app)
    placed = guest_order(guest, product, 5)
    guest.post(f"/api/orders/{placed['number']}/cancel")
    work(app)
    (row,) = (row for row in rows(app, Mail) if row.template == "stock_out")
    assert (row.status, row.error) == ("failed", "The articles are in stock again.")


def test_the_shops_own_address_is_told_instead_of_each_of_staff(app, product, staff):
    inside(
        app,
        lambda: in_transaction(
            lambda: db.session.execute(db.update(Store).values(email="shop@example.com"))
        ),
    )
    guest_order(Caller(app), product, 5)
    work(app)
    assert ("stock_out", "shop@example.com") in mails(app)
    assert ("stock_out", STAFF) not in mails(app)


def test_a_parked_job_is_told_once_an_hour(app, staff):
    def fail(_job):
        raise ZeroDivisionError("no number")

    for key in ("1", "2"):
        inside(app, lambda: in_transaction(lambda: job_queue.enqueue("other", key)))  # noqa: B023
    Worker(app, (Kind("other", fail, max_tries=1),), ()).drain()
    work(app)
    row = only_row(app, Mail)
    assert (row.template, row.recipient, row.status) == ("job_parked", STAFF, "sent")
    text = text_of(app, row)
    assert "Kind: other" in text
    assert "Jobs of this kind that wait for you: 2" in text


def test_a_mail_to_staff_that_cannot_be_sent_makes_no_other(app, staff):
    job = job_queue.ClaimedJob(1, "mail", "mail 1", {"mail": 1, "template": "stock_out"}, 25)
    inside(app, lambda: in_transaction(lambda: mail_rules.queue_job_parked(job)))
    assert mails(app) == []
    other = job._replace(body={"mail": 1, "template": "order_placed"})
    inside(app, lambda: in_transaction(lambda: mail_rules.queue_job_parked(other)))
    assert mails(app) == [("job_parked", STAFF)]


def test_a_sign_in_of_staff_is_told_and_one_of_customers_is_not(app, staff):
    make_user(app, email="ann@example.com")
    login(Caller(app), "ann@example.com")
    login(Caller(app), STAFF, headers={"User-Agent": "Mozilla/5.0 Firefox/150.0"})
    login(Caller(app), STAFF, password="wrong")
    work(app)
    row = only_row(app, Mail)
    assert (row.template, row.recipient, row.status) == ("staff_sign_in", STAFF, "sent")
    assert "Firefox" in text_of(app, row)


def test_a_sign_in_with_a_second_factor_is_told_after_its_second_step(app):
    owner = second_factors.make_owner(app, STAFF, role="admin")
    inside(app, lambda: in_transaction(lambda: db.session.execute(db.delete(Mail))))
    token = second_factors.first_step(app, STAFF)
    assert mails(app) == []
    code = owner.authenticator.recovery_codes[0]
    assert second_factors.second_step(Caller(app), token, code).status_code == 200
    assert mails(app) == [("staff_sign_in", STAFF)]
