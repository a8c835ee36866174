from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softcam_core.annotations.agreement import Agreement, agreement
from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit, Review
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle
from softcam_core.annotations.store import AnnotationStore

SIZE = (12, 15)
KEYS = tuple(f"file-{i}" for i in range(4))
NAMES = ("", "Ann", "Bob")

at = st.integers(-12, 40).map(lambda i: i / 4)
sides = st.integers(1, 30).map(lambda i: i / 4)
shapes = (
    st.builds(Rectangle, top=at, left=at, height=sides, width=sides)
    | st.builds(Ellipse, row=at, column=at, down=sides, across=sides)
    | st.just(Polygon(points=((1, 1), (9, 3), (4, 12))))
    | st.just(Bitmap(top=2, left=1.5, bottom=6, right=9, size=(2, 2), counts=(0, 3, 1)))
)
flags = st.builds(
    Annotation,
    case=st.sampled_from(KEYS[:2]),
    frame=st.integers(0, 1),
    verdict=st.sampled_from(["wrong", "correct"]),
    class_name=st.sampled_from(["opacity", "nodule"]),
    reviewer=st.sampled_from(NAMES),
    shape=shapes,
)
reviews = st.lists(
    st.builds(
        Review,
        case=st.sampled_from(KEYS),
        reviewer=st.sampled_from(NAMES),
        status=st.sampled_from(["open", "in_review", "reviewed"]),
        labels=st.sampled_from([None, (), ("nodule",), ("opacity",), ("nodule", "opacity"), ("opacity", "nodule")]),
    ),
    max_size=12,
    unique_by=lambda review: (review.case, review.reviewer),
)


def compare(path, *records, reviewers=None) -> dict[tuple[str, str], Agreement]:
    path.unlink(missing_ok=True)
    with AnnotationStore(path) as store:
        with store.writing():
            store.register(*(CaseRecord(key=key, height=SIZE[0], width=SIZE[1]) for key in KEYS))
            store.apply(Edit(title="Add", changes=tuple(Change(before=None, after=record) for record in records)))
        found = agreement(store, reviewers)
    assert len({(one.reviewer_a, one.reviewer_b) for one in found}) == len(found)
    return {(one.reviewer_a, one.reviewer_b): one for one in found}


def slow_kappa(pairs: list) -> float | None:
    """Cohen (1960), equation 1: what is agreed beyond chance, by what could be."""
    if not pairs:
        return None
    of_a, of_b = (Counter(each) for each in zip(*pairs, strict=True))
    observed = sum(a == b for a, b in pairs) / len(pairs)
    chance = sum(of_a[value] * of_b[value] for value in of_a) / len(pairs) ** 2
    return None if chance == 1 else (observed - chance) / (1 - chance)


def slow_overlaps(a: str, b: str, flags: list[Annotation], reviews: list[Review]) -> tuple[int, list[float | None]]:
    overlaps: list[float | None] = []
    shared = 0
    for key in KEYS:
        been = [
            any(one.case == key and one.reviewer == name for one in flags)
            or any(r.case == key and r.reviewer == name and r.status == "reviewed" for r in reviews)
            for name in (a, b)
        ]
        if not all(been):
            continue
        shared += 1
        for place in product((0, 1), ("correct", "wrong"), ("nodule", "opacity")):
            parts = [
                [
                    one.shape.coverage(SIZE).astype(np.float64)
                    for one in flags
                    if (one.case, one.reviewer, one.frame, one.verdict, one.class_name) == (key, name, *place)
                ]
                for name in (a, b)
            ]
            mine, theirs = (np.max([np.zeros(SIZE), *each], axis=0) for each in parts)
            if mine.any() and theirs.any():
                overlaps.append(np.minimum(mine, theirs).sum() / np.maximum(mine, theirs).sum())
            elif mine.any() or theirs.any():
                overlaps.append(None)
    return shared, overlaps


@given(flags=st.lists(flags, max_size=8), reviews=reviews)
@settings(max_examples=30)
def test_agreement_is_that_of_the_definitions(tmp_path_factory, flags, reviews) -> None:
    found = compare(tmp_path_factory.getbasetemp() / "agreement.sqlite", *flags, *reviews, reviewers=NAMES)
    assert list(found) == [("", "Ann"), ("", "Bob"), ("Ann", "Bob")]
    for (a, b), one in found.items():
        of = {(r.case, r.reviewer): r for r in reviews}
        both = [(of[key, a], of[key, b]) for key in KEYS if (key, a) in of and (key, b) in of]
        labels = [(set(x.labels), set(y.labels)) for x, y in both if None not in (x.labels, y.labels)]
        assert one.reviews == len(both)
        assert one.labelled == len(labels)
        frozen = [(frozenset(x), frozenset(y)) for x, y in labels]
        assert one.kappa == pytest.approx(slow_kappa(frozen), abs=1e-12)
        assert one.status_kappa == pytest.approx(slow_kappa([(x.status, y.status) for x, y in both]), abs=1e-12)
        assert set(one.kappa_by_class) == {name for x, y in labels for name in x | y}
        for name, kappa in one.kappa_by_class.items():
            assert kappa == pytest.approx(slow_kappa([(name in x, name in y) for x, y in labels]), abs=1e-12)
        shared, overlaps = slow_overlaps(a, b, flags, reviews)
        of_both = [overlap for overlap in overlaps if overlap is not None]
        assert (one.cases, one.places, one.places_of_both) == (shared, len(overlaps), len(of_both))
        assert one.iou == pytest.approx(sum(of_both) / len(overlaps) if overlaps else None, abs=0.01)
        assert one.iou_of_both == pytest.approx(sum(of_both) / len(of_both) if of_both else None, abs=0.02)


