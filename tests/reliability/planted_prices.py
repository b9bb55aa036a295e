"""The faults that are planted in prices and promotions."""

from tests.reliability.fault import CHECKOUT, ORDERS, Edit, Mutant

RULES = "app/services/pricing/promotion_rules.py"
REDEMPTIONS = "app/services/pricing/redemptions.py"
ENGINE = "app/domain/pricing/engine.py"
SHARES = "app/domain/pricing/shares.py"
TAXES = "app/domain/pricing/taxes.py"
QUOTES = "app/services/buying/quotes.py"

PRICES = (
    Mutant(
        "promotion_without_lock",
        "The limit of a promotion is looked at without locking it.",
        (
            Edit(
                RULES,
                "    limited = [id_ for id_, row in rows.items() if _is_limited(row)]\n",
                "    limited: list[int] = []\n",
            ),
        ),
        "last_use_of_a_promotion",
    ),
    Mutant(
        "code_without_lock",
        "The limit of a code is looked at without locking it.",
        (
            Edit(
                RULES,
                "    limited = [row.code_id for row in codes if row.code_id and row.limit_total is not None]\n",
                "    limited: list[int] = []\n",
            ),
        ),
        "last_use_of_a_code",
    ),
    Mutant(
        "use_not_counted",
        "Orders use a promotion, and nobody counts.",
        (Edit(REDEMPTIONS, "    _count(Promotion, ids)\n", ""),),
        "last_use_of_a_promotion",
    ),
    Mutant(
        "customer_by_account_alone",
        "Whoever signs out may use a promotion once more.",
        (
            Edit(
                RULES,
                "        own = or_(own, Redemption.user_id == customer.user_id)\n",
                "        own = Redemption.user_id == customer.user_id\n",
            ),
            Edit(REDEMPTIONS, "_first_free(uses.email_uses) if customer.email else None", "None"),
        ),
        "once_for_each_customer",
    ),
    Mutant(
        "use_not_given_back",
        "A cancelled order goes on counting as a use.",
        (Edit(ORDERS, "        redemptions.free(order.id)\n", "        pass\n"),),
        "use_of_a_cancelled_order",
    ),
    Mutant(
        "ended_code_is_ignored",
        "A code that has expired is left out without a word, and the order costs the full price.",
        (Edit(CHECKOUT, "    refuse_codes(cart)\n", ""),),
        "ended_before_the_order",
    ),
    Mutant(
        "shares_by_floats",
        "Shares of a discount are rounded one by one.",
        (
            Edit(
                SHARES,
                "        part, remainder = divmod(amount * weight, whole)\n",
                "        part, remainder = round(amount / whole * weight), 0\n",
            ),
        ),
        "money_comes_out_right",
    ),
    Mutant(
        "tax_before_discounts",
        "Tax is worked out on what goods cost before discounts.",
        (
            Edit(
                ENGINE,
                "[TaxableItem(line.tax_class, rest) for line, rest in",
                "[TaxableItem(line.tax_class, line.list_total + 0 * rest) for line, rest in",
            ),
        ),
        "money_comes_out_right",
    ),
    Mutant(
        "shipping_without_tax",
        "Shipping bears no tax.",
        (
            Edit(
                ENGINE,
                "return [*goods, TaxableItem(tax_class, shipping_left)]",
                "return [*goods, TaxableItem(tax_class, 0 * shipping_left)]",
            ),
        ),
        "money_comes_out_right",
    ),
    Mutant(
        "quote_without_codes",
        "The quote does not know the codes of the cart.",
        (
            Edit(
                QUOTES,
                "    cart = price_cart(cart_id, lines, choices, Customer(buyer.user_id))\n",
                "    cart = price_cart(0, lines, choices, Customer(buyer.user_id))\n",
            ),
        ),
        "money_comes_out_right",
    ),
)
