"""Text as the shop stores, compares and slugs it."""

import pytest
from slugify import slugify

from app.domain.text import MAX_SLUG, NotText, clean, fold, is_slug, make_slug, with_suffix, words


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [("  Mug \n", "Mug"), ("Cafe\u0301", "Café"), ("a\tb", "a\tb"), ("😀", "😀")],
)
def test_a_line_is_trimmed_and_normalized(text, cleaned):
    assert clean(text, 0, 100) == cleaned


def test_several_lines_end_in_line_feeds():
    assert clean("one\r\ntwo\n", 0, 100, lines=True) == "one\ntwo"


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
