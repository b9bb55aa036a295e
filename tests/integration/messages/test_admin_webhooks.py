"""The staff's pages of webhooks."""

import re

import pytest
from standardwebhooks import Webhook

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import SYSTEM
from app.extensions import db
from app.models import Event, WebhookDelivery, WebhookEndpoint
from app.services.messages import subscribers, webhook_deliveries, webhook_endpoints
from app.services.messages.webhook_deliveries import Outcome
from tests.integration.people import inside, only_row, rows
from tests.integration.staff import fields_of, signed_in_staff

PAGE = "/admin/webhooks"
URL = "https://erp.example/shop?a=1"


@pytest.fixture
def staff(app):
    """A browser in which an admin is signed in."""
    return signed_in_staff(app)


@pytest.fixture
def delivery(app):
    """A delivery of an endpoint, which was sent once and failed."""

    def work():
        endpoint = webhook_endpoints.create_endpoint(SYSTEM, {"url": URL}).endpoint
        db.session.add(Event(type="order.placed", subject_kind="order", subject_id=7))
        db.session.flush()
        subscribers.relay_events()
        (row,) = webhook_deliveries.list_deliveries(endpoint.id, 1, 20).items
        webhook_deliveries.record_outcome(row.id, Outcome(503, None, 41), 60)
        return row

    return inside(app, lambda: in_transaction(work))


def test_a_shop_without_endpoints_says_so(staff):
    page = staff.get(PAGE).text
    assert "No endpoint yet." in page
    assert f'href="{PAGE}"' in staff.get("/admin/jobs").text


def test_an_endpoint_is_added_once_and_its_secret_shown_once(app, staff):
    page = staff.get(f"{PAGE}/new")
    fields = {
        **fields_of(page.text, f"{PAGE}/new"),
        "url": URL,
        "types": ["order.placed", "stock.out"],
    }
    added = staff.send(f"{PAGE}/new", **fields)
    assert added.status_code == 200
    (secret,) = re.findall(r"whsec_[\w+/=]+", added.text)
    Webhook(secret)
    endpoint = only_row(app, WebhookEndpoint)
    assert (endpoint.url, endpoint.types, endpoint.is_active) == (URL, fields["types"], True)

    staff.page = page  # a second click, or the page loaded again
    again = staff.send(f"{PAGE}/new", **fields)
    assert again.status_code == 303
    assert secret not in staff.follow(again).text
    assert len(rows(app, WebhookEndpoint)) == 1


def test_a_wrong_url_is_told_beside_its_field(app, staff):
    staff.get(f"{PAGE}/new")
    page = staff.send(f"{PAGE}/new", url="http://erp.example", types=["stock.out"], is_active="1")
    assert page.status_code == 422
    assert "begins with https://" in page.text
    assert 'value="http://erp.example"' in page.text
    assert 'value="stock.out" checked' in page.text
    assert rows(app, WebhookEndpoint) == []


def test_an_endpoint_is_changed_switched_off_and_deleted(app, staff, delivery):
    path = f"{PAGE}/{delivery.endpoint_id}"
    shown = staff.get(path)
    fields = {**fields_of(shown.text, path), "description": "ERP <b>", "types": []}
    fields.pop("is_active")
    page = staff.follow(staff.send(path, **fields))
    assert "The endpoint is saved." in page.text
    row = only_row(app, WebhookEndpoint)
    assert (row.description, row.types, row.is_active) == ("ERP <b>", [], False)
    listed = staff.get(PAGE).text
    assert "ERP &lt;b&gt;" in listed
    assert "Switched off" in listed

    staff.get(path)
    assert "The endpoint is deleted." in staff.follow(staff.send(f"{path}/delete")).text
    assert rows(app, WebhookDelivery) == []


def test_a_failed_delivery_is_shown_and_sent_again(app, staff, delivery):
    path = f"{PAGE}/{delivery.endpoint_id}"
    page = staff.get(path)
    for text in ("order.placed", "Waiting", "503 in 41 ms", "again"):
        assert text in page.text
    assert "Does not answer" in staff.get(PAGE).text

    action = f"{path}/deliveries/{delivery.id}/resend"
    for _ in range(2):
        staff.page = page
        assert "due again" in staff.follow(staff.send(action)).text
    row = only_row(app, WebhookDelivery)
    assert (row.status, row.resends) == ("waiting", 1)


def test_nothing_is_sent_again_to_an_endpoint_that_is_off(app, staff, delivery):
    edit = webhook_endpoints.edit_endpoint
    inside(
        app,
        lambda: in_transaction(lambda: edit(SYSTEM, delivery.endpoint_id, {"is_active": False})),
    )
    path = f"{PAGE}/{delivery.endpoint_id}"
    staff.get(path)
    page = staff.follow(staff.send(f"{path}/deliveries/{delivery.id}/resend"))
    assert "The endpoint is switched off." in page.text


def test_a_new_secret_is_shown_once(app, staff, delivery):
    path = f"{PAGE}/{delivery.endpoint_id}"
    page = staff.get(path)
    rotated = staff.send(f"{path}/rotate")
    (secret,) = re.findall(r"whsec_[\w+/=]+", rotated.text)
    staff.page = page
    assert staff.send(f"{path}/rotate").status_code == 303
    endpoint = inside(app, lambda: webhook_endpoints.get_endpoint(delivery.endpoint_id))
    assert inside(app, lambda: webhook_endpoints.signing_secrets(endpoint))[0] == secret
    assert "signs until" in staff.get(path).text