def flag(reviewer: str, top: float, **values) -> Annotation:
    box = Rectangle(top=top, left=0, height=4, width=3)
    return Annotation(
        **{"case": KEYS[0], "verdict": "wrong", "class_name": "a", "reviewer": reviewer, "shape": box} | values
    )


def test_regions_that_overlap_by_half_have_a_third_in_common(tmp_path) -> None:
    (one,) = compare(tmp_path / "a.sqlite", flag("Ann", 0), flag("Bob", 2)).values()
    assert (one.reviewer_a, one.reviewer_b, one.cases) == ("Ann", "Bob", 1)
    assert (one.iou, one.iou_of_both) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (one.kappa, one.status_kappa, one.kappa_by_class) == (None, None, {})


def test_a_case_that_one_has_not_been_on_is_no_disagreement(tmp_path) -> None:
    elsewhere = flag("Ann", 0, case=KEYS[1])
    path = tmp_path / "a.sqlite"
    (one,) = compare(path, flag("Ann", 0), flag("Bob", 0), elsewhere).values()
    assert (one.cases, one.places, one.iou) == (1, 1, 1)
    opened = Review(case=KEYS[1], reviewer="Bob", status="in_review")
    (one,) = compare(path, flag("Ann", 0), flag("Bob", 0), elsewhere, opened).values()
    assert (one.cases, one.places, one.iou) == (1, 1, 1)
    done = Review(case=KEYS[1], reviewer="Bob", status="reviewed")
    (one,) = compare(path, flag("Ann", 0), flag("Bob", 0), elsewhere, done).values()
    assert (one.cases, one.places, one.places_of_both, one.iou, one.iou_of_both) == (2, 2, 1, 0.5, 1)


large = st.integers(-400, 2000).map(float)
lengths = st.integers(100, 1800).map(float)
large_shapes = (
    st.builds(Rectangle, top=large, left=large, height=lengths, width=lengths)
    | st.builds(Ellipse, row=large, column=large, down=lengths, across=lengths)
    | st.builds(Polygon, points=st.lists(st.tuples(large, large), min_size=3, max_size=6).map(tuple))
)


@given(a=st.lists(large_shapes, min_size=1, max_size=2), b=st.lists(large_shapes, min_size=1, max_size=2))
@settings(max_examples=20)
def test_large_shapes_are_compared_on_coarser_cells_nearly_as_well(tmp_path_factory, a, b) -> None:
    case = CaseRecord(key=KEYS[0], height=1700, width=1900)
    both = [flag(name, 0, shape=shape) for name, drawn in (("Ann", a), ("Bob", b)) for shape in drawn]
    path = tmp_path_factory.getbasetemp() / "large.sqlite"
    path.unlink(missing_ok=True)
    with AnnotationStore(path) as store:
        store.register(case)
        store.apply(Edit(title="Add", changes=tuple(Change(before=None, after=one) for one in both)))
        (found,) = agreement(store)
    covered = [np.max([shape.coverage((1700, 1900)) for shape in drawn], axis=0) for drawn in (a, b)]
    either = np.maximum(*covered).sum(dtype=np.float64)
    if all(each.any() for each in covered):
        assert found.iou == pytest.approx(np.minimum(*covered).sum(dtype=np.float64) / either, abs=0.01)


def test_small_shapes_far_apart_are_compared_pixel_by_pixel(tmp_path) -> None:
    corners = (0, 3000)
    both = [
        flag(name, 0, shape=Rectangle(top=at + shift, left=at, height=4, width=3))
        for name, shift in (("Ann", 0), ("Bob", 2))
        for at in corners
    ]
    with AnnotationStore(tmp_path / "a.sqlite") as store:
        store.register(CaseRecord(key=KEYS[0], height=3010, width=3010))
        store.apply(Edit(title="Add", changes=tuple(Change(before=None, after=one) for one in both)))
        (one,) = agreement(store)
    assert one.iou == pytest.approx(1 / 3)


def test_nobody_is_compared_with_nobody(tmp_path) -> None:
    assert compare(tmp_path / "a.sqlite") == {}
    assert compare(tmp_path / "a.sqlite", flag("Ann", 0)) == {}
    (one,) = compare(tmp_path / "a.sqlite", flag("Ann", 0), reviewers=["Ann", "Bob"]).values()
    assert one == Agreement("Ann", "Bob")
