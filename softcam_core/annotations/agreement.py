"""How far reviewers agree: on cases, and on places."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from softcam_core.annotations.annotation import Annotation, CaseRecord, Review
from softcam_core.annotations.shapes import Bounds, Coverage, Shape
from softcam_core.annotations.store import AnnotationStore

Pair = tuple[str, str]
Place = tuple[int, str, str]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree.

    Cohen's kappa is 1 where they always agree, and 0 where they agree no more often than by chance [1]_. It is None
    where it is not defined: without cases in common, and where both say the same of all.

    Attributes
    ----------
    reviewer_a, reviewer_b : str
    cases : int
        That both have been on: each wrote an annotation on it, or has reviewed it.
    labelled : int
        That both gave labels to, be it none.
    kappa : float or None
        Of the labels; the labels of a case together are one category.
    kappa_by_class : dict of {str: float or None}
        Of whether a case has a class, for each class that either of them gave.
    reviews : int
        Cases that both wrote a review of.
    status_kappa : float or None
        Of how far these reviews are.
    places : int
        Frames of these cases, each with a verdict and a class, that one of them or both marked something of.
    places_of_both : int
        That both did.
    iou : float or None
        Mean over the places of what both marked by what either marked, in pixels (intersection over union, the Jaccard
        index [2]_): 0 where only one did. None without places.
    iou_of_both : float or None
        The same over places of both.

    References
    ----------
    .. [1] Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 1960,
       equation 1.
    .. [2] Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912.
    """

    reviewer_a: str
    reviewer_b: str
    cases: int = 0
    labelled: int = 0
    kappa: float | None = None
    kappa_by_class: dict[str, float | None] = field(default_factory=dict)
    reviews: int = 0
    status_kappa: float | None = None
    places: int = 0
    places_of_both: int = 0
    iou: float | None = None
    iou_of_both: float | None = None


def agreement(store: AnnotationStore, reviewers: Sequence[str] | None = None) -> tuple[Agreement, ...]:
    """Compare reviewers with each other, two at a time.

    Parameters
    ----------
    store : AnnotationStore
    reviewers : sequence of str, optional
        All by default.

    Returns
    -------
    tuple of Agreement
        By names; the first reviewer of each is the one whose name is sorted first.

    Raises
    ------
    AnnotationError
        When the store cannot be read.
    """
    with store.snapshot():
        summaries, cases = store.summaries(), store.cases()
        everybody = {name for summary in summaries.values() for name in summary.reviewers}
        names = sorted(everybody if reviewers is None else set(reviewers))
        reviews: dict[str, dict[str, Review]] = {name: {} for name in names}
        for review in store.reviews():
            if review.reviewer in reviews:
                reviews[review.reviewer][review.case] = review
        shared: dict[Pair, int] = defaultdict(int)
        overlaps: dict[Pair, list[float | None]] = defaultdict(list)
        for key, summary in summaries.items():
            if len(set(summary.reviewers).intersection(names)) < 2:
                continue
            marked = _by_reviewer(annotation for annotation in store.of_case(key) if annotation.reviewer in reviews)
            done = {name for name in names if key in reviews[name] and reviews[name][key].status == "reviewed"}
            pairs = list(combinations(sorted(done.union(marked)), 2))
            for pair in pairs:
                shared[pair] += 1
            for pair, overlap in _overlaps(marked, pairs, cases[key]):
                overlaps[pair].append(overlap)
    return tuple(
        _compared(pair, reviews[pair[0]], reviews[pair[1]], shared[pair], overlaps[pair])
        for pair in combinations(names, 2)
    )


def _by_reviewer(annotations: Iterable[Annotation]) -> dict[str, dict[Place, list[Shape]]]:
    marked: dict[str, dict[Place, list[Shape]]] = defaultdict(lambda: defaultdict(list))
    for annotation in annotations:
        marked[annotation.reviewer][annotation.frame, annotation.verdict, annotation.class_name].append(
            annotation.shape
        )
    return marked


