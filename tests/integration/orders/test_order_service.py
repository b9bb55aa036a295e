"""Orders below the doors: what holds whoever calls."""

from datetime import timedelta

import pytest
import time_machine

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.order_status import IllegalTransition
from app.domain.people.actor import SYSTEM, Actor
from app.domain.people.buyer import Buyer
from app.domain.people.guest_limits import GuestLimits
from app.domain.people.tokens import hash_token
from app.errors import Invalid, NotFound, Unauthenticated
from app.extensions import db
from app.models import AuditEvent, Order, OrderEvent, StockMovement, User, Variant
from app.schemas.orders import show_order
from app.services import order_service, user_service
from app.services.buying import cart_contents, cart_service, checkout_service
from app.services.buying.checkout_service import OrderRequest
from app.services.inventory import inventory_service
from app.services.inventory.inventory_service import OutOfStock, StockRequest
from app.services.order_service import Visitor
from app.services.orders.guest_limits import GuestOrigin
from tests import factories
from tests.integration.books import assert_books_balance
from tests.integration.shopping import change

NO_LIMITS = GuestOrigin(None, GuestLimits())


@pytest.fixture(autouse=True)
def _inside(app):
    with app.app_context():
        yield
        assert_books_balance()


@pytest.fixture
def buyer():
    return Buyer(Actor("customer", user_id=factories.user().id))


def put(buyer, *products):
    for product in products:
        in_transaction(lambda p=product: cart_service.add_item(buyer, 1, product_id=p.id))


def place(buyer, request=None):
    """Place an order, and return it as the service does."""
    return in_transaction(
        lambda: checkout_service.place_order(buyer, request or OrderRequest(), "USD", NO_LIMITS)
    )


def test_an_order_is_returned_as_it_was_written(buyer):
    put(buyer, factories.product(), factories.product())

    order = place(buyer, OrderRequest(note="Ring twice"))

    assert db.session.scalars(db.select(Order.number)).one() == order.number
    assert show_order(order) == show_order(
        order_service.get_order(Visitor(buyer.actor), order.number)
    )


def test_nobody_in_particular_sees_and_cancels_no_order(buyer):
    put(buyer, factories.product())
    number = place(buyer).number
    nobody = Visitor(Actor("anonymous"))

    with pytest.raises(NotFound):
        order_service.get_order(nobody, number)
    with pytest.raises(NotFound):
        in_transaction(lambda: order_service.change_status(nobody, number, "cancelled"))


def test_the_holder_of_a_token_sees_its_order_and_no_other(buyer):
    numbers = []
    for column in (Order.guest_token_hash, Order.link_token_hash):
        put(buyer, factories.product())
        numbers.append(place(buyer).number)
        token = {column: hash_token(f"token {len(numbers)}")}
        update = db.update(Order).where(Order.number == numbers[-1]).values(token)
        in_transaction(lambda statement=update: db.session.execute(statement))

    for number, other, token in ((*numbers, "token 1"), (*numbers[::-1], "token 2")):
        holder = Visitor(Actor("anonymous"), token)
        assert order_service.get_order(holder, number).number == number
        with pytest.raises(NotFound):
            order_service.get_order(holder, other)


def test_a_step_without_a_note_has_none(buyer):
    put(buyer, factories.product())
    number = place(buyer).number

    order = in_transaction(
        lambda: order_service.change_status(Visitor(buyer.actor), number, "cancelled")
    )

    assert [event.note for event in order.events] == ["", ""]


def test_a_step_has_its_time_its_actor_and_a_row_in_the_trail(buyer):
    put(buyer, factories.product())
    number = place(buyer).number
    staff = Actor("admin", user_id=factories.user(role="admin").id)
    later = utc_now() + timedelta(hours=1)

    with time_machine.travel(later, tick=False):
        order = in_transaction(
            lambda: order_service.change_status(Visitor(staff), number, "processing", "Packed")
        )

    step = order.events[-1]
    assert (order.status, order.updated_at) == ("processing", later)
    assert (step.status, step.note, step.user_id) == ("processing", "Packed", staff.user_id)
    assert step.at == order.updated_at
    row = db.session.scalars(db.select(AuditEvent)).one()
    assert (row.action, row.subject_id, row.user_id) == (
        "order.status_changed",
        order.id,
        staff.user_id,
    )
    assert row.changes == {"status": ["pending", "processing"]}


def test_what_nobody_has_is_not_found_by_its_kind(buyer):
    with pytest.raises(NotFound, match=r"no such order\."):
        order_service.get_order(Visitor(SYSTEM), "1")


def test_each_order_is_found_by_its_own_id_and_number(buyer):
    numbers = []
    for _ in range(2):
        put(buyer, factories.product())
        numbers.append(place(buyer).number)

    found = [order_service.get_order(Visitor(SYSTEM), number) for number in numbers]
    by_id = [order_service.get_order(Visitor(buyer.actor), str(order.id)) for order in found]

    assert [order.number for order in found] == [order.number for order in by_id] == numbers
    moved = in_transaction(
        lambda: order_service.change_status(Visitor(SYSTEM), numbers[0], "cancelled")
    )
    assert moved.number == numbers[0]


def test_an_order_is_locked_as_it_is_by_now(buyer):
    """The session has read it before another one moved it along."""
    put(buyer, factories.product())
    number = place(buyer).number

    def move_twice():
        order = order_service.get_order(Visitor(SYSTEM), number)
        db.session.execute(db.text("UPDATE orders SET status = 'processing'"))
        assert order.status == "pending"
        order_service.change_status(Visitor(SYSTEM), number, "processing")

    with pytest.raises(IllegalTransition):
        in_transaction(move_twice)


