"""The names of programs that people sign in with."""

import pytest

from app.domain.people.user_agents import MAX_LENGTH, UNKNOWN, clean, describe

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"{WINDOWS} {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"{WINDOWS} {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
         "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
         "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"Mozilla/5.0 (Linux; Android 15) {WEBKIT} Chrome/140.0 Mobile Safari/537.36",
         "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("ShopApp", "ShopApp"),
        ("Firefox/1.0", "Firefox"),
        ("", UNKNOWN),
        ("/", UNKNOWN),
    ],
)  # fmt: skip
def test_a_program_has_a_name_that_people_recognize(text, name):
    assert describe(text) == name


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("curl/8.5.0", "curl/8.5.0"),
        (" curl\x00/8\t ", "curl/8"),
        ("\x1b[31mred", "[31mred"),
        ("x" * 9000, "x" * MAX_LENGTH),
        ("\xa0\x85", ""),
    ],
)
def test_what_is_stored_is_short_and_can_be_printed(text, stored):
    assert clean(text) == stored
