"""Device tokens under the shop's keys (see `app.domain.people.devices`)."""

from collections.abc import Sequence

from app.domain.people import devices
from app.keyed_hashes import keyed_hashes

DEVICE = "device"
"""What the signatures of device tokens are for."""


def find_token(device: str, user_id: int, password_version: int) -> str | None:
    """The token of this account and password among those that a device sent; None without one."""
    return devices.find_token(device, _sign, user_id, password_version)


def mark_device(device: str, user_id: int, password_version: int) -> str:
    """The device tokens that a client should keep after this user has signed in.

    `device` are the tokens that it sent. One of this user's is replaced, so that failures with the
    new token and with a copy of the old one are counted separately.
    """
    old = devices.find_token(device, _sign, user_id, password_version)
    token = devices.new_token(_sign, user_id, password_version)
    return devices.add_token(device, token, old)


def _sign(text: str) -> Sequence[bytes]:
    return keyed_hashes(DEVICE, text)
