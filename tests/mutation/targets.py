"""The modules that are mutated: those that guard money, stock, keys and sign-in."""

from collections.abc import Sequence

MODULES = (
    "app/domain/pricing.py",
    "app/domain/order_status.py",
    "app/domain/people/buyer.py",
    "app/domain/people/tokens.py",
    "app/domain/people/guest_limits.py",
    "app/domain/people/passwords.py",
    "app/domain/people/secret_strength.py",
    "app/domain/people/weak_patterns.py",
    "app/domain/people/guessing.py",
    "app/domain/money.py",
    "app/services/buying/sign_in.py",
    "app/services/accounts/password_hashing.py",
    "app/services/accounts/session_service.py",
    "app/services/order_service.py",
    "app/services/inventory/stock_service.py",
    "app/services/messages/idempotency.py",
    "app/services/inventory/inventory_service.py",
    "app/services/orders/guest_limits.py",
    "app/services/orders/guest_orders.py",
    "app/services/orders/order_lists.py",
    "app/services/orders/order_views.py",
    "app/services/accounts/throttle_service.py",
    "app/services/accounts/bulkhead.py",
    "app/services/buying/checkout_service.py",
    "app/services/buying/cart_contents.py",
    "app/services/buying/cart_service.py",
    "app/services/accounts/auth_service.py",
)
"""Small ones first."""
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
