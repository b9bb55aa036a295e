"""The people of the matrix, and what the owner has that others are after."""

import itertools
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Table

from app.db import database_roles
from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.people.actor import SYSTEM
from app.extensions import db
from app.models import Base, Mail, Session, WebhookDelivery
from app.services.accounts import session_service
from app.services.messages import mail_service, webhook_endpoints
from app.web.callers.sign_in_cookie import AUDIENCE
from app.web.callers.tokens import token_pair
from tests import factories
from tests.integration.access.table import Route
from tests.integration.conftest import Caller
from tests.integration.people import bearer, change, inside
from tests.integration.shopping import ADDRESS, fill

PICTURE = "0" * 32
FILE = f"{PICTURE}-320.webp"
SECRET_STREET = "7 Nobody Knows Lane"
_numbers = itertools.count(1)
Facts = dict[Table, list[dict[str, Any]]]
"""The rows of tables, by their columns."""


@dataclass(frozen=True)
class Answer:
    """What somebody was told."""

    status: int
    headers: dict[str, str]
    text: str


class World:
    """Customer A with an address, a cart and an order; B with a cart; staff; and forgers."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.email = f"owner.of.things{next(_numbers)}@example.com"
        self.category = inside(app, factories.category)
        picture = {"id": PICTURE, "alt": "", "width": 8, "height": 8}
        self.product = inside(
            app, factories.product, category_id=self.category.id, images=[picture]
        )
        self._stored: Facts = {}
        app.extensions["media"].save(FILE, b"not looked at")
        self.empty_category = inside(app, factories.category)
        self.tokens = self._people()
        self._possessions()
        self._set_up_prices(self.caller("admin"))

    def _people(self) -> dict[str, dict[str, str]]:
        users = {
            "owner": inside(self.app, factories.user, email=self.email),
            "other": inside(self.app, factories.user),
            "admin": inside(self.app, factories.user, role="admin"),
            "deactivated": inside(self.app, factories.user),
        }
        self.owner_id = users["owner"].id
        self.session_id = inside(self.app, _begin_session, self.owner_id)
        tokens = {name: inside(self.app, _signed_in, user.id) for name, user in users.items()}
        # Behind the shop's back: the session goes on, and only the account says no.
        change(self.app, users["deactivated"], is_active=False)
        tokens["expired"] = dict(tokens["owner"])
        for mine in tokens.values():
            mine["page_token"] = self._signed({**_claims(mine["access_token"]), "aud": AUDIENCE})
        kinds = ("access_token", "refresh_token", "page_token")
        for kind in kinds:
            stale = {**_claims(tokens["expired"][kind]), "exp": int(time.time()) - 60}
            tokens["expired"][kind] = self._signed(stale)
        tokens["forged"] = {
            kind: _scratched(tokens["other"][kind], tokens["admin"][kind]) for kind in kinds
        }
        return tokens

    def _possessions(self) -> None:
        owner, other, admin = (self.caller(name) for name in ("owner", "other", "admin"))
        entry = owner.post("/api/users/me/addresses", json={**ADDRESS, "line1": SECRET_STREET})
        self.address_id = entry.json["id"]
        fill(owner, self.product)
        placed = owner.post("/api/orders", json={"address_id": self.address_id})
        self.order_number = placed.json["number"]
        self.item_id = fill(owner, self.product).json["items"][0]["id"]
        for caller in (other, admin):
            fill(caller, self.product)
        self.job_id = inside(self.app, _upload)
        self.endpoint_id, self.delivery_id = inside(self.app, _endpoint)
        self.mail_id = inside(self.app, _queue_mail, self.email, self.order_number)

    def _set_up_prices(self, admin: Caller) -> None:
        place = {"country": "AQ", "region": str(next(_numbers) % 1000)}
        rate = {"name": "VAT", "rate": "19", **place}
        self.rate_id = admin.post("/api/tax-rates", json=rate).json["id"]
        zone = {"name": "Ice", "places": [place]}
        self.zone_id = admin.post("/api/shipping-zones", json=zone).json["id"]
        offer = {"name": "Tenth", "kind": "percentage", "value": "10", "needs_code": True}
        self.promotion_id = admin.post("/api/promotions", json=offer).json["id"]
        self.code = f"TENTH-{next(_numbers)}"
        admin.post(f"/api/promotions/{self.promotion_id}/codes", json={"code": self.code})
        # Not active, so that orders need none.
        method = {
            "zone_id": self.zone_id,
            "name": "Sled",
            "rates": [{"price": "9.00"}],
            "is_active": False,
        }
        self.method_id = admin.post("/api/shipping-methods", json=method).json["id"]

    def caller(self, name: str) -> Caller:
        """One of CALLERS, as the API knows them."""
        if name == "anonymous":
            return Caller(self.app)
        return Caller(self.app, **bearer(self.tokens[name]["access_token"]))

    def unused(self) -> str:
        """An address that nobody has yet."""
        return f"new{next(_numbers)}@example.com"

    def request_as(self, route: Route, name: str, query: str = "") -> Answer:
        """What the shop answers somebody at a route, with the owner's things in path and body.

        A page that sends people to the sign-in page says 401 in its own way.
        """
        client = self.app.test_client()
        sent = route.sends(self)
        if name != "anonymous":
            sent |= self._credential(client, route, self.tokens[name])
        if route.is_page and route.method == "POST":
            sent["data"] = {**sent.get("data", {}), "csrf_token": self._csrf_token(client)}
        response = client.open(self.path(route), method=route.method, query_string=query, **sent)
        is_sent_away = response.headers.get("Location", "").startswith("/login")
        status = 401 if route.is_page and is_sent_away else response.status_code
        # The way back from the sign-in page repeats the address that was asked for.
        told = "" if is_sent_away else response.text
        answer = Answer(status, dict(response.headers), told)
        response.close()
        return answer

    def _csrf_token(self, client: FlaskClient) -> str:
        shown = client.get(f"/products/{self.product.slug}").text
        (token, *_more) = re.findall('name="csrf_token" value="([^"]+)"', shown)
        return str(token)

    def _credential(self, client: FlaskClient, route: Route, tokens: Any) -> dict[str, Any]:
        if route.is_page:
            client.set_cookie(self.app.config["JWT_ACCESS_COOKIE_NAME"], tokens["page_token"])
            return {}
        kind = "refresh_token" if route.rule == "/api/auth/refresh" else "access_token"
        return {"headers": bearer(tokens[kind])}

    def path(self, route: Route) -> str:
        """The route's path, leading to what the owner has."""
        emptied = route.method == "DELETE"
        places = {
            "address_id": self.address_id,
            "category": self.empty_category.id if emptied else self.category.id,
            "code": self.code,
            "delivery_id": self.delivery_id,
            "endpoint_id": self.endpoint_id,
            "filename": "icon.svg",
            "image": PICTURE,
            "item_id": self.item_id,
            "job_id": self.job_id,
            "mail_id": self.mail_id,
            "method_id": self.method_id,
            "name": FILE if route.rule.startswith("/media") else "swagger-ui.css",
            "number": self.order_number,
            "order": self.order_number,
            "part": "pages",
            "product": self.product.id,
            "promotion_id": self.promotion_id,
            "rate_id": self.rate_id,
            "session_id": self.session_id,
            "slug": (self.category if "categories" in route.rule else self.product).slug,
            "template": "order_placed",
            "user_id": self.owner_id,
            "variant_id": self.product.variants[0].id,
            "zone_id": self.zone_id,
        }
        path = route.rule
        for name, value in places.items():
            path = path.replace(f"<{name}>", str(value))
        return path

    def secrets(self) -> list[str]:
        """Words that nobody but the owner and staff may read."""
        return [self.email, self.order_number, SECRET_STREET]

    def rows(self) -> dict[str, list[Any]]:
        """Everything that is stored, but sessions: a refused refresh may end one."""
        return inside(self.app, _all_rows)

    def remember(self) -> None:
        """Note everything that is stored, for `put_back`."""
        self._stored = inside(self.app, _all_facts)

    def put_back(self) -> None:
        """Store again what was noted, in a shop that is empty."""
        self.app.extensions["media"].save(FILE, b"not looked at")
        inside(self.app, _store, self._stored)

    def _signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.app.config["JWT_SECRET_KEY"], "HS256")


