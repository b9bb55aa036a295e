"""Shipping zones: the places that the same methods ship to."""

from collections.abc import Iterable, Sequence
from typing import TypedDict

from sqlalchemy import exists, select
from sqlalchemy.orm import selectinload

from app.db.paging import Page, Slice, SortKey, fetch_page, fetch_slice
from app.domain.people.actor import Actor
from app.domain.pricing.model import Destination
from app.errors import Conflict
from app.extensions import db
from app.models import ShippingMethod, ShippingPlace, ShippingZone
from app.services.audit import trail
from app.services.pricing.rows import get_row, lock_row

KIND = "shipping zone"
OLDEST_FIRST = SortKey("oldest shipping zones", ShippingZone.id, ShippingZone.id)
_PLACES = selectinload(ShippingZone.places)


class ZoneInput(TypedDict, total=False):
    """The fields that staff set."""

    name: str
    places: Sequence[Destination]
    rest_of_world: bool


def page_of_zones(page: int, per_page: int) -> Page[ShippingZone]:
    """The zones, oldest first."""
    return fetch_page(select(ShippingZone), OLDEST_FIRST.order_by(), page, per_page, [_PLACES])


def slice_of_zones(cursor: str, per_page: int) -> Slice[ShippingZone]:
    """The same after a cursor; an empty one starts. Raises Invalid."""
    return fetch_slice(select(ShippingZone).options(_PLACES), OLDEST_FIRST, cursor, per_page)


def get_zone(zone_id: int) -> ShippingZone:
    """One zone. Raises NotFound."""
    return get_row(ShippingZone, zone_id, KIND, _PLACES)


def create_zone(actor: Actor, fields: ZoneInput) -> ShippingZone:
    """Add a zone.

    Raises:
        Conflict: `place_taken`.
    """
    zone = ShippingZone(places=[])
    _change(zone, fields)
    db.session.add(zone)
    db.session.flush()
    trail.record(actor, "shipping_zone.created", zone.id, {}, _state(zone))
    return zone


def edit_zone(actor: Actor, zone_id: int, changes: ZoneInput) -> ShippingZone:
    """Change the fields that are given.

    Raises:
        NotFound: there is no such zone.
        Conflict: `place_taken`.
    """
    zone = lock_row(ShippingZone, zone_id, KIND, _PLACES)
    before = _state(zone)
    _change(zone, changes)
    db.session.flush()
    trail.record(actor, "shipping_zone.edited", zone.id, before, _state(zone))
    return zone


def delete_zone(actor: Actor, zone_id: int) -> None:
    """Remove a zone without methods.

    Raises:
        NotFound: there is no such zone.
        Conflict: `zone_not_empty`.
    """
    zone = lock_row(ShippingZone, zone_id, KIND, _PLACES)
    if db.session.scalar(select(exists().where(ShippingMethod.zone_id == zone.id))):
        raise Conflict("zone_not_empty", f"{zone.name} still has shipping methods.")
    trail.record(actor, "shipping_zone.deleted", zone.id, _state(zone))
    db.session.delete(zone)
    db.session.flush()


def _change(zone: ShippingZone, fields: ZoneInput) -> None:
    with db.session.no_autoflush:
        if fields.get("rest_of_world"):
            _refuse_second_rest(zone)
        if "places" in fields:
            _set_places(zone, fields["places"])
    zone.name = fields.get("name", zone.name)
    zone.rest_of_world = fields.get("rest_of_world", zone.rest_of_world or False)


def _refuse_second_rest(zone: ShippingZone) -> None:
    query = select(ShippingZone.id, ShippingZone.name).where(ShippingZone.rest_of_world)
    row = db.session.execute(query).one_or_none()
    if row is not None and row.id != zone.id:
        name = row.name
        raise Conflict("place_taken", f"{name} is the rest of the world already.")


def _set_places(zone: ShippingZone, places: Iterable[Destination]) -> None:
    """Replace the places of a zone, and leave those that stay as they are."""
    wanted = set(places)
    kept = [place for place in zone.places if (place.country, place.region) in wanted]
    new = wanted - {(place.country, place.region) for place in kept}
    _refuse_taken(new)
    zone.places[:] = [*kept, *(ShippingPlace(**place._asdict()) for place in sorted(new))]


def _refuse_taken(places: set[Destination]) -> None:
    countries = {place.country for place in places}
    rows = db.session.execute(
        select(ShippingPlace.country, ShippingPlace.region, ShippingZone.name)
        .join(ShippingZone, ShippingZone.id == ShippingPlace.zone_id)
        .where(ShippingPlace.country.in_(countries))
    )
    for country, region, name in rows:
        if Destination(country, region) in places:
            code = f"{country}-{region}" if region else country
            raise Conflict("place_taken", f"{code} belongs to {name}.")


def _state(zone: ShippingZone) -> dict[str, object]:
    codes = [place.country + (f"-{place.region}" if place.region else "") for place in zone.places]
    return {
        "name": zone.name,
        "places": sorted(codes),
        "rest_of_world": zone.rest_of_world,
    }
