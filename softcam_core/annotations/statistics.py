"""How much was said in a store, by whom and about what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from softcam_core.annotations.store import AnnotationStore


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a store holds, in numbers.

    Attributes
    ----------
    cases : int
        That anything was said about.
    annotations, reviews : int
    by_verdict, by_class, by_reviewer, by_model : dict of {str: int}
        Annotations, the most frequent first; "" for those without a reviewer or a model.
    by_status : dict of {str: int}
        Reviews, by how far they are.
    reviewed : dict of {str: int}
        Cases that each reviewer is done with.
    """

    cases: int
    annotations: int
    reviews: int
    by_verdict: dict[str, int]
    by_class: dict[str, int]
    by_reviewer: dict[str, int]
    by_model: dict[str, int]
    by_status: dict[str, int]
    reviewed: dict[str, int]


def statistics(store: AnnotationStore) -> Statistics:
    """Count what a store holds."""
    with store.snapshot():
        tally, summaries = store.tally(), store.summaries()
    statuses = [said for summary in summaries.values() for said in summary.statuses.items()]
    return Statistics(
        cases=len(summaries),
        annotations=sum(tally.values()),
        reviews=len(statuses),
        by_verdict=_totals(tally, 0),
        by_class=_totals(tally, 1),
        by_reviewer=_totals(tally, 2),
        by_model=_totals(tally, 3),
        by_status=_most_first(Counter(status for _, status in statuses)),
        reviewed=_most_first(Counter(reviewer for reviewer, status in statuses if status == "reviewed")),
    )


def _totals(tally: dict[tuple[str, str, str, str], int], which: int) -> dict[str, int]:
    totals = Counter[str]()
    for values, number in tally.items():
        totals[values[which]] += number
    return _most_first(totals)


def _most_first(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
