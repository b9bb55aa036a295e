"""Accounts of staff."""

import sys

import click

from app.cli.shell import command, complain
from app.db.unit_of_work import in_transaction
from app.domain.people import emails, passwords
from app.domain.people.actor import SYSTEM
from app.services import user_service
from app.services.accounts import password_hashing, second_factor_service, staff_service
from app.services.operations import store_service


@command("create-admin")
@click.argument("email")
@click.argument("password", required=False)
@click.option("--promote", is_flag=True, help="Make an existing account an admin's.")
def create_admin(email: str, password: str | None, promote: bool) -> None:
    """Make an account for staff. Asks for the PASSWORD when it is left out; `-` reads it from
    standard input.

    An existing account becomes an admin's only with --promote, and keeps its password unless one
    is given. A weak password is taken, with a warning.
    """
    try:
        email = emails.clean(email)
    except emails.NotAnEmail as error:
        raise click.BadParameter(str(error), param_hint="EMAIL") from None
    exists = user_service.find_by_email(email) is not None
    password_hash = None
    if password is not None or not exists:
        password_hash = password_hashing.hash_password(_read(password, email), is_patient=True)
    result = in_transaction(lambda: staff_service.make_admin(SYSTEM, email, password_hash, promote))
    click.echo(f"create-admin: {email}: {result}.")


@command("remove-second-factor")
@click.argument("email")
def remove_second_factor(email: str) -> None:
    """Remove the second factor of an account that has lost it, and end its sessions.

    For the last admin. Other accounts' can be removed at /admin/customers.
    """
    user = user_service.find_by_email(email)
    if user is None:
        raise click.ClickException(f"There is no account with the address {email}.")
    user_id = user.id
    in_transaction(lambda: second_factor_service.remove_for(SYSTEM, user_id))
    click.echo(f"remove-second-factor: {email}: removed.")


def _read(password: str | None, email: str) -> str:
    """The password; prompts for one if it is None. Warns if it is weak."""
    if password is None:
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    elif password == "-":  # noqa: S105 - standard input
        password = sys.stdin.readline().rstrip("\r\n")
    words = [store_service.settings().name, email]
    weakness = passwords.weakness(password, words) if password else None
    if weakness:
        complain(f"Warning: this is a weak password. {weakness}")
    return password
