from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_viewer.model.fuzzy import GAP, PLAIN, TOGETHER, WORD_START, match


def slow(query: str, text: str) -> float | None:
    """The best of all ways to place the letters."""
    found = []
    for places in combinations(range(len(text)), len(query)):
        if any(text[place].casefold()[:1] != letter for place, letter in zip(places, query.casefold(), strict=True)):
            continue
        score, before = 0.0, -1
        for number, place in enumerate(places):
            worth = WORD_START if place == 0 or not text[place - 1].isalnum() else PLAIN
            if number and place == before + 1:
                worth = max(worth, TOGETHER)
            score += worth - GAP * (place - before - 1)
            before = place
        found.append(score)
    return max(found) if found else None


@given(query=st.text("abc", min_size=1, max_size=4), text=st.text("abcAB ", max_size=9))
def test_the_score_is_that_of_the_best_of_all_ways(query, text):
    found, expected = match(query, text), slow(query, text)
    assert (found is None) == (expected is None)
    if found is not None:
        assert found[0] == pytest.approx(expected)
        assert "".join(text[place].casefold() for place in found[1]) == query
        assert list(found[1]) == sorted(set(found[1]))


def test_beginnings_of_words_are_better_than_letters_within():
    assert match("of", "Open files")[0] > match("of", "Oval offset"[1:])[0]
    assert match("of", "Open files")[1] == (0, 5)


def test_capitals_and_spaces_do_not_matter():
    assert match("OPEN f", "open files") == match("openf", "Open Files")


def test_nothing_is_found_where_a_letter_is_missing_and_all_where_none_is_asked_for():
    assert match("xyz", "Open files") is None
    assert match("", "Open files") == (0.0, ())
