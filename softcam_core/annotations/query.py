"""What annotations of a store are looked for by."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass

from softcam_core.annotations.annotation import Annotation, Verdict


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that all have to hold; what is empty or None is none.

    Attributes
    ----------
    text : str
        Words, each of which occurs in the comment, the class, the reviewer's or the model's name, in any case.
    verdicts, class_names, reviewers, cases : tuple of str
        One of these. A reviewer "" is one who gave no name.
    model_sha256 : str
    since, until : float or None
        Created from the one on, and before the other; seconds since 1970, UTC.
    """

    text: str = ""
    verdicts: tuple[Verdict, ...] = ()
    class_names: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    model_sha256: str = ""
    since: float | None = None
    until: float | None = None

    def condition(self) -> tuple[str, list[str | float]]:
        """The same in SQL, on the table of annotations, and its parameters."""
        parts: list[str] = []
        parameters: list[str | float] = []
        for word in plain(self.text).split():
            parts.append("instr(words, ?)")
            parameters.append(word)
        for column, choice in (
            *(("verdict", self.verdicts), ("class_name", self.class_names)),
            *(("reviewer", self.reviewers), ("case_key", self.cases)),
        ):
            if choice:
                parts.append(f"{column} IN (SELECT value FROM json_each(?))")
                parameters.append(json.dumps(choice))
        for test, value in (
            *(("model_sha256 = ?", self.model_sha256 or None), ("created >= ?", self.since)),
            ("created < ?", self.until),
        ):
            if value is not None:
                parts.append(test)
                parameters.append(value)
        return " AND ".join(parts) or "TRUE", parameters


def words_of(annotation: Annotation) -> str:
    """What a text is looked for in."""
    said = annotation.comment, annotation.class_name, annotation.reviewer, annotation.model_name
    return plain("\n".join(said))


def plain(text: str) -> str:
    """Text without differences that do not matter to who looks for it: upper and lower case, ways to write a letter."""
    valid = text.encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", valid).casefold())
