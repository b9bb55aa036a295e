"""Passwords: long enough, not the first that are guessed, and one spelling for each."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.people.passwords import (
    MAX_LENGTH,
    MIN_LENGTH,
    canonical,
    common_passwords,
    is_common,
    weakness,
)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "tr0ub4dor&3x", "žluťoučký", "🦊🐻🐼🐨🐯🦁🐮🐷", "x" * 127 + "y", "x" * 128,
     "only lower case words", "4902 7715 3308"],
)  # fmt: skip
def test_any_long_and_uncommon_password_is_good_enough(password):
    assert weakness(password) is None


@pytest.mark.parametrize("password", ["", "short", "1234567", "🦊" * 7, "y" * 128 + "x"])
def test_a_password_of_another_length_is_weak(password):
    assert weakness(password) is not None


def test_a_password_has_8_to_128_characters():
    assert weakness("kV9#q!zR") is None
    assert weakness("kV9#q!z") == "Between 8 and 128 characters."
    assert weakness("kV9#q!zR" * 16 + "x") == "Between 8 and 128 characters."


def test_characters_are_counted_not_bytes():
    assert weakness("🦊" * 60 + "🐻" * (MAX_LENGTH - 60)) is None
    assert weakness("é" * (MIN_LENGTH - 1)) is not None
    assert weakness("e\u0301" * (MIN_LENGTH - 1)) is not None


@pytest.mark.parametrize(
    "password",
    ["password", "PASSWORD", "Password1", "12345678", "123456789", "qwertyuiop", "iloveyou", "sunshine",
     "football1", "1q2w3e4r", "aaaaaaaa", "19841984", "michael1", "letmein123", "trustno1", "admin123",
     "p@ssw0rd", "Passw0rd", "P@$$w0rd", "йцукенгшщз", "MotDePasse", "summer2024",
     "ｐａｓｓｗｏｒｄ", "Ｐａｓｓｗｏｒｄ１", "ⓟⓐⓢⓢⓦⓞⓡⓓ", " password ", "12345678\u3000"],
)  # fmt: skip
def test_what_everybody_guesses_first_is_weak(password):
    assert "guessed" in weakness(password)


@pytest.mark.parametrize("password", ["nul\0inside", "half \ud800 a pair", "\udfff" * 9])
def test_what_cannot_be_hashed_is_refused(password):
    assert "cannot stand" in weakness(password)


def test_accents_typed_in_either_way_are_the_same_password():
    assert canonical("cafe\u0301 cre\u0300me") == canonical("café crème")


def test_what_is_too_long_to_be_a_password_is_compared_as_it_stands():
    hostile = "a" + "\u0301" * 15_000 + "\u0323" * 15_000

    assert canonical(hostile) == hostile
    assert "128 characters" in weakness(hostile)
    assert not is_common(hostile)


def test_marks_on_one_letter_may_fill_a_password():
    password = "a" + "\u0301" * 60 + "\u0323" * 60

    assert canonical(password) == "\u1ea1" + "\u0323" * 59 + "\u0301" * 60
    assert weakness(password) is None


def test_the_list_holds_thousands_each_long_enough_to_matter_and_folded():
    words = common_passwords()

    assert len(words) > 5000
    assert all(len(word) >= MIN_LENGTH and word == word.casefold() for word in words)


KNOWN = ["Corner Shop", "ann.lee@mail.example.com", "Ann", "O'Hara-Smith"]


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("        ", "Blanks"), ("    mug    ", "Blanks"), ("\u3000" * 9, "Blanks"),
        ("aaaaaaaaaaaa", "repeats|guessed"), ("abcabcabc", "repeats|guessed"), ("abcabcab", "repeats"), ("x" * 32, "repeats"),
        ("🦊" * 9, "repeats"), ("zzzzzzz1", "repeats"),
        ("qwer1234", "row|guessed"), ("asdfghjkl", "row|guessed"), ("9876543210", "row|guessed"),
        ("qwertz12345", "row"), ("abcdefghij", "row|guessed"), ("poiuytrewq", "row|guessed"), ("asdf4567", "row"),
        ("summer2026", "little added|guessed"), ("Password1!", "little added|guessed"), ("!!Password2031", "little added"),
        ("P@55w0rd!!", "little added"), ("$umm3r2026", "little added"), ("welcome 2027", "little added"),
        ("sunshinesunshine", "little added"), ("Dragon-2025", "little added"),
        ("cornershop", "consists"), ("Corner Shop 1", "consists"), ("C0rner$hop2026!", "consists"),
        ("ann.lee@mail.example.com", "consists"), ("annlee1984", "consists"), ("mail.example.com", "consists"),
        ("example2026", "consists"), ("leeannlee", "consists"), ("ohara-smith!", "consists"),
        ("AnnCornerShop", "consists"),
        ("aaaa    aaaa", "repeats"), ("aabbccaabc", "repeats"), ("ab ba ab ba", "repeats"), ("1 1 1 1 1 1", "repeats"),
        ("aabbccdd", "row"), ("112233445566", "row|guessed"), ("qqwweerrtt", "row"),
        ("Sommer2026!", "year"), ("januar2026", "year"), ("2031Frühling", "year"), ("лето 2026", "year"), ("Kettle-1999", "year"),
        ("!Velvet1984", "year"), ("zephyrs_2099", "year"),
        ("1985-01-31", "date"), ("31.12.1999", "date"), ("31121999", "date"), ("20270229", "date"), ("9/11/2001", "date"),
    ],
)  # fmt: skip
def test_what_is_guessed_by_pattern_or_by_what_is_known_is_weak(password, reason):
    told = weakness(password, KNOWN)

    assert re.search(reason, str(told)), told


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "ann likes the corner table", "example of a long phrase", "my shop sells mugs",
     "leeward sailing boats", "a" * 72 + "b", "blue summer evening", "cornerstone pigeons", "tr0ub4dor&3x",
     "4902 7715 3308", "Zq7-rT4-wB9", "velvet igloo 1984", "Kettle-2199", "Kettle19991", "unbelievableness1984",
     "94027715", "1985-01-31-77", "31.12.1999 Rome", "aabbccddx"],
)  # fmt: skip
def test_what_only_has_a_known_word_in_it_is_good_enough(password):
    assert weakness(password, KNOWN) is None


@pytest.mark.parametrize(
    ("weak", "reason", "good"),
    [
        ("dragon135792", "little added", "dragon1357924"),
        ("$ummer135792", "little added", "$ummer1357924"),
        ("cornershopxyz", "consists", "cornershopwxyz"),
        ("cornershop135792", "consists", "cornershop1357924"),
        ("lee-ann-lee-lee", "consists", "lee-axn-mee-lee"),
        ("wxkqwxkq", "repeats", "wxkqwxkj"),
        ("wxkqwxkqwxkq", "repeats", "wxkqjwxkqjwxkqj"),
        ("wxkq" * 8, "repeats", "wxkq" * 8 + "w"),
        ("zz135792", "repeats", "zk135792"),
        ("xkxxkkxz", "repeats", "xkxxkjxz"),
        ("xk zzk xz", "repeats", "xk zzk xj"),
        ("qwertyuiopqwertyuiopasdfghjklqwe", "row", "qwertyuiopqwertyuiopasdfghjklqwer"),
        ("wersdfxcv", "row", "qwaszxerdf"),
        ("wersdfxcv", "row", "wersdfxccv"),
        ("poiulkjhmnb", "row", "pioulkjhmnb"),
        ("aabbccdd", "row", "aabbccdde"),
        ("zephyrsandwi1984", "year", "zephyrsandwic1984"),
    ],
)
def test_each_rule_ends_where_it_says(weak, reason, good):
    assert reason in str(weakness(weak, KNOWN))
    assert weakness(good, KNOWN) is None


@pytest.mark.parametrize(
    "password", ["m1chael2!", "f1owers22", "w!nner2026", "8atman22", "$occer22", "$occer!!", "$occer@@", "$occer 4 2"]
)  # fmt: skip
def test_signs_and_digits_in_the_place_of_letters_hide_no_word(password):
    assert "little added" in weakness(password)


@pytest.mark.parametrize(
    ("password", "known"),
    [
        ("annabellexyz", ["Ann", "Annabelle"]), ("shop-corner-1", ["Corner Shop"]),
        ("mustermann12", ["max.mustermann@mail.example.com"]), ("max mustermann", ["max.mustermann@mail.example.com"]),
        ("mu$t3rmann12", ["Mustermann"]), ("mu5termann!2", ["Mustermann"]), ("he1mann12", ["Helmann"]),
    ],
)  # fmt: skip
def test_what_is_known_is_looked_for_word_by_word_the_longest_first(password, known):
    assert "consists" in weakness(password, known)


def test_accents_alone_are_no_row_of_keys():
    assert weakness("\u0301" * 10) is None


def test_words_of_two_letters_are_in_too_many_passwords_to_count():
    assert weakness("alboxalboqalbo", ["Al", "Bo"]) is None


WORDS = ["acorn", "basil", "cedar", "delta", "ember", "fjord", "grape", "hazel", "igloo", "juniper", "kelp", "lemon", "maple", "nectar", "olive", "pebble", "quartz", "raven", "saddle", "timber", "umber", "velvet", "willow", "yarrow", "zephyr"]  # fmt: skip


@given(
    st.lists(st.sampled_from(WORDS), min_size=3, max_size=6, unique=True), st.sampled_from(" -._")
)
def test_a_phrase_of_three_words_is_good_enough(words, between):
    assert weakness(between.join(words), KNOWN) is None
    assert weakness(f"{between.join(words)} and ann", KNOWN) is None


@given(st.text(max_size=200), st.lists(st.text(max_size=100), max_size=4))
def test_any_text_is_judged_beside_any_words(password, known):
    assert weakness(password, known) is None or weakness(password, known).endswith(".")


@given(st.text(max_size=200))
def test_any_text_is_judged(password):
    told = weakness(password)

    if told is None:
        assert MIN_LENGTH <= len(canonical(password)) <= MAX_LENGTH
        assert not is_common(password)
    else:
        assert told.endswith(".")


@given(st.sampled_from(sorted(common_passwords())), st.sampled_from(["", " ", "\u3000"]))
def test_every_word_of_the_list_is_common_in_any_case_and_width_and_with_blanks(word, blanks):
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in word)

    for spelling in (word, f"{blanks}{word}{blanks}", wide, word.swapcase().casefold()):
        assert is_common(spelling), spelling
    assert "guessed" in weakness(word)


@given(st.sampled_from(sorted(common_passwords())), st.text("☃♞", min_size=1, max_size=3))
def test_a_word_of_the_list_is_common_only_as_a_whole(word, more):
    assert not is_common(word + more)
    assert not is_common(more + word)