def _begin_session(user_id: int) -> int:
    return in_transaction(lambda: session_service.begin(user_id, timedelta(days=1))).id


def _signed_in(user_id: int) -> dict[str, str]:
    session = in_transaction(lambda: session_service.begin(user_id, timedelta(days=1)))
    return token_pair(session)


def _upload() -> int:
    return factories.import_job(b"sku,name,price\nNEW,Vase,1.00\n").id


def _endpoint() -> tuple[int, int]:
    """A receiver of webhooks, and something that was given up there."""

    def work() -> WebhookDelivery:
        endpoint = webhook_endpoints.create_endpoint(
            SYSTEM, {"url": "https://erp.example/"}
        ).endpoint
        delivery = WebhookDelivery(
            endpoint_id=endpoint.id, event_seq=2**40, type="stock.out", subject_kind="variant",
            subject_id=1, body="{}", status="dead", ended_at=utc_now(),
        )  # fmt: skip
        db.session.add(delivery)
        db.session.flush()
        return delivery

    delivery = in_transaction(work)
    return delivery.endpoint_id, delivery.id


def _queue_mail(email: str, number: str) -> int:
    context = {"order": number}
    in_transaction(lambda: mail_service.queue_mail("order_placed", email, number, context))
    (mail_id,) = db.session.scalars(db.select(Mail.id).where(Mail.key == number))
    return int(mail_id)


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def _scratched(token: str, wanted: str) -> str:
    """One's own token with another's claims under one's own signature."""
    header, _claims, signature = token.split(".")
    return ".".join((header, wanted.split(".")[1], signature))


def _all_facts() -> Facts:
    found = {
        table: [dict(row) for row in db.session.execute(db.select(table)).mappings()]
        for table in Base.metadata.sorted_tables
        if table.name != "store"  # which is never without its row
    }
    db.session.rollback()
    return found


def _store(facts: Facts) -> None:
    categories = Base.metadata.tables["categories"]
    with database_roles.owner_engine().connect() as connection:
        connection = connection.execution_options(shop_writes=True)
        for table, rows in facts.items():
            if rows:
                connection.execute(table.insert(), rows)
        # The database has counted products in categories where they are counted already.
        for row in facts[categories]:
            connection.execute(categories.update().where(categories.c.id == row["id"]), row)
        connection.commit()


def _all_rows() -> dict[str, list[Any]]:
    tables = [table for table in Base.metadata.sorted_tables if table is not Session.__table__]
    found = {table.name: sorted(db.session.execute(db.select(table)), key=str) for table in tables}
    db.session.rollback()
    return found
