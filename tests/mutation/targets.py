"""The modules that are mutated: those that guard money, stock, idempotency keys and sign-in.

A module belongs here if it decides one of these, and so a fault in it costs somebody something:

money: what is an amount, what an order comes to, and that this is what is written and charged.
stock: what is available, and every change of a figure and of the ledger; the statuses that cause one.
keys: that a request which is sent twice is carried out once, for its sender alone.
sign-in: passwords, tokens and sessions, and the counters and limits that guard them.

Lists and views of orders, the contents of carts and the limits on guests are none of the four. Nor are
the views, schemas and decorators that call these modules: they are tested route by route.
"""

from collections.abc import Sequence

MODULES = (
    # money
    "app/domain/pricing/engine.py",
    "app/domain/pricing/promotions.py",
    "app/domain/pricing/taxes.py",
    "app/domain/pricing/shipping.py",
    "app/domain/pricing/shares.py",
    "app/domain/pricing/percent.py",
    "app/domain/pricing/totals.py",
    "app/domain/money.py",
    "app/services/buying/checkout_service.py",
    # stock
    "app/models/availability.py",
    "app/domain/order_status.py",
    "app/services/order_service.py",
    "app/services/inventory/inventory_service.py",
    "app/services/inventory/stock_service.py",
    # keys
    "app/services/messages/idempotency.py",
    # sign-in
    "app/domain/people/tokens.py",
    "app/domain/people/passwords.py",
    "app/domain/people/secret_strength.py",
    "app/domain/people/weak_patterns.py",
    "app/domain/people/devices.py",
    "app/domain/people/guessing.py",
    "app/domain/people/second_factor.py",
    "app/services/accounts/device_tokens.py",
    "app/services/accounts/second_factors.py",
    "app/services/accounts/second_step.py",
    "app/services/accounts/second_factor_service.py",
    "app/services/accounts/password_hashing.py",
    "app/services/accounts/bulkhead.py",
    "app/services/accounts/throttle_service.py",
    "app/services/accounts/session_service.py",
    "app/services/accounts/auth_service.py",
    "app/services/buying/sign_in.py",
)
TESTS = (
    "tests/unit/money",
    "tests/unit/orders",
    "tests/unit/people",
    "tests/unit/db",
    "tests/integration/accounts",
    "tests/integration/audit",
    "tests/integration/buying",
    "tests/integration/cache",
    "tests/integration/imports/test_cli_import.py",
    "tests/integration/inventory",
    "tests/integration/messages",
    "tests/integration/operations/test_erasure.py",
    "tests/integration/orders",
    "tests/integration/pages/test_admin_customers.py",
    "tests/integration/pages/test_admin_orders.py",
    "tests/integration/pages/test_admin_stock.py",
    "tests/integration/pages/test_pages_account.py",
    "tests/integration/pages/test_pages_cart.py",
    "tests/integration/pages/test_pages_checkout.py",
    "tests/integration/pages/test_pages_sign_in.py",
    "tests/integration/web/test_errors.py",
    "tests/integration/web/test_ids_of_others.py",
    "tests/integration/test_shop_model.py",
)
"""Where tests may be that notice; which of them execute a line, is measured."""
STAGES = ("no database", "sqlite", "postgresql")
"""Mutants that survive the tests of one are tried on the next."""


def matching(words: Sequence[str]) -> list[str]:
    """The modules whose paths contain one of the words; all where there is none."""
    return [path for path in MODULES if not words or any(word in path for word in words)]
