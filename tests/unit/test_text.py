"""Text as the shop stores, compares and slugs it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slugify import slugify

from app.domain.text import (
    MAX_SLUG,
    SHORT,
    NotText,
    clean,
    fold,
    fold_case,
    is_slug,
    make_slug,
    normalize,
    slug_words,
    with_suffix,
    words,
)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  Mug \n", "Mug"),
        ("Cafe\u0301", "Café"),
        ("a\tb", "a b"),
        ("a\u2028b", "a b"),
        ("😀", "😀"),
    ],
)
def test_a_line_is_trimmed_and_normalized(text, cleaned):
    assert clean(text, 0, 100) == cleaned


def test_several_lines_end_in_line_feeds():
    assert clean("one\r\ntwo\n", 0, 100, lines=True) == "one\ntwo"


@pytest.mark.parametrize(
    "text", ["\u200b", "\u2060\u200d", "\u3164", "\u2800", "\u00ad\u0301", "\ufeff"]
)
def test_a_name_shows_something(text):
    with pytest.raises(NotText, match="visible"):
        clean(text, 1, 10)

    assert clean(text, 0, 10) == text
    assert clean(f"{text}a", 1, 10) == f"{text}a"


@pytest.mark.parametrize("text", ["a\x00b", "a\x07", "a\nb", "a\x7f", "\ud800", "a\rb"])
def test_what_no_database_or_screen_should_see_is_refused(text):
    with pytest.raises(NotText, match="Control characters"):
        clean(text, 0, 100)


@pytest.mark.parametrize(
    ("text", "fits"), [("", False), (" ", False), ("ab", True), ("abc", False)]
)
def test_the_length_is_that_of_the_trimmed_text(text, fits):
    if fits:
        assert clean(text, 1, 2) == text
        return

    with pytest.raises(NotText, match="Between 1 and 2"):
        clean(text, 1, 2)


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Café", "cafe"), ("CAFÉ", "cafe"), ("Straße", "strasse"), ("ﬁne", "fine"), ("MUG", "mug")],
)
def test_case_accents_and_ligatures_do_not_count(text, folded):
    assert fold(text) == folded


def test_words_are_split_at_everything_else():
    assert words("T-Shirt, 100% COTTON_blend (Größe: M)") == [
        "t", "shirt", "100", "cotton", "blend", "grosse", "m",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("mug", True),
        ("red-mug-2", True),
        ("42", False),
        ("", False),
        ("Mug", False),
        ("-mug", False),
        ("mug--2", False),
        ("mug/2", False),
        ("mug\n", False),
        ("m" * MAX_SLUG, True),
        ("m" * (MAX_SLUG + 1), False),
        ("٤٢", False),
    ],
)
def test_what_can_stand_in_a_path(text, fits):
    assert is_slug(text) is fits


@pytest.mark.parametrize(
    "name", ["Red Mug", "42", "Größe Ü", "日本", "!!!", "", "x" * 500, "a " * 300]
)
def test_every_name_gets_a_slug(name):
    slug = make_slug(name, "product")

    assert is_slug(slug)
    assert is_slug(with_suffix(slug))
    assert with_suffix(slug) != slug


def test_a_slug_reads_like_its_name():
    assert make_slug("Red Mug, 0.3 l", "product") == "red-mug-0-3-l"
    assert make_slug("2024", "category") == "category-2024"


@pytest.mark.parametrize(
    "name",
    [
        "Red Mug",
        "MUG 2",
        "  Oak   table ",
        "1 2 3",
        "x" * 108,
        "x" * 109,
        "word " * 30,
        "Bowl, White 5",
        "A/B (C) 1.5",
        "O'Neil",
        "1,000 mugs",
        "Salt &amp; Pepper",
        "--",
        "_a_",
    ],
)
def test_plain_names_get_the_slug_that_others_would(name):
    by_the_book = slugify(name, max_length=MAX_SLUG - 12, word_boundary=True).strip("-")

    made = make_slug(name, "p")
    assert made in (by_the_book, f"p-{by_the_book}") or (made.startswith("p-") and not by_the_book)


HOSTILE = "a" + "\u0301" * 15_000 + "\u0323" * 15_000
"""Its normal form takes seconds: the marks are sorted, and there are two kinds."""
HIDDEN = "a" + "\u0301\uff9e" * 5000
"""The second character is a letter, which becomes a mark when it is decomposed (NFKD)."""
FORMS = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])
TEXTS = st.text(
    st.sampled_from("ab \u00e9\u1f82\u0301\u0323\u0345\u0344\uff9e\ufdfa\uac01\u0130ß"),
    max_size=700,
)


@pytest.mark.parametrize(
    "text", [HOSTILE, HIDDEN, "a" + "\u0344" * 1000, "\u0301" * 31 + "a" * 512]
)
def test_too_many_marks_in_a_row_are_refused(text):
    with pytest.raises(NotText, match="marks"):
        normalize("NFC", text, 20_000)
    with pytest.raises(NotText, match="marks"):
        clean(text, 0, 20_000)


@pytest.mark.parametrize("limit", [1, 8, 254])
def test_the_raw_text_may_be_four_times_as_long(limit):
    assert normalize("NFC", "\u03b1\u0313\u0300\u0345" * limit, limit) == "\u1f82" * limit
    with pytest.raises(NotText, match=f"At most {limit} "):
        normalize("NFC", "\u03b1\u0313\u0300\u0345" * limit + "a", limit)
    with pytest.raises(NotText, match=f"At most {limit} "):
        normalize("NFC", "a" * (4 * limit + 1), limit)


def test_blanks_around_a_text_do_not_count():
    assert clean(" " * 1000 + "DE" + "\n" * 1000, 2, 2) == "DE"


def test_thirty_marks_on_each_letter_may_stand_in_a_long_text():
    text = ("a" + "\u0301" * 15 + "\u0323" * 15) * 100

    assert clean(text, 0, 20_000) == unicodedata.normalize("NFC", text)


@given(FORMS, TEXTS)
def test_text_is_normalized_as_unicode_says_or_refused_for_its_marks(form, text):
    runs = "".join(
        "m" if unicodedata.combining(c) else " " for c in unicodedata.normalize("NFKD", text)
    )
    is_refused = len(text) > SHORT and max(map(len, runs.split()), default=0) > 30

    if is_refused:
        with pytest.raises(NotText):
            normalize(form, text, 1000)
    else:
        assert normalize(form, text, 1000) == unicodedata.normalize(form, text)


@given(TEXTS)
def test_a_fold_has_no_accents_and_is_its_own_fold(text):
    folded = fold(text)

    marks = {char for char in folded if unicodedata.combining(char)}
    assert marks <= {"\u3099"}  # a letter's part; half-width, it is in TEXTS
    assert fold(folded) == folded


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_folds_of_any_text_are_their_own_folds(text):
    assert fold(fold(text)) == fold(text)
    assert fold_case(fold_case(text)) == fold_case(text)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Łazienkowy", "lazienkowy"),
        ("Smørebrødkniv", "smorebrodkniv"),
        ("Đồng hồ", "dong ho"),
        ("kædelås", "kaedelas"),
        ("Œuvre", "oeuvre"),
        ("ẞþðıħŋƒɓȷĳǿ", "ssthdihngfbjijo"),
        ("Ґанок, ЁЛКА, қазақ, Чай", "ганок, елка, казак, чаи"),
        ("ΆΛΦΑΣ", "αλφασ"),
        ("バス パス ハス", "バス パス ハス"),
        ("ﾊﾟﾝﾀﾞ ハ゜ンタ゛", "パンダ パンダ"),
        ("किताब", "किताब"),
        ("ผู้ชาย", "ผู้ชาย".replace("ำ", "ํา")),
        ("김치", "김치"),
        ("أَحْمَر", "احمر"),
        ("שָׁלוֹם", "שלום"),
        ("葛\U000e0100城 so\u00adft", "葛城 soft"),
    ],
)
def test_search_forgives_accents_and_keeps_letters(text, folded):
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Año", "Ano"),
        ("バス", "パス"),
        ("バス", "ハス"),
        ("Øl", "Ol"),
        ("Чай", "Чаи"),
        ("דָג", "דג"),
    ],
)
def test_names_differ_by_their_accents(text, other):
    assert fold_case(text) != fold_case(other)
    assert fold_case(text.upper()) == fold_case(unicodedata.normalize("NFD", text.lower()))


def test_what_is_derived_of_a_text_with_too_many_marks_leaves_them_out():
    # As may be stored from before they were refused.
    assert fold(f"{HOSTILE} Mug") == "a mug"
    assert words(f"{HOSTILE} Mug") == ["a", "mug"]
    assert slug_words(f"{HOSTILE} Mug") == make_slug(f"{HOSTILE} Mug", "product") == "a-mug"


def test_a_fold_grows_to_eighty_thousand_characters_at_most():
    assert len(fold("\ufdfa" * 20_000)) == 80_000
