"""The pages of the address book."""

from flask import Response, flash, url_for

from app.db.unit_of_work import in_transaction
from app.models import Address
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.forms import Form
from app.pages.layout import form_page, page
from app.schemas.users import AddressSchema
from app.services.accounts import address_service
from app.services.buying.addresses import ADDRESS_FIELDS
from app.utils.decorators import login_required
from app.web.callers.identity import current_actor

blp = PageBlueprint("addresses", __name__, url_prefix="/account/addresses")
ADDRESS = AddressSchema()
ONE = "/<int(max=9223372036854775807):address_id>"


@blp.get("")
@login_required
def book() -> Response:
    """All addresses."""
    entries = address_service.list_addresses(current_actor(), 1, address_service.MAX_ADDRESSES)
    return page("addresses.html", addresses=entries.items)


@blp.get("/new")
@login_required
def show_new() -> Response:
    """The form of a new address."""
    return form_page("address.html", Form(), address_id=None)


@blp.post("/new")
@login_required
def add() -> Response:
    """Add an address to the book."""
    actor, form = current_actor(), Form.from_request()
    address = form.carry_out(
        ADDRESS, lambda fields: in_transaction(lambda: address_service.add_address(actor, **fields))
    )
    return _answer(form, address, None, "The address is in your book.")


@blp.get(ONE)
@login_required
def show_one(address_id: int) -> Response:
    """The form of an address."""
    entry = address_service.get_address(current_actor(), address_id)
    form = Form({field: getattr(entry, field) for field in ADDRESS_FIELDS})
    return form_page("address.html", form, address_id=address_id)


@blp.post(ONE)
@login_required
def change(address_id: int) -> Response:
    """Change an address; orders keep the one that they copied."""
    actor, form = current_actor(), Form.from_request()

    def work(fields: dict[str, str]) -> Address:
        return in_transaction(lambda: address_service.update_address(actor, address_id, **fields))

    return _answer(form, form.carry_out(ADDRESS, work), address_id, "The address is changed.")


@blp.post(ONE + "/remove")
@login_required
def remove(address_id: int) -> Response:
    """Remove an address from the book."""
    actor = current_actor()
    in_transaction(lambda: address_service.remove_address(actor, address_id))
    flash("The address is removed.")
    return see_other(url_for("addresses.book"))


def _answer(form: Form, address: Address | None, address_id: int | None, message: str) -> Response:
    if address is None:
        return form_page("address.html", form, address_id=address_id)
    flash(message)
    return see_other(url_for("addresses.book"))
