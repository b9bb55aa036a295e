"""Faults planted into prices, stock, carts and lists, and runs that prove nothing."""

from dataclasses import replace

from tests.reliability.history import Attempt
from tests.reliability.pretend.patch import LATER, Patch, Plants

PLANTS = Plants()
found_as = PLANTS.found_as


@found_as("totals_wrong")
def a_sum_is_wrong(patch: Patch) -> bool:
    order = next(iter(patch.books.orders.values()), None)
    if order is not None:
        patch.change_order(order, subtotal=order.subtotal + 1)
    return order is not None


@found_as("totals_wrong")
def something_is_added_to_the_goods(patch: Patch) -> bool:
    order = next(iter(patch.books.orders.values()), None)
    if order is not None:
        patch.change_order(order, extras=5, total=order.total + 5)
    return order is not None


@found_as("totals_wrong")
def a_cart_does_not_add_up(patch: Patch) -> bool:
    attempt = patch.some("read_cart", outcome="ok")
    if attempt is not None:
        patch.change(attempt, answer=attempt.answer | {"subtotal": "0.01"})
    return attempt is not None


@found_as("total_not_as_expected")
def an_expected_total_is_passed_over(patch: Patch) -> bool:
    attempt = patch.some("place_order", outcome="ok")
    if attempt is not None:
        patch.change(attempt, body={"expected_total": "0.01"})
    return attempt is not None


@found_as("price_not_in_force")
def an_order_has_a_price_that_never_was(patch: Patch) -> bool:
    order = next(iter(patch.books.orders.values()), None)
    if order is not None:
        patch.change_order(order, lines=(replace(order.lines[0], unit_price=7), *order.lines[1:]))
    return order is not None


@found_as("price_not_in_force")
def a_page_shows_a_price_that_never_was(patch: Patch) -> bool:
    attempt = patch.some("read_product", outcome="ok")
    if attempt is not None:
        shown = attempt.answer["variants"][0] | {"price": "0.07"}
        patch.change(attempt, answer={"variants": [shown]})
    return attempt is not None


@found_as("price_not_in_force")
def a_cart_shows_a_price_from_before(patch: Patch) -> bool:
    attempt = _full_cart(patch)
    if attempt is not None:
        item = attempt.answer["items"][0] | {"unit_price": "0.07"}
        patch.change(attempt, answer=attempt.answer | {"items": [item]})
    return attempt is not None


@found_as("price_change_lost")
def a_price_ends_as_nobody_set_it(patch: Patch) -> bool:
    patch.books.variants[1] = replace(patch.books.variants[1], price=7)
    return True


@found_as("ledger_wrong")
def a_figure_is_not_what_the_ledger_says(patch: Patch) -> bool:
    patch.books.variants[1] = replace(patch.books.variants[1], on_hand=10**6)
    return True


@found_as("allocation_wrong")
def stock_is_held_for_no_order(patch: Patch) -> bool:
    patch.move(3, 0, 1, None)
    return True


@found_as("oversold")
def more_is_promised_than_there_is(patch: Patch) -> bool:
    patch.move(1, -(10**6), 0, None)
    return True


@found_as("order_moved_stock_wrongly")
def stock_comes_back_twice(patch: Patch) -> bool:
    order = next(iter(patch.books.orders.values()), None)
    if order is not None:
        patch.move(order.lines[0].variant_id, 0, -1, order)
    return order is not None


@found_as("adjustment_wrong")
def an_adjustment_is_booked_that_nobody_made(patch: Patch) -> bool:
    patch.move(3, 5, 0, None)
    return True


@found_as("adjustment_wrong")
def an_acknowledged_adjustment_is_gone(patch: Patch) -> bool:
    attempt = patch.some("adjust_stock", outcome="ok")
    if attempt is not None:
        patch.change(attempt, body={"reason": "another one"})
    return attempt is not None


@found_as("ledger_out_of_order")
def a_movement_stands_before_its_time(patch: Patch) -> bool:
    attempt = patch.some("adjust_stock", outcome="ok")
    if attempt is None:
        return False
    patch.move(attempt.about["variant_id"], 1, 0, None)
    rows = patch.books.movements
    late = replace(rows.pop(), reason="late")
    opening = {row.variant_id: index for index, row in reversed(list(enumerate(rows)))}
    rows.insert(opening[late.variant_id] + 1, late)
    about = {"variant_id": late.variant_id, "delta": 1}
    patch.repeat(attempt, about=about, body={"reason": "late"})
    return True


