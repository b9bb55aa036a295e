"""What taxes, shipping and promotions add to the cost of a purchase, and many buyers with one code."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from flask.testing import FlaskClient

from app.extensions import db
from tests import factories, roles
from tests.performance.contention import BUYERS, deadlocks, described
from tests.performance.http import expect, insist, request
from tests.performance.load import Operation
from tests.performance.measure import Figures, one_round
from tests.performance.people import articles, in_shop, make_customers, token_of
from tests.performance.setting import Setting
from tests.performance.statements import count_statements
from tests.performance.workloads import Workload
from tests.performance.writes import ADDRESS, Customer, Steps, purchase
from tests.servers import run_sql

CODE, LIMITED_CODE = "BENCH10", "LIMITED10"
LIMIT = 10**6
PROMOTIONS, CODES = 1_000, 1_000_000
PLACE = {"country": "GB"}


class PricedShop(NamedTuple):
    """Where a purchase is shipped by, and who buys."""

    setting: Setting
    method_id: int
    variants: Sequence[int]
    customers: Sequence[Customer]


def measure_prices(plain: Setting, priced: Setting, rounds: int, seconds: float) -> dict[str, Any]:
    """Purchases without and with a tax, a method and a code, in turns; then the same with many promotions
    and codes, and by many buyers at once with an unlimited and with a limited code."""
    dice = Random(1)
    with in_shop(plain.environ) as app, app.app_context():
        bare = Workload("bare", "shop", purchase(articles(), dice))
    shop = _set_up(priced, dice)
    buying = Workload("priced", "shop", _buy(shop, dice, CODE))
    work = {
        "purchase": (plain, bare),
        "purchase with tax, shipping and a code": (priced, buying),
        "cart": (priced, Workload("cart", "shop", _ask(shop, dice, "GET", "/api/cart"))),
        "quote": (priced, Workload("quote", "shop", _ask(shop, dice, "POST", "/api/cart/quote"))),
    }
    rows = _in_turns(work, rounds, seconds)
    statements = count_statements(priced.environ, [buying], dice)["priced"]
    _add_promotions(priced)
    crowded = _in_turns(
        {
            "purchase": (plain, bare),
            f"purchase among {PROMOTIONS:,} promotions and {CODES:,} codes": (priced, buying),
        },
        rounds,
        seconds,
    )
    before = deadlocks(priced)
    contention = _in_turns(
        {
            name: (priced, Workload(name, "shop", _buy(shop, dice, code), connections=BUYERS))
            for name, code in (("unlimited code", CODE), ("limited code", LIMITED_CODE))
        },
        rounds,
        seconds,
    )
    return {
        "rows": rows,
        "crowded": crowded,
        "contention": contention,
        "statements": statements,
        "buyers": BUYERS,
        "deadlocks": deadlocks(priced) - before,
    }


def _in_turns(
    work: Mapping[str, tuple[Setting, Workload]], rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    figures = {name: Figures() for name in work}
    for _ in range(rounds):
        for name, (setting, workload) in work.items():
            figures[name].rounds.append(one_round(setting, workload, seconds))
    return {name: described(one) for name, one in figures.items()}


def _set_up(setting: Setting, dice: Random) -> PricedShop:
    with in_shop(setting.environ) as app:
        with app.app_context():
            variants, token = articles(), token_of(factories.user(role="admin").id)
            db.session.remove()
        client = app.test_client(use_cookies=False)
        headers = {"Authorization": f"Bearer {token}"}
        method_id = _post_prices(client, headers)
        customers, _people = make_customers(app, variants, dice)
        return PricedShop(setting, method_id, variants, customers)


def _post_prices(client: FlaskClient, headers: Mapping[str, str]) -> int:
    def post(path: str, **body: Any) -> Any:
        answer = client.post(path, json=body, headers=headers)
        insist(answer.status_code == 201, answer.text)
        return answer.json

    post("/api/tax-rates", name="VAT", rate="20", **PLACE)
    zone_id = post("/api/shipping-zones", name="Zone", places=[PLACE])["id"]
    rates = [{"price": "4.95"}]
    method = post("/api/shipping-methods", zone_id=zone_id, name="Parcel", rates=rates)
    for code, limit in ((CODE, None), (LIMITED_CODE, LIMIT)):
        rule = {"name": code, "kind": "percentage", "value": "10", "needs_code": True}
        promotion = post("/api/promotions", **rule, limit_total=limit)
        post(f"/api/promotions/{promotion['id']}/codes", code=code)
    return int(method["id"])


def _buy(shop: PricedShop, dice: Random, code: str) -> Operation:
    """As `writes.purchase`, with a code that is entered before the order, and a shipping method."""

    def steps() -> Steps:
        headers: dict[str, str] = {}
        for variant in dice.sample(list(shop.variants), 2):
            item = {"variant_id": variant}
            answer = yield request("POST", "/api/cart/items", item, headers)
            expect(answer, 201)
            headers = headers or {"X-Cart-Token": answer.header("X-Cart-Token")}
        answer = yield request("POST", "/api/cart/codes", {"code": code}, headers)
        expect(answer, 200)
        body = {
            "email": "ada@example.com",
            "shipping_address": ADDRESS,
            "shipping_method_id": shop.method_id,
        }
        answer = yield request("POST", "/api/orders", body, headers)
        order = expect(answer, 201)
        insist(order["discounts"][0]["code"] == code, f"without its discount: {order}")
        insist(order["taxes"] and order["shipping_total"] == "4.95", f"not priced: {order}")

    return steps


def _ask(shop: PricedShop, dice: Random, method: str, path: str) -> Operation:
    """A customer's cart of three lines, or what it would cost."""
    quoted = {"shipping_address": PLACE, "shipping_method_id": shop.method_id}
    body = quoted if method == "POST" else None

    def steps() -> Steps:
        who = dice.choice(shop.customers)
        answer = yield request(method, path, body, {"Authorization": f"Bearer {who.token}"})
        insist(len(expect(answer, 200)["items"]) == len(who.variants), "another cart")

    return steps


def _add_promotions(setting: Setting) -> None:
    """Active promotions, half of them with codes and half about one product each."""
    owner = roles.as_owner(setting.environ["DATABASE_URL"])
    run_sql(
        owner,
        "INSERT INTO promotions (name, kind, value, needs_code, names_articles, created_at, updated_at)"
        " SELECT 'Promotion ' || n, 'percentage', 5000, n % 2 = 0, n % 2 = 1, now(), now()"
        f" FROM generate_series(1, {PROMOTIONS}) n",
    )
    run_sql(
        owner,
        "INSERT INTO promotion_articles (promotion_id, part, product_id)"
        " SELECT p.id, 'buy', (SELECT id FROM products ORDER BY id OFFSET p.id % 1000 LIMIT 1)"
        " FROM promotions p WHERE p.names_articles",
    )
    run_sql(
        owner,
        "INSERT INTO promotion_codes (promotion_id, code, code_key, uses, created_at)"
        " SELECT ids[1 + n % array_length(ids, 1)], 'C' || n, 'c' || n, 0, now()"
        " FROM (SELECT array_agg(id) AS ids FROM promotions WHERE needs_code AND value = 5000) p,"
        f" generate_series(1, {CODES}) n",
    )
    run_sql(owner, "VACUUM ANALYZE")