def _overlaps(
    marked: dict[str, dict[Place, list[Shape]]], pairs: list[Pair], case: CaseRecord
) -> Iterable[tuple[Pair, float | None]]:
    """Of each pair at each place that one of them marked; None where only one did."""
    image_size = case.height, case.width
    for place in sorted({place for places in marked.values() for place in places}):
        drawn = {name: _within(places[place], image_size) for name, places in marked.items() if place in places}
        drawn = {name: shapes for name, shapes in drawn.items() if shapes}
        covered = _covered(drawn, image_size) if len(drawn) > 1 else {}
        for a, b in pairs:
            if a in covered and b in covered:
                either = np.maximum(covered[a], covered[b]).sum(dtype=np.float64)
                if either > 0:
                    yield (a, b), float(np.minimum(covered[a], covered[b]).sum(dtype=np.float64) / either)
            elif a in drawn or b in drawn:
                yield (a, b), None


def _within(shapes: list[Shape], image_size: tuple[int, int]) -> list[Shape]:
    """Those whose boxes reach into the image."""
    return [shape for shape in shapes if min(_size(_pixels(shape.bounds, image_size)))]


def _covered(drawn: dict[str, list[Shape]], image_size: tuple[int, int]) -> dict[str, Coverage]:
    """What each reviewer marked, within one box around all."""
    tops, lefts, bottoms, rights = zip(*(shape.bounds for shapes in drawn.values() for shape in shapes), strict=True)
    around = _pixels((min(tops), min(lefts), max(bottoms), max(rights)), image_size)
    covered = {name: np.zeros(_size(around), np.float32) for name in drawn}
    for name, shapes in drawn.items():
        for shape in shapes:
            top, left, bottom, right = box = _pixels(shape.bounds, image_size)
            part = covered[name][top - around[0] : bottom - around[0], left - around[1] : right - around[1]]
            np.maximum(part, shape.moved(-top, -left).coverage(_size(box)), out=part)
    return covered


def _pixels(bounds: Bounds, image_size: tuple[int, int]) -> Box:
    """Pixels of the image that lie in a box, also in part."""
    top, left, bottom, right = bounds
    return (
        *(max(math.floor(top), 0), max(math.floor(left), 0)),
        *(min(math.ceil(bottom), image_size[0]), min(math.ceil(right), image_size[1])),
    )


def _size(box: Box) -> tuple[int, int]:
    return max(box[2] - box[0], 0), max(box[3] - box[1], 0)


def _compared(
    pair: Pair, of_a: dict[str, Review], of_b: dict[str, Review], shared: int, overlaps: list[float | None]
) -> Agreement:
    both = [(of_a[key], of_b[key]) for key in sorted(of_a.keys() & of_b.keys())]
    labels = [(set(a.labels), set(b.labels)) for a, b in both if a.labels is not None and b.labels is not None]
    classes = sorted({name for given in labels for each in given for name in each})
    of_both = [overlap for overlap in overlaps if overlap is not None]
    return Agreement(
        *pair,
        cases=shared,
        labelled=len(labels),
        kappa=_kappa([(tuple(sorted(a)), tuple(sorted(b))) for a, b in labels]),
        kappa_by_class={name: _kappa([(name in a, name in b) for a, b in labels]) for name in classes},
        reviews=len(both),
        status_kappa=_kappa([(a.status, b.status) for a, b in both]),
        places=len(overlaps),
        places_of_both=len(of_both),
        iou=_mean([overlap or 0.0 for overlap in overlaps]),
        iou_of_both=_mean(of_both),
    )


def _kappa(judged: list[tuple[Hashable, Hashable]]) -> float | None:
    numbers: dict[Hashable, int] = {}
    pairs = [[numbers.setdefault(value, len(numbers)) for value in each] for each in judged]
    if len(numbers) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    a, b = zip(*pairs, strict=True)
    return float(cohen_kappa_score(a, b))


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