def test_a_variant_is_locked_as_it_is_by_now():
    variant_id = factories.product(stock=5).variants[0].id

    def lock():
        variant = db.session.get(Variant, variant_id)
        db.session.execute(db.text("UPDATE variants SET on_hand = 4"))
        assert variant.on_hand == 5
        on_hand = inventory_service.lock_variants([variant_id])[variant_id].on_hand
        db.session.execute(db.text("UPDATE variants SET on_hand = 5"))
        return on_hand

    assert in_transaction(lock) == 4


def test_an_account_that_was_closed_meanwhile_places_nothing(app, buyer):
    put(buyer, factories.product())
    change(app, User(id=buyer.user_id), is_active=False)

    with pytest.raises(Unauthenticated):
        place(buyer)

    assert factories.count(Order) == 0


def test_an_account_that_was_closed_meanwhile_leaves_no_note(buyer):
    put(buyer, factories.product())
    number, user = place(buyer).number, db.session.get(User, buyer.user_id)
    in_transaction(lambda: user_service.erase(db.session.merge(user)))

    with pytest.raises(Unauthenticated):
        in_transaction(
            lambda: order_service.change_status(
                Visitor(buyer.actor), number, "cancelled", "Ring at Ann Lee's"
            )
        )

    assert [event.note for event in db.session.scalars(db.select(OrderEvent))] == [""]


def test_a_cart_that_outgrew_an_order_by_merging_is_refused(buyer, monkeypatch):
    put(buyer, factories.product(), factories.product())
    monkeypatch.setattr(cart_service, "MAX_LINES", 1)

    with pytest.raises(Invalid) as refusal:
        place(buyer)

    assert refusal.value.code == "cart_too_large"


def test_the_program_itself_may_move_an_order_along(buyer):
    put(buyer, factories.product())
    number = place(buyer).number

    in_transaction(lambda: order_service.change_status(Visitor(SYSTEM), number, "processing"))

    assert db.session.scalars(db.select(OrderEvent.done_by).order_by(OrderEvent.id)).all() == [
        "customer", "system",
    ]  # fmt: skip


def test_figures_that_are_read_after_an_order_follow_it_in_the_same_transaction(buyer):
    product = factories.product(stock=5)
    put(buyer, product)

    def place_and_look():
        checkout_service.place_order(buyer, OrderRequest(), "USD", NO_LIMITS)
        return db.session.get(Variant, product.variants[0].id).available

    assert in_transaction(place_and_look) == 4


def test_shortages_name_every_variant_that_is_short():
    requests = [
        StockRequest(1, "few", 2, 1),
        StockRequest(2, "many", 2, 2),
        StockRequest(3, "gone", 1, 0),
    ]

    with pytest.raises(OutOfStock) as refusal:
        inventory_service.refuse_shortages(requests)

    assert refusal.value.extra["shortages"] == [
        {"variant_id": 1, "sku": "few", "requested": 2, "available": 1},
        {"variant_id": 3, "sku": "gone", "requested": 1, "available": 0},
    ]


@pytest.mark.parametrize("short", [0, 1, 2])
@pytest.mark.parametrize("is_late", [False, True])
def test_stock_is_promised_to_all_lines_of_an_order_or_to_none(buyer, monkeypatch, short, is_late):
    products = [factories.product(stock=1) for _ in range(3)]
    put(buyer, *products)
    change_stock(products[short], -1)
    movements, tries, check = factories.count(StockMovement), [], inventory_service.refuse_shortages

    def refuse_shortages(requests):
        tries.append("order")
        if len(tries) > is_late:  # the first try has read the stock before the unit went
            check(requests)

    monkeypatch.setattr(inventory_service, "refuse_shortages", refuse_shortages)
    with pytest.raises(OutOfStock) as refusal:
        place(buyer)

    assert len(tries) == 1 + is_late
    assert [line["variant_id"] for line in refusal.value.extra["shortages"]] == [
        products[short].variants[0].id
    ]
    assert (factories.count(Order), factories.count(StockMovement)) == (0, movements)
    assert cart_contents.count_units(buyer) == 3


@pytest.mark.parametrize(
    "change",
    ["is_active = false", "deleted_at = CURRENT_TIMESTAMP", "price = price + 1", "on_hand = allocated"],
)  # fmt: skip
def test_an_order_is_tried_again_where_a_variant_changes_after_it_was_read(
    buyer, monkeypatch, change
):
    put(buyer, factories.product(stock=3))
    tries, check = [], inventory_service.refuse_shortages

    def refuse_shortages(requests):
        check(requests)
        tries.append("order")
        if len(tries) == 1:  # the next try takes it back
            db.session.execute(db.text(f"UPDATE variants SET {change}"))

    monkeypatch.setattr(inventory_service, "refuse_shortages", refuse_shortages)
    place(buyer)

    assert len(tries) == 2
    assert factories.count(Order) == 1


def change_stock(product, delta):
    def adjust():
        variant = inventory_service.lock_variants([product.variants[0].id])[product.variants[0].id]
        inventory_service.adjust(variant, delta, "Counted", SYSTEM)

    in_transaction(adjust)


def test_stock_that_can_be_sold_is_set_beside_what_is_promised(buyer):
    product = factories.product(stock=5)
    put(buyer, product)
    place(buyer)

    def set_sellable():
        variant = inventory_service.lock_variants([product.variants[0].id])[product.variants[0].id]
        inventory_service.set_sellable(variant, 7, "Counted", SYSTEM)
        return variant.on_hand, variant.allocated

    assert in_transaction(set_sellable) == (8, 1)
