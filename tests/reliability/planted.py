"""The faults that are planted: each a slip that real shops have made, and who has to notice it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """Words of a file that are replaced; they stand there exactly once."""

    path: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """The text with the fault in it.

        Raises:
            ValueError: the words are not there, or more than once: the mutant has to be mended.
        """
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.path} has {self.old!r} {found} times, not once.")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Mutant:
    """A fault, the scene that has to notice it, and what it is to call it."""

    name: str
    fault: str
    edits: tuple[Edit, ...]
    scene: str
    names: frozenset[str]
    """Violations of which one proves that the fault was noticed; others may be its echo."""


MIGRATION = "migrations/versions/20261122_1200_0001_the_shop.py"
INVENTORY = "app/services/inventory/inventory_service.py"
CHECKOUT = "app/services/buying/checkout_service.py"
CARTS = "app/services/buying/cart_service.py"
ORDERS = "app/services/order_service.py"
CACHE = "app/services/cache/shared_cache.py"
UNIT_OF_WORK = "app/db/unit_of_work.py"

NO_CHECK = Edit(
    MIGRATION,
    '"0 <= allocated AND allocated <= on_hand", name=',
    '"1 = 1", name=',
)
"""The last guard of the stock, which would turn an oversale into a refusal."""
STOCK = frozenset({"oversold", "not_exactly_sold", "stock_does_not_add_up", "allocation_wrong"})

MUTANTS = (
    Mutant(
        "no_row_guard",
        "Stock is checked when it is read, and not again when it is promised.",
        (
            Edit(INVENTORY, "    _LOCKED_LINES.c.quantity <= NOT_ALLOCATED,\n", ""),
            NO_CHECK,
        ),
        "rush",
        STOCK,
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
        "last_unit",
        frozenset({"last_unit"}),
    ),
    Mutant(
        "no_key",
        "The idempotency key is not looked at.",
        (Edit("app/api/orders.py", "current_buyer(), keyed_request()", "current_buyer(), None"),),
        "keys",
        frozenset({"key_not_honoured", "ordered_twice", "order_lost"}),
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
        "keys",
        frozenset({"key_not_honoured", "ordered_twice", "order_lost"}),
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
        "mixed",
        frozenset(
            {
                "order_lost",
                "order_not_found",
                "list_lacks_order",
                "list_miscounts",
                "status_misread",
                "cart_differs",
                "refused_against_cart",
                "lines_not_as_in_cart",
            }
        ),
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
        "mixed",
        frozenset({"ledger_wrong", "order_moved_stock_wrongly"}),
    ),
    Mutant(
        "no_order_lock",
        "Two cancels read the same status.",
        (
            Edit(ORDERS, "        .with_for_update()\n", ""),
            NO_CHECK,
        ),
        "cancel_twice",
        frozenset({"cancel_twice"}),
    ),
    Mutant(
        "cancel_again",
        "An order can be cancelled as often as one likes, and gives back its stock each time.",
        (
            Edit(ORDERS, "    order.move_to(target)\n", "    order.status = target\n"),
            NO_CHECK,
        ),
        "cancel_twice",
        frozenset({"cancel_twice"}),
    ),
    Mutant(
        "cancel_keeps_stock",
        "A cancelled order gives nothing back.",
        (Edit(ORDERS, '        "cancelled": inventory_service.release,\n', ""),),
        "cancel_twice",
        frozenset({"cancel_twice"}),
    ),
    Mutant(
        "clients_price",
        "An order is charged at the price that its buyer saw when filling the cart.",
        (Edit(CHECKOUT, "        Variant.price, ", "        CartLine.price_seen, "),),
        "mixed",
        frozenset({"price_not_in_force"}),
    ),
    Mutant(
        "expected_total_ignored",
        "A buyer who expects another total is charged all the same.",
        (Edit(CHECKOUT, "if expected not in (None, order.total):", "if False:"),),
        "price_or_checkout",
        frozenset({"price_or_checkout"}),
    ),
    Mutant(
        "no_second_look",
        "A price that changes at the last moment is taken for a lack of stock.",
        (Edit(INVENTORY, "        raise TryAgain()\n", "        raise OutOfStock([])\n"),),
        "price_or_checkout",
        frozenset({"price_or_checkout"}),
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
        "price_or_checkout",
        frozenset({"price_or_checkout"}),
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
        "mixed",
        frozenset({"server_error"}),
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
        "edit_or_checkout",
        frozenset({"edit_or_checkout"}),
    ),
    Mutant(
        "wrong_cart_merge",
        "Signing in keeps the larger quantity of the two carts, not both.",
        (Edit(CARTS, "min(quantity + more, limit, MAX_QUANTITY)", "max(quantity, more)"),),
        "merge_or_checkout",
        frozenset({"merge_or_checkout"}),
    ),
    Mutant(
        "cart_not_emptied",
        "What was ordered stays in the cart.",
        (Edit(CHECKOUT, "    cart_service.clear(cart_id)\n", ""),),
        "edit_or_checkout",
        frozenset({"edit_or_checkout"}),
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
        "refresh_at_once",
        frozenset({"refresh_at_once"}),
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
        "mixed",
        frozenset({"list_lacks_order", "list_miscounts"}),
    ),
    Mutant(
        "anybodys_orders",
        "Everybody is shown everybody's orders.",
        (Edit(ORDERS, "        if self.actor.is_admin:\n", "        if True:\n"),),
        "mixed",
        frozenset({"list_shows_others", "order_of_another", "list_miscounts"}),
    ),
)
