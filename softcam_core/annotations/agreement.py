"""How far reviewers agree: on cases, and on places."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from softcam_core.annotations.annotation import Annotation, CaseRecord, Review
from softcam_core.annotations.shapes import Coverage, Shape
from softcam_core.annotations.store import AnnotationStore

Pair = tuple[str, str]
Place = tuple[int, str, str]
Box = tuple[int, int, int, int]

MOST_CELLS = 512
"""A side, on which shapes that lie on each other are compared: pixels, or coarser cells where they are larger.

Coarser cells change an overlap by no more than the share of cells that the outlines of both cross; for boxes, ellipses
and outlines of a few corners that is less than 0.01.
"""


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
        drawn = [_Drawn(name, shape, image_size) for name, places in marked.items() for shape in places.get(place, [])]
        drawn = [each for each in drawn if each.is_within]
        names = {each.reviewer for each in drawn}
        of_both = [pair for pair in pairs if names.issuperset(pair)]
        shares = {pair: [0.0, 0.0] for pair in of_both}
        for group in _groups(drawn) if of_both else []:
            covered, pixels = _covered(group)
            for pair in of_both:
                areas = _areas([covered[name] for name in pair if name in covered])
                for i, area in enumerate(areas):
                    shares[pair][i] += pixels * area
        for pair in pairs:
            if pair in shares:
                both, either = shares[pair]
                if either > 0:
                    yield pair, both / either
            elif names.intersection(pair):
                yield pair, None


class _Drawn:
    """A shape, and the box of pixels of the image that it reaches into."""

    def __init__(self, reviewer: str, shape: Shape, image_size: tuple[int, int]) -> None:
        self.reviewer, self.shape = reviewer, shape
        top, left, bottom, right = shape.bounds
        self.box: Box = (
            *(max(math.floor(top), 0), max(math.floor(left), 0)),
            *(min(math.ceil(bottom), image_size[0]), min(math.ceil(right), image_size[1])),
        )

    @property
    def is_within(self) -> bool:
        """Whether it reaches into the image at all."""
        return self.box[0] < self.box[2] and self.box[1] < self.box[3]

    def meets(self, other: _Drawn) -> bool:
        """Whether their boxes have pixels in common."""
        top, left, bottom, right = self.box
        return top < other.box[2] and other.box[0] < bottom and left < other.box[3] and other.box[1] < right


def _groups(drawn: list[_Drawn]) -> list[list[_Drawn]]:
    """Shapes parted where no box meets that of another group: they have nothing in common, and are counted apart."""
    groups: list[list[_Drawn]] = []
    for each in drawn:
        met = [group for group in groups if any(each.meets(other) for other in group)]
        groups = [group for group in groups if group not in met]
        groups.append([each, *(other for group in met for other in group)])
    return groups


def _covered(group: list[_Drawn]) -> tuple[dict[str, Coverage], float]:
    """What each reviewer marked of the cells of one box around all, 0 to 1, and how many pixels a cell has."""
    tops, lefts, bottoms, rights = zip(*(each.box for each in group), strict=True)
    top, left, bottom, right = min(tops), min(lefts), max(bottoms), max(rights)
    height, width = bottom - top, right - left
    size = min(height, MOST_CELLS), min(width, MOST_CELLS)
    down, across = size[0] / height, size[1] / width
    covered = {each.reviewer: np.zeros(size, np.float32) for each in group}
    for each in group:
        shape = each.shape.moved(-top, -left)
        if (down, across) != (1, 1):
            shape = shape.scaled(down, across)
        first_row, first = math.floor((each.box[0] - top) * down), math.floor((each.box[1] - left) * across)
        last_row, last = math.ceil((each.box[2] - top) * down), math.ceil((each.box[3] - left) * across)
        within = covered[each.reviewer][first_row:last_row, first:last]
        np.maximum(within, shape.moved(-first_row, -first).coverage(within.shape), out=within)
    return covered, 1 / (down * across)


def _areas(covered: list[Coverage]) -> tuple[float, float]:
    """Cells that both of two reviewers marked, and that either did; they are of those alone who marked any."""
    if len(covered) < 2:
        return 0.0, sum(float(cells.sum(dtype=np.float64)) for cells in covered)
    both, either = (float(of(*covered).sum(dtype=np.float64)) for of in (np.minimum, np.maximum))
    return both, either


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
