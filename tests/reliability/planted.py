"""The faults that are planted: each a slip that real shops have made, and who has to notice it."""

from tests.reliability.fault import (
    CACHE,
    CARTS,
    CHECKOUT,
    CHECKOUT_LINES,
    INVENTORY,
    ORDERS,
    UNIT_OF_WORK,
    Edit,
    Mutant,
)
from tests.reliability.planted_guards import GUARDS
from tests.reliability.planted_prices import PRICES

__all__ = ["MUTANTS", "Edit", "Mutant"]

MUTANTS = (
    Mutant(
        "no_row_guard",
        "Stock is checked when it is read, and not again when it is promised.",
        (Edit(INVENTORY, "    _LOCKED_LINES.c.quantity <= NOT_ALLOCATED,\n", ""),),
        "two_for_the_last",
        without_check=True,
    ),
    Mutant(
        "last_unit_kept",
        "More is wanted than there is, although it is just as much.",
        (
            Edit(
                INVENTORY,
                "if request.available < request.requested",
                "if request.available <= request.requested",
            ),
        ),
        "two_for_the_last",
    ),
    Mutant(
        "no_key",
        "The idempotency key is not looked at.",
        (Edit("app/api/orders.py", "current_buyer(), order_request()", "current_buyer(), None"),),
        "key_sent_twice",
    ),
    Mutant(
        "key_taken_over",
        "Who sends a key again takes it over, and is served again.",
        (
            Edit(
                "app/services/messages/idempotency.py",
                "where=IdempotencyKey.created_at <= bindparam",
                "where=IdempotencyKey.created_at >= bindparam",
            ),
        ),
        "key_sent_twice",
    ),
    Mutant(
        "answer_before_commit",
        "The answer to an order goes out while its commit is still to come.",
        (
            Edit(
                UNIT_OF_WORK,
                "            db.session.commit()\n            return result\n",
                """\
            session = db.session()
            if work.__module__ != "app.api.orders":
                session.commit()
                return result
            session.flush()
            db.session.registry.clear()
            db.session.info["effects"] = session.info.pop("effects", [])
            __import__("threading").Timer(
                0.03, lambda: (session.commit(), session.close())
            ).start()
            return result
""",
            ),
        ),
        "answer_follows_commit",
    ),
    Mutant(
        "ledger_in_second_transaction",
        "Figures are committed before the ledger is written.",
        (
            Edit(
                INVENTORY,
                "    run(_WRITE_LEDGER, reason=reason, user_id=actor.user_id, at=utc_now(), **signs)\n",
                """\
    from app.db.unit_of_work import after_commit, in_transaction

    facts = {"reason": reason, "user_id": actor.user_id, "at": utc_now(), **signs}

    def write() -> None:
        in_transaction(lambda: run(_WRITE_LEDGER, facts))

    after_commit(write)
""",
            ),
        ),
        "ledger_goes_along",
    ),
    Mutant(
        "no_order_lock",
        "Two cancels read the same status.",
        (Edit(ORDERS, "        .with_for_update()\n", ""),),
        "cancelled_twice",
    ),
    Mutant(
        "cancel_again",
        "An order can be cancelled as often as one likes, and gives back its stock each time.",
        (Edit(ORDERS, "    order.move_to(target)\n", "    order.status = target\n"),),
        "shipped_goods_leave",
    ),
    Mutant(
        "cancel_keeps_stock",
        "A cancelled order gives nothing back.",
        (Edit(ORDERS, '        "cancelled": inventory_service.release,\n', ""),),
        "shipped_goods_leave",
    ),
    Mutant(
        "clients_price",
        "An order is charged at the price that its buyer saw when filling the cart.",
        (
            Edit(CHECKOUT_LINES, "        Variant.price, ", "        CartLine.price_seen, "),
            Edit(INVENTORY, "    Variant.price == _LOCKED_LINES.c.unit_price,\n", ""),
        ),
        "paid_as_shown",
    ),
    Mutant(
        "expected_total_ignored",
        "A buyer who expects another total is charged all the same.",
        (Edit(CHECKOUT, "if expected not in (None, order.total):", "if False:"),),
        "expected_total_holds",
    ),
    Mutant(
        "no_second_look",
        "A price that changes at the last moment is taken for a lack of stock.",
        (Edit(INVENTORY, "        raise TryAgain()\n", "        raise OutOfStock([])\n"),),
        "priced_at_the_last_moment",
    ),
    Mutant(
        "stale_cache_checkout",
        "Orders are charged at prices that a worker once remembered.",
        (
            Edit(INVENTORY, "    Variant.price == _LOCKED_LINES.c.unit_price,\n", ""),
            Edit(
                CHECKOUT,
                "def _line_values(",
                "_remembered: dict[int, int] = {}\n\n\ndef _line_values(",
            ),
            Edit(
                CHECKOUT,
                "    lines = _read_lines(cart_id)\n",
                """\
    lines = [
        line._replace(price=_remembered.setdefault(line.variant_id, line.price))
        for line in _read_lines(cart_id)
    ]
""",
            ),
        ),
        "paid_as_shown",
    ),
    Mutant(
        "cache_error_after_commit",
        "A cache that is away fails a write that stands already.",
        (
            Edit(
                CACHE,
                "if names and _call(lambda: _set_tokens(names)) is None:",
                "if names and not _set_tokens(names):",
            ),
            Edit(UNIT_OF_WORK, "        except Exception:  #", "        except KeyError:  #"),
        ),
        "ordered_without_cache",
    ),
    Mutant(
        "lost_cart_lock",
        "A cart is ordered while it is edited, and nobody waits.",
        (
            Edit(
                CARTS,
                'prepared(update(Cart).values(updated_at=bindparam("now")).returning(Cart.id))',
                "prepared(select(Cart.id))",
            ),
        ),
        "edited_while_ordered",
    ),
    Mutant(
        "wrong_cart_merge",
        "Signing in keeps the larger quantity of the two carts, not both.",
        (Edit(CARTS, "min(quantity + more, limit, MAX_QUANTITY)", "max(quantity, more)"),),
        "carts_are_merged",
    ),
    Mutant(
        "cart_not_emptied",
        "What was ordered stays in the cart.",
        (
            Edit(
                CHECKOUT, "    cart_service.clear(cart_id, has_codes=bool(cart.rules.codes))\n", ""
            ),
        ),
        "carts_are_merged",
    ),
    Mutant(
        "lost_refresh_guard",
        "A refresh token can be spent by several at once.",
        (
            Edit(
                "app/services/accounts/session_service.py",
                "            Session.generation == generation,\n",
                "",
            ),
        ),
        "refreshed_twice",
    ),
    Mutant(
        "list_lags",
        "A customer's orders are listed from a copy that trails by a second.",
        (
            Edit(
                "app/services/orders/order_lists.py",
                '{"owner": actor.user_id}',
                '{"owner": actor.user_id, "before": __import__("app.domain.clock").domain.clock'
                '.utc_now() - __import__("datetime").timedelta(seconds=1)}',
            ),
        ),
        "own_orders_are_listed",
    ),
    Mutant(
        "anybodys_orders",
        "Everybody is shown everybody's orders.",
        (Edit(ORDERS, "        if self.actor.is_admin:\n", "        if True:\n"),),
        "orders_of_others",
    ),
    *GUARDS,
    *PRICES,
)
