"""The codes of authenticators, and recovery codes."""

import re

import pyotp
import pytest

from app.domain.people import second_factor
from app.domain.people.second_factor import matching_steps, new_recovery_codes, read_recovery_code

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_800_000_010


def test_the_codes_are_those_of_rfc_6238():
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # appendix B, in base 32

    assert matching_steps(secret, "287082", 59) == [1]
    assert matching_steps(secret, "081804", 1111111109) == [37037036]


@pytest.mark.parametrize(
    ("steps", "is_right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_the_clocks_may_be_one_step_apart(steps, is_right):
    code = pyotp.TOTP(SECRET).at(NOW + 30 * steps)

    expected = [NOW // 30 + steps] if is_right else []
    assert matching_steps(SECRET, code, NOW) == expected


@pytest.mark.parametrize("code", ["", "12345", "1234567", "١٢٣٤٥٦", "12345a", " 12345", "-12345"])
def test_what_is_no_code_matches_nothing(code):
    assert matching_steps(SECRET, code, NOW) == ()


def test_a_secret_has_160_bits_and_is_new_each_time():
    secrets = {second_factor.new_secret() for _ in range(20)}

    assert len(secrets) == 20
    assert all(re.fullmatch("[A-Z2-7]{32}", secret) for secret in secrets)


def test_the_uri_names_the_shop_and_the_account():
    uri = second_factor.setup_uri(SECRET, "ann@example.com", "Tea: & Co")

    assert uri == (
        f"otpauth://totp/Tea%20%20%26%20Co:ann%40example.com?secret={SECRET}&issuer=Tea%20%20%26%20Co"
    )


def test_recovery_codes_are_ten_and_all_different():
    codes = new_recovery_codes() + new_recovery_codes()

    assert len(set(codes)) == 2 * second_factor.RECOVERY_CODES == 20
    assert all(
        re.fullmatch("([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes
    )


@pytest.mark.parametrize(
    "text",
    ["7K2M-0QXD-94TV-J3HB", " 7k2m0qxd94tvj3hb ", "7K2M OQXD 94TV J3HB", "7k2m-oqxd-94tv-j3hb"],
)
def test_a_recovery_code_is_read_as_people_type_it(text):
    assert read_recovery_code(second_factor.clean(text)) == "7K2M0QXD94TVJ3HB"


@pytest.mark.parametrize(
    "text", ["", "123456", "7K2M-0QXD-94TV", "U" * 16, "7K2M-0QXD-94TV-J3HBB", "é" * 16]
)
def test_what_is_no_recovery_code_is_none(text):
    assert read_recovery_code(second_factor.clean(text)) is None


def test_a_long_text_is_cut_before_it_is_looked_at():
    assert len(second_factor.clean("1" * 10**6)) == second_factor.MAX_LENGTH