@found_as("sold_out_untrue")
def a_sell_out_is_told_that_was_none(patch: Patch) -> bool:
    attempt = patch.some("add_item", outcome="ok")
    if attempt is not None:
        short = {"variant_id": 3, "requested": 1, "available": 0}
        answer = {"code": "out_of_stock", "shortages": [short]}
        patch.repeat(attempt, status=409, answer=answer)
    return attempt is not None


@found_as("sold_out_untrue")
def a_shortage_is_none(patch: Patch) -> bool:
    attempt = patch.some("add_item", outcome="ok")
    if attempt is not None:
        short = {"variant_id": 1, "requested": 1, "available": 1}
        answer = {"code": "out_of_stock", "shortages": [short]}
        patch.repeat(attempt, status=409, answer=answer)
    return attempt is not None


@found_as("stock_misread")
def a_page_shows_stock_that_never_was(patch: Patch) -> bool:
    attempt = patch.some("read_product", outcome="ok")
    if attempt is not None:
        shown = attempt.answer["variants"][0] | {"stock": 10**6}
        patch.change(attempt, answer={"variants": [shown]})
    return attempt is not None


@found_as("stock_misread")
def a_cart_shows_stock_that_never_was(patch: Patch) -> bool:
    attempt = _full_cart(patch)
    if attempt is not None:
        item = attempt.answer["items"][0] | {"available": 10**6}
        patch.change(attempt, answer=attempt.answer | {"items": [item]})
    return attempt is not None


@found_as("stock_misread")
def an_adjustment_answers_other_figures(patch: Patch) -> bool:
    attempt = patch.some("adjust_stock", outcome="ok")
    if attempt is not None:
        patch.change(attempt, answer=attempt.answer | {"on_hand": 10**6})
    return attempt is not None


@found_as("list_lacks_order")
def a_list_lacks_an_order(patch: Patch) -> bool:
    attempt = _full_list(patch)
    if attempt is not None:
        patch.repeat(attempt, answer=attempt.answer | {"items": attempt.answer["items"][1:]})
    return attempt is not None


@found_as("list_miscounts")
def a_list_counts_too_few(patch: Patch) -> bool:
    attempt = _full_list(patch)
    if attempt is not None:
        patch.repeat(attempt, answer=attempt.answer | {"total": 0})
    return attempt is not None


@found_as("list_shows_others")
def a_list_shows_what_is_anothers(patch: Patch) -> bool:
    attempt = _full_list(patch)
    if attempt is not None:
        others = [u for u in patch.facts.users if u != attempt.user]
        patch.change(attempt, user=patch.rng.choice(others))
    return attempt is not None


@found_as("list_disordered")
def a_list_shows_an_order_twice(patch: Patch) -> bool:
    attempt = _full_list(patch)
    if attempt is not None:
        items = attempt.answer["items"]
        patch.change(attempt, answer=attempt.answer | {"items": [*items, items[0]]})
    return attempt is not None


@found_as("cart_differs")
def a_line_has_grown(patch: Patch) -> bool:
    attempt = _full_cart(patch)
    if attempt is not None:
        item = attempt.answer["items"][0]
        grown = item | {"quantity": item["quantity"] + 90}
        patch.change(attempt, answer=attempt.answer | {"items": [grown]})
    return attempt is not None


@found_as("cart_differs")
def a_cart_ends_with_what_nobody_put_in(patch: Patch) -> bool:
    reader = patch.some("read_cart", outcome="ok", about={"cart": "account"})
    if reader is not None:
        patch.books.carts[patch.facts.users[reader.user]] = {4: 99}
    return reader is not None


@found_as("server_error")
def an_answer_is_a_500(patch: Patch) -> bool:
    patch.change(patch.attempts[0], status=500, answer=None)
    return True


@found_as("account_lost")
def an_account_is_gone(patch: Patch) -> bool:
    attempt = patch.some("register", outcome="ok")
    if attempt is not None:
        del patch.books.users[attempt.answer["id"]]
    return attempt is not None


@found_as("vacuous")
def an_operation_never_succeeds(patch: Patch) -> bool:
    patch.facts.must_succeed |= {"fly"}
    return True


@found_as("vacuous")
def kills_meet_nothing(patch: Patch) -> bool:
    patch.facts.kills = [LATER]
    return True


def _full_cart(patch: Patch) -> Attempt | None:
    found = [
        attempt
        for attempt in patch.attempts
        if attempt.operation == "read_cart" and attempt.outcome == "ok" and attempt.answer["items"]
    ]
    return patch.rng.choice(found) if found else None


def _full_list(patch: Patch) -> Attempt | None:
    found = [
        attempt
        for attempt in patch.attempts
        if attempt.operation == "list_orders"
        and attempt.outcome == "ok"
        and attempt.answer["items"]
    ]
    return patch.rng.choice(found) if found else None
