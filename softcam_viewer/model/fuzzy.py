"""Fuzzy search: letters of a query found in their order, best where they begin words or stand together."""

from __future__ import annotations

WORD_START, TOGETHER, PLAIN = 8, 5, 1
GAP = 0.05
"""Lost for each letter passed over before the last one that was found."""


def match(query: str, text: str) -> tuple[float, tuple[int, ...]] | None:
    """Find a query in a text.

    Parameters
    ----------
    query : str
        Capitals and spaces do not matter.
    text : str

    Returns
    -------
    (float, tuple of int) or None
        How good the best match is, the higher the better, and where its letters stand; None where there is none.
    """
    letters = [letter for letter in query.casefold() if not letter.isspace()]
    if not letters:
        return 0.0, ()
    lower = [letter.casefold()[:1] for letter in text]
    worth = [WORD_START if i == 0 or not text[i - 1].isalnum() else PLAIN for i in range(len(text))]
    # best[i]: the best match of the letters so far whose last one stands at i.
    best: dict[int, tuple[float, tuple[int, ...]]] = {}
    for number, letter in enumerate(letters):
        found: dict[int, tuple[float, tuple[int, ...]]] = {}
        for i in (i for i, other in enumerate(lower) if other == letter):
            if number == 0:
                found[i] = (worth[i] - GAP * i, (i,))
                continue
            before = [
                (score + (max(worth[i], TOGETHER) if j == i - 1 else worth[i]) - GAP * (i - j - 1), (*places, i))
                for j, (score, places) in best.items()
                if j < i
            ]
            if before:
                found[i] = max(before)
        best = found
    return max(best.values()) if best else None
