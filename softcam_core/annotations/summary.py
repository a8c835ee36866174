"""What was said about a case, in short."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from softcam_core.annotations.annotation import VERDICTS, Status, Verdict


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """What there is about a case.

    Attributes
    ----------
    counts : dict of {verdict: int}
        Annotations by verdict, of all reviewers and frames; without those that there are none of.
    reviewers : tuple of str
        Who wrote an annotation or a review, sorted.
    statuses : dict of {str: status}
        How far each reviewer is who wrote a review.
    """

    counts: dict[Verdict, int] = field(default_factory=dict)
    reviewers: tuple[str, ...] = ()
    statuses: dict[str, Status] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Annotations in all."""
        return sum(self.counts.values())


def read_summaries(connection: sqlite3.Connection, keys: Iterable[str] | None) -> dict[str, CaseSummary]:
    """Summaries of the cases that have any, of all or of some."""
    which, parameters = "", []
    if keys is not None:
        which, parameters = " WHERE case_key IN (SELECT value FROM json_each(?))", [json.dumps(list(keys))]
    totals = ", ".join(f"sum(verdict = '{verdict}')" for verdict in VERDICTS)
    counts: dict[str, dict[Verdict, int]] = {}
    reviewers: dict[str, tuple[str, ...]] = {}
    known: dict[str, tuple[str, ...]] = {}  # many cases have the same reviewers
    for key, names, *numbers in connection.execute(
        f"SELECT case_key, json_group_array(DISTINCT reviewer), {totals} FROM annotations{which} GROUP BY case_key",
        parameters,
    ):
        counts[key] = {verdict: number for verdict, number in zip(VERDICTS, numbers, strict=True) if number}
        if names not in known:
            known[names] = tuple(sorted(json.loads(names)))
        reviewers[key] = known[names]
    statuses: dict[str, dict[str, Status]] = {}
    for key, reviewer, status in connection.execute(
        f"SELECT case_key, reviewer, status FROM reviews{which}", parameters
    ):
        statuses.setdefault(key, {})[reviewer] = status
    for key, said in statuses.items():
        reviewers[key] = tuple(sorted({*reviewers.get(key, ()), *said}))
    return {key: CaseSummary(counts.get(key, {}), names, statuses.get(key, {})) for key, names in reviewers.items()}
