"""SECRET_KEY is replaced while accounts have second factors: none is lost."""

import logging

import pytest

from app import create_app, encryption
from app.config import Testing
from app.encryption import Undecryptable
from app.models import SecondFactor
from tests.integration.conftest import Caller
from tests.integration.people import inside, only_row
from tests.integration.second_factors import first_step, make_owner, second_step

NEW = "a-new-key-of-more-than-thirty-two-bytes"


@pytest.fixture
def owner(app):
    """EMAIL with a second factor."""
    return make_owner(app)


def with_new_key(environ, *fallbacks):
    """The same shop after its SECRET_KEY was replaced."""
    return create_app(
        Testing({**environ, "SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": ",".join(fallbacks)})
    )


def signs_in(app, code):
    return second_step(Caller(app), first_step(app), code).status_code == 200


def renew(app):
    return app.test_cli_runner().invoke(args=["renew-encryption"])


def test_a_factor_of_the_old_key_counts_while_the_key_is_listed(environ, owner):
    assert signs_in(with_new_key(environ, environ["SECRET_KEY"]), owner.authenticator.code())


def test_without_the_old_key_recovery_codes_count_and_the_log_says_why(environ, owner, caplog):
    other = with_new_key(environ)

    with caplog.at_level(logging.ERROR):
        assert not signs_in(other, owner.authenticator.code())

    assert "encrypted under a key that is not configured" in caplog.text
    assert signs_in(other, owner.authenticator.recovery_codes[0])


def test_the_command_encrypts_anew_so_that_the_old_key_can_go(environ, owner):
    before = only_row(owner.caller.app, SecondFactor)

    result = renew(with_new_key(environ, environ["SECRET_KEY"]))

    assert result.output == "renew-encryption: 1 secret is encrypted anew.\n"
    after = only_row(owner.caller.app, SecondFactor)
    assert after.key_id != before.key_id
    assert signs_in(with_new_key(environ), owner.authenticator.code())
    assert (
        renew(with_new_key(environ)).output == "renew-encryption: 0 secrets are encrypted anew.\n"
    )


def test_the_command_names_what_no_key_decrypts(environ, owner):
    result = renew(with_new_key(environ))

    assert result.exit_code == 1
    assert "no key decrypts 1 secret." in result.output


def test_the_purge_encrypts_anew_as_well(environ, owner):
    other = with_new_key(environ, environ["SECRET_KEY"])

    assert other.test_cli_runner().invoke(args=["purge"]).exit_code == 0

    assert signs_in(with_new_key(environ), owner.authenticator.code())


class TestEncryption:
    """`app.encryption`."""

    def test_a_text_is_encrypted_differently_each_time_and_read_again(self, app):
        first, second = (inside(app, encryption.encrypt, "tests", "a text") for _ in range(2))

        assert first != second
        assert inside(app, encryption.decrypt, "tests", first) == "a text"

    @pytest.mark.parametrize("purpose", ["other tests", ""])
    def test_another_purpose_has_another_key(self, app, purpose):
        encrypted = inside(app, encryption.encrypt, "tests", "a text")

        with pytest.raises(Undecryptable):
            inside(app, encryption.decrypt, purpose, encrypted)

    @pytest.mark.parametrize("encrypted", ["", "nothing", "gAAAAA==", "é"])
    def test_what_was_not_encrypted_here_is_refused(self, app, encrypted):
        with pytest.raises(Undecryptable):
            inside(app, encryption.decrypt, "tests", encrypted)
