"""Shipping methods: what staff set, and those that ship to a place."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from sqlalchemy import ScalarSelect, Select, String, and_, bindparam, case, or_, select

from app.db.paging import Page, Slice, SortKey, fetch_page, fetch_slice
from app.db.prepared import prepared, run
from app.domain.people.actor import Actor
from app.domain.pricing import model as pricing
from app.domain.pricing.model import Destination, ShippingRate
from app.domain.pricing.rate_tables import NotTable, read_table
from app.errors import Invalid
from app.extensions import db
from app.models import ShippingMethod, ShippingPlace, ShippingZone
from app.services.audit import trail
from app.services.pricing.rows import get_row, lock_row

KIND = "shipping method"
IN_ORDER = SortKey("shipping methods by position", ShippingMethod.position, ShippingMethod.id)
FIELDS = (
    "zone_id", "name", "description", "basis", "rates", "free_from", "tax_class", "min_days",
    "max_days", "position", "is_active",
)  # fmt: skip


class MethodInput(TypedDict, total=False):
    """The fields that staff set; `rates` as the table of `ShippingMethod` has them."""

    zone_id: int
    name: str
    description: str
    basis: str
    rates: list[dict[str, Any]]
    free_from: int | None
    tax_class: str
    min_days: int | None
    max_days: int | None
    position: int
    is_active: bool


def page_of_methods(
    page: int, per_page: int, destination: Destination | None = None, is_admin: bool = False
) -> Page[ShippingMethod]:
    """The methods by position: those that ship to a place; without one all, but for others than staff
    only active ones."""
    query = _list_query(destination, is_admin)
    return fetch_page(query, IN_ORDER.order_by(), page, per_page)


def slice_of_methods(
    cursor: str, per_page: int, destination: Destination | None = None, is_admin: bool = False
) -> Slice[ShippingMethod]:
    """The same after a cursor; an empty one starts. Raises Invalid."""
    return fetch_slice(_list_query(destination, is_admin), IN_ORDER, cursor, per_page)


def _list_query(destination: Destination | None, is_admin: bool) -> Select[ShippingMethod]:
    query: Select[ShippingMethod] = select(ShippingMethod)
    if destination is not None:
        query = query.where(ShippingMethod.zone_id == _zone_of(*destination))
    if destination is not None or not is_admin:
        query = query.where(ShippingMethod.is_active)
    return query


def methods_of(zone_ids: Collection[int]) -> Mapping[int, Sequence[ShippingMethod]]:
    """The methods of these zones by position, by the zone."""
    query = select(ShippingMethod).where(ShippingMethod.zone_id.in_(zone_ids))
    methods = defaultdict(list)
    for method in db.session.scalars(query.order_by(*IN_ORDER.order_by())):
        methods[method.zone_id].append(method)
    return methods


def get_method(method_id: int) -> ShippingMethod:
    """One method. Raises NotFound."""
    return get_row(ShippingMethod, method_id, KIND)


def create_method(actor: Actor, fields: MethodInput, currency: str) -> ShippingMethod:
    """Add a method to a zone.

    Raises:
        Invalid: an unknown zone, or fields that do not fit one another.
    """
    method = ShippingMethod(basis="flat")
    _change(method, fields, currency)
    db.session.add(method)
    db.session.flush()
    trail.record(actor, "shipping_method.created", method.id, {}, _state(method))
    return method


def edit_method(
    actor: Actor, method_id: int, changes: MethodInput, currency: str
) -> ShippingMethod:
    """Change the fields that are given. Orders keep the name and the price.

    Raises:
        NotFound: there is no such method.
        Invalid: as `create_method`.
    """
    method = lock_row(ShippingMethod, method_id, KIND)
    before = _state(method)
    with db.session.no_autoflush:
        _change(method, changes, currency)
    db.session.flush()
    trail.record(actor, "shipping_method.edited", method.id, before, _state(method))
    return method


def delete_method(actor: Actor, method_id: int) -> None:
    """Remove a method. Raises NotFound."""
    method = lock_row(ShippingMethod, method_id, KIND)
    trail.record(actor, "shipping_method.deleted", method.id, _state(method))
    db.session.delete(method)
    db.session.flush()


def _change(method: ShippingMethod, changes: MethodInput, currency: str) -> None:
    basis = method.basis
    for name, value in changes.items():
        if name != "rates":
            setattr(method, name, value)
    if "rates" in changes:
        method.rates = _read_rates(method.basis, changes["rates"], currency)
    elif method.basis != basis:
        raise Invalid({"rates": ["Another basis needs another table."]})
    _check(method)


def _read_rates(basis: str, rows: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    try:
        return read_table(basis, rows, currency)
    except NotTable as error:
        raise Invalid({f"rates.{error.row}.{error.name}": [str(error)]}) from None


def _check(method: ShippingMethod) -> None:
    query = select(ShippingZone.id).where(ShippingZone.id == method.zone_id)
    if db.session.scalar(query.with_for_update(read=True)) is None:
        raise Invalid({"zone_id": ["There is no such zone."]})
    days = (method.min_days, method.max_days)
    if None in days and days != (None, None):
        raise Invalid({"max_days": ["Give both min_days and max_days, or neither."]})
    if days[0] is not None and days[1] is not None and days[0] > days[1]:
        raise Invalid({"max_days": ["At least min_days."]})


def _zone_of(country: Any, region: Any) -> ScalarSelect[int]:
    """The id of the zone of a place: the region's comes before its country's, and both before the rest of
    the world."""
    is_place = and_(ShippingPlace.country == country, ShippingPlace.region.in_(["", region]))
    rank = case(
        (and_(ShippingPlace.region == region, ShippingPlace.region != ""), 0),
        (ShippingPlace.id.is_not(None), 1),
        else_=2,
    )
    return (
        select(ShippingZone.id)
        .outerjoin(ShippingPlace, and_(ShippingPlace.zone_id == ShippingZone.id, is_place))
        .where(or_(ShippingPlace.id.is_not(None), ShippingZone.rest_of_world))
        .order_by(rank)
        .limit(1)
        .scalar_subquery()
    )


_COUNTRY, _REGION = bindparam("country", type_=String()), bindparam("region", type_=String())
_FOR_PLACE = prepared(
    select(
        ShippingMethod.id, ShippingMethod.name, ShippingMethod.rates, ShippingMethod.basis,
        ShippingMethod.description, ShippingMethod.free_from, ShippingMethod.tax_class,
        ShippingMethod.min_days, ShippingMethod.max_days,
    )
    .where(ShippingMethod.is_active, ShippingMethod.zone_id == _zone_of(_COUNTRY, _REGION))
    .order_by(ShippingMethod.position, ShippingMethod.id)
)  # fmt: skip


def methods_for(destination: Destination) -> list[pricing.ShippingMethod]:
    """The active methods that ship to a place, in the order in which they are shown."""
    rows = run(_FOR_PLACE, country=destination.country, region=destination.region)
    return [
        pricing.ShippingMethod(
            **{**row._mapping, "rates": read_rates(row.rates)},
        )
        for row in rows
    ]


def read_rates(rows: Iterable[dict[str, Any]]) -> Sequence[ShippingRate]:
    """The table of a method as pricing takes it."""
    return [ShippingRate(row["from"], row["price"], row["until"]) for row in rows]


def _state(method: ShippingMethod) -> dict[str, object]:
    return {name: getattr(method, name) for name in FIELDS}
