"""Faults in what guards keys, promises, privacy, locks and the cache; planted with the others."""

from tests.reliability.fault import (
    CARTS,
    CHECKOUT,
    INVENTORY,
    ORDERS,
    UNIT_OF_WORK,
    Edit,
    Mutant,
)

KEYS = "app/services/messages/idempotency.py"
IMPORTS = "app/services/imports/import_state.py"

GUARDS = (
    Mutant(
        "partial_allocation",
        "An order is placed although one of its lines got nothing.",
        (Edit(INVENTORY, ".rowcount != lines:", ".rowcount == 0:"),),
        "one_line_short",
    ),
    Mutant(
        "settle_without_where",
        "An answer is stored under the keys of others, too.",
        (
            Edit(
                KEYS,
                '.where(IdempotencyKey.id == bindparam("claim_id"))',
                '.where(IdempotencyKey.id <= bindparam("claim_id"))',
            ),
        ),
        "answers_are_apart",
    ),
    Mutant(
        "shared_scope",
        "All guests share one scope of keys.",
        (Edit(KEYS, 'return f"cart:{buyer.guest_token_hash}"', 'return "cart:"'),),
        "one_key_of_two_buyers",
    ),
    Mutant(
        "key_without_scope",
        "A key is looked up whoever sent it.",
        (Edit(KEYS, 'IdempotencyKey.scope == bindparam("scope"), ', ""),),
        "one_key_of_two_buyers",
    ),
    Mutant(
        "key_reused",
        "A key that comes with another body repeats the old answer.",
        (Edit(KEYS, "if row.request_hash != request_hash:", "if False:"),),
        "key_with_another_body",
    ),
    Mutant(
        "expired_key_keeps_its_date",
        "An expired key that is taken over stays expired, and every retry orders again.",
        (Edit(KEYS, '            "created_at": statement.excluded.created_at,\n', ""),),
        "expired_key",
    ),
    Mutant(
        "expired_key_keeps_its_body",
        "An expired key that is taken over keeps its fingerprint, and the retry is refused.",
        (Edit(KEYS, '            "request_hash": statement.excluded.request_hash,\n', ""),),
        "expired_key",
    ),
    Mutant(
        "merge_without_lock",
        "Carts are merged without waiting for who fills them.",
        (Edit(CARTS, "            .with_for_update()\n", ""),),
        "filled_while_merged",
    ),
    Mutant(
        "order_beside_deletion",
        "An order does not wait for the account that is being deleted.",
        (Edit(CHECKOUT, "    .with_for_update(key_share=True, of=(User, Cart))\n", ""),),
        "deleted_while_ordering",
    ),
    Mutant(
        "cancel_beside_ship",
        "The lock of an order lets other changes of its status through.",
        (Edit(ORDERS, ".with_for_update()", ".with_for_update(read=True, key_share=True)"),),
        "cancelled_while_shipped",
    ),
    Mutant(
        "ship_keeps_on_hand",
        "What has been shipped is still on hand.",
        (Edit(INVENTORY, "actor, on_hand=-1, allocated=-1)", "actor, allocated=-1)"),),
        "shipped_goods_leave",
    ),
    Mutant(
        "adjust_below_promised",
        "Staff can take away what orders were promised.",
        (Edit(INVENTORY, "if variant.on_hand + delta < variant.allocated:", "if False:"),),
        "promised_stock_stays",
        without_check=True,
    ),
    Mutant(
        "import_below_promised",
        "A product list can take away what orders were promised.",
        (Edit(IMPORTS, "    if on_hand < variant.allocated:\n", "    if False:\n"),),
        "promised_stock_is_not_imported_away",
        without_check=True,
    ),
    Mutant(
        "import_without_lock",
        "A product list sets stock that others change meanwhile.",
        (Edit(IMPORTS, "        query = query.with_for_update(key_share=True)\n", ""),),
        "counted_while_imported",
    ),
    Mutant(
        "cache_misses_orders",
        "The cache goes on showing what was ordered.",
        (Edit(INVENTORY, "    _invalidate_products(product_ids)\n", ""),),
        "cache_follows_orders",
    ),
    Mutant(
        "cache_misses_cancels",
        "The cache goes on without what a cancel gave back.",
        (
            Edit(
                INVENTORY,
                "    _invalidate_products({line.product_id for line in order.lines})\n",
                "",
            ),
        ),
        "cache_follows_orders",
    ),
    Mutant(
        "effects_before_commit",
        "The cache is invalidated before the commit, so that the old state is cached anew.",
        (
            Edit(
                UNIT_OF_WORK,
                "            result = work()\n            db.session.commit()\n",
                "            result = work()\n            _run_effects()\n"
                "            db.session.commit()\n",
            ),
        ),
        "cached_while_committed",
    ),
    Mutant(
        "password_keeps_sessions",
        "Who knew the old password stays signed in after it is changed.",
        (
            Edit(
                "app/services/accounts/auth_service.py",
                "    session_service.end_all(user.id, except_id=actor.session_id)\n",
                "",
            ),
        ),
        "password_ends_sessions",
    ),
    Mutant(
        "everybodys_list",
        "A customer's list has everybody's orders.",
        (
            Edit(
                "app/services/orders/order_lists.py",
                '{} if actor.is_admin else {"owner": actor.user_id}',
                "{}",
            ),
        ),
        "own_orders_are_listed",
    ),
)
