"""No list costs more statements for a thousand rows than for ten."""

import pytest

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.extensions import db
from app.models import Order, Product
from app.services.accounts import password_hashing
from app.services.seeding import seed_service
from app.services.seeding.orders import fill_up as fill_up_orders
from tests import factories
from tests.integration.browsing import Browser
from tests.integration.conftest import Caller, empty_cache
from tests.integration.db.test_query_counts import counted

pytestmark = pytest.mark.thorough

CUSTOMER, ADMIN = seed_service.DEMO_CUSTOMER, seed_service.DEMO_ADMIN
FEW, MANY = 10, 1_000
OF_STAFF = (
    "/api/products?per_page={n}", "/api/products?per_page={n}&q=oak", "/api/categories?per_page={n}",
    "/api/orders?per_page={n}", "/api/orders?per_page={n}&q=example", "/api/orders?per_page={n}&cursor=",
    "/api/users?per_page={n}", "/api/products/{product}/stock?per_page={n}",
)  # fmt: skip
OF_CUSTOMERS = ("/api/orders?per_page={n}", "/api/users/me/addresses?per_page={n}")
PAGES = ("/", "/search", "/search?q=oak", "/categories/kitchen")
PAGES_OF_CUSTOMERS = ("/account/orders", "/account/addresses")
PAGES_OF_STAFF = (
    "/admin", "/admin/orders", "/admin/orders?q=example", "/admin/products", "/admin/categories",
    "/admin/customers", "/admin/audit-trail",
)  # fmt: skip


@pytest.fixture
def shop(app):
    """The demo shop, and somebody who can sign in to look at it."""
    with app.app_context():
        hashes = [password_hashing.hash_password(password) for _, password in (CUSTOMER, ADMIN)]
        in_transaction(lambda: seed_service.create_demo("USD", *hashes, 1))
    return app


def grow(app) -> None:
    """A thousand products and a thousand orders more; more people, more stock that moved."""
    now = utc_now()
    with app.app_context():
        in_transaction(lambda: seed_service.add_products(MANY, "USD", 1, now))
        in_transaction(lambda: fill_up_orders(MANY, 1, "USD", now))
        for _ in range(20):
            factories.user()
        assert factories.count(Product) == factories.count(Order) == MANY


def costs(app, per_page: int) -> dict[str, int]:
    """How many statements each list takes."""
    with app.app_context():
        product = db.session.query(Product.slug).order_by(Product.id).limit(1).scalar()
    found: dict[str, int] = {}
    for account, paths in ((CUSTOMER, OF_CUSTOMERS), (ADMIN, OF_STAFF)):
        caller = signed_in(app, *account)
        for path in paths:
            found[path] = cost(app, caller, path.format(n=per_page, product=product))
    pages = ((CUSTOMER, PAGES_OF_CUSTOMERS), (ADMIN, PAGES_OF_STAFF), (None, PAGES))
    for visitor, paths in pages:
        browser = Browser(app)
        if visitor:
            browser.sign_in(*visitor)
        for path in paths:
            found[path] = cost(app, browser, path)
    return found


def signed_in(app, email: str, password: str) -> Caller:
    """Somebody with an account, at the API."""
    sent = {"email": email, "password": password}
    token = Caller(app).post("/api/auth/login", json=sent).json["access_token"]
    return Caller(app, Authorization=f"Bearer {token}")


def cost(app, visitor: Caller | Browser, path: str) -> int:
    with app.app_context():
        empty_cache()
    with counted(app) as run:
        assert visitor.get(path).status_code == 200, path
    return len(run)


def test_no_list_costs_more_statements_for_being_long(shop):
    few = costs(shop, FEW)
    grow(shop)

    many = costs(shop, 100)

    assert {path: n for path, n in many.items() if n > few[path]} == {}
    assert max(many.values()) <= 16
