"""`renew-encryption`: after SECRET_KEY was replaced."""

import click

from app.cli.shell import command
from app.jobs import upkeep
from app.services.accounts import second_factors
from app.services.messages import webhook_endpoints


@command("renew-encryption")
def renew_encryption() -> None:
    """Encrypt the secrets of second factors and of webhooks under the present SECRET_KEY.

    For a SECRET_KEY that was replaced, while the old one is in SECRET_KEY_FALLBACKS. `flask purge` and
    the worker do the same. The exit code is 1 if there are secrets that no key decrypts: owners of second
    factors then need a recovery code, or staff, to sign in, and endpoints of webhooks a new secret.
    """
    before = _count_outdated()
    upkeep.renew_encryption()
    left = _count_outdated()
    click.echo(f"renew-encryption: {_count(before - left, 'is', 'are')} encrypted anew.")
    if left:
        raise click.ClickException(f"no key decrypts {_count(left)}.")


def _count_outdated() -> int:
    return second_factors.count_outdated_keys() + webhook_endpoints.count_outdated_keys()


def _count(number: int, singular: str = "", plural: str = "") -> str:
    text = f"1 secret {singular}" if number == 1 else f"{number} secrets {plural}"
    return text.rstrip()
