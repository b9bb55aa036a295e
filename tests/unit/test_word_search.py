"""What a row stores to be found by its words, and what a search asks for."""

import pytest

from app.domain.word_search import MAX_STORED, MAX_WORD, WordSearch, stored_words, word_search


def finds(q: str, *texts: str, phone: str = "") -> bool:
    """Whether a search finds a row with these words, by the rule that the databases carry out."""
    search = word_search(q)
    words = stored_words((), texts, phone).split()
    if search is None:
        return False
    if all(any(word.startswith(each) for word in words) for each in search.beginnings):
        return True
    begins = bool(search.phone_beginning) and any(
        w.startswith(search.phone_beginning) for w in words
    )
    return begins or any(word in search.phones for word in words)


def test_things_and_a_person_are_stored_apart_and_each_word_once():
    assert stored_words(["Red Mug", "mug-1"], ["Jürgen Müller"], "030 123") == (
        "| red mug 1 | tel32103 jurgen muller"
    )
    assert stored_words([], []) == "| |"


@pytest.mark.parametrize(
    "stored", ["+49 (0)30 123-45", "0049 30 12345", "030/123 45", "+4930.12345"]
)
@pytest.mark.parametrize(
    "q", ["+49 (0)30 123-45", "+493012345", "0049-30-12345", "030 12345", "(030) 123 45", "12345",
          "30 123-45"],
)  # fmt: skip
def test_a_phone_is_found_in_whatever_writing(stored, q):
    assert finds(q, phone=stored)


@pytest.mark.parametrize("q", ["+43 30 12345", "031 12345", "2345", "123456", "030 1234"])
def test_another_phone_is_not_found(q):
    assert not finds(q, phone="+49 30 12345")
    assert not finds(q, phone="")


@pytest.mark.parametrize("q", ["jurgen", "Müller Jürgen", "muller j", "MÜLLER, JÜRGEN", "j mull"])
def test_a_name_is_found_without_accents_and_in_any_order(q):
    assert finds(q, "Jürgen Müller")


@pytest.mark.parametrize("q", ["", "j", "a b", "!!!", "% _", "'\"*", "gen", "muller x"])
def test_too_little_or_something_else_finds_nothing(q):
    assert not finds(q, "Jürgen Müller")


def test_what_is_stored_and_asked_for_is_bounded():
    many = stored_words([f"word{n}" for n in range(5000)], ["x" * 200, "\ufdfa" * 200])

    assert len(many) < 2 * MAX_STORED
    assert max(map(len, many.split())) == MAX_WORD
    assert "x" * MAX_WORD in many
    search = word_search(" ".join("ab" for _ in range(100)) + "y" * 60)
    assert search is not None
    assert len(search.beginnings) == 20


def test_an_order_of_many_articles_still_has_its_person():
    assert stored_words([f"word{n}" for n in range(5000)], ["Ann Lee"]).endswith("| ann lee")


def test_a_postal_code_is_a_word_and_the_end_of_a_phone():
    assert word_search("10115") == WordSearch(("10115",), "tel51101")
