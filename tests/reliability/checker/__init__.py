"""The checker: what every client saw against what the books hold; each contradiction by name.

A rule is a function that yields violations of one kind, and its docstring says why it is sound:
why a shop that keeps its contract can never be accused by it, whatever was concurrent, lost or
unknown. What a rule cannot tell for certain, it lets pass.

moments     spans of time, and values that hold within them: the ground that the rules stand on
case        history, books and facts, indexed once
askings     which attempts are one wish for an order, and which order came of it
stories     the steps of each order's life, and when each was taken
tracks      the stock of each variant, state by state, and when each was reached
money       what an order of one promotion, one method and one tax comes to
carts       what may have been in each cart, step by step

What `Attempt.about` has to tell, beside what each operation names (see the scenes' clients):
`cart` is a name for the cart that the sender's credentials stand for: `account`, one for each
guest's token, or `nobody`; `opens` is the name of the one that the answer opened.
"""

from tests.reliability.checker import (
    cancels,
    carts,
    keys,
    lists,
    orders,
    prices_and_totals,
    stock,
    vacuity,
)
from tests.reliability.checker.case import Case
from tests.reliability.facts import WorldFacts
from tests.reliability.history import History
from tests.reliability.ledgers import Books
from tests.reliability.violation import Violation

__all__ = ["RULES", "check"]

RULES = (
    *orders.RULES,
    *keys.RULES,
    *prices_and_totals.RULES,
    *stock.RULES,
    *cancels.RULES,
    *lists.RULES,
    *carts.RULES,
    *vacuity.RULES,
)


def check(history: History, books: Books, facts: WorldFacts) -> list[Violation]:
    """All that is wrong with a run that is over: nobody writes any more, and all is settled."""
    case = Case(history, books, facts)
    return [violation for rule in RULES for violation in rule(case)]
