"""Annotations of any kind, for tests of what writes and reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from softcam_core.annotations.annotation import Annotation, CaseRecord, Review
from softcam_core.annotations.collection import Collection
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle, Shape

SHA = "0123456789abcdef" * 4
SIZE = (40, 60)

_NUMBERS = st.floats(-1e6, 1e6)
_LENGTHS = st.floats(1e-6, 2e6)
_TIMES = st.floats(0, 4e9)
# Any text that can be kept: what is not Unicode is replaced when it is taken in.
_TEXTS = st.text(max_size=12)


@st.composite
def _bitmaps(draw: st.DrawFn) -> Bitmap:
    rows, columns = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    cells = draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    top, left = draw(st.tuples(st.floats(-20, 80), st.floats(-20, 80)))
    height, width = draw(st.tuples(st.floats(0.5, 60), st.floats(0.5, 60)))
    box = (top, left, top + height, left + width)
    found = Bitmap.of(np.array(cells).reshape(rows, columns), box)
    return found or Bitmap(
        **dict(zip(("top", "left", "bottom", "right"), box, strict=True)), size=(1, 1), counts=(0, 1)
    )


def shapes() -> st.SearchStrategy[Shape]:
    """Any shapes, also far outside, without area, and crossing themselves."""
    points = st.lists(st.tuples(_NUMBERS, _NUMBERS), min_size=3, max_size=6).map(tuple)
    near = st.lists(st.tuples(st.floats(-10, 70), st.floats(-10, 70)), min_size=3, max_size=6).map(tuple)
    return st.one_of(
        st.builds(Rectangle, top=_NUMBERS, left=_NUMBERS, height=_LENGTHS, width=_LENGTHS),
        st.builds(Ellipse, row=st.floats(-9, 70), column=_NUMBERS, down=_LENGTHS, across=st.floats(0.1, 30)),
        st.builds(Polygon, points=points | near, is_freehand=st.booleans()),
        _bitmaps(),
    )


@st.composite
def collections(draw: st.DrawFn, *, has_identifiers: bool = True) -> Collection:
    """Any cases with annotations and reviews."""
    keys = draw(st.lists(st.text("0123456789abcdef-", min_size=1, max_size=9), min_size=1, max_size=3, unique=True))
    uid, path = (st.just("1.2.3"), _TEXTS) if has_identifiers else (st.just(""), st.just(""))
    sizes = st.integers(1, 50)
    cases = [
        draw(st.builds(CaseRecord, key=st.just(key), height=sizes, width=sizes, sop_instance_uid=uid, path=path))
        for key in keys
    ]
    some_key = st.sampled_from(keys)
    optional = st.none() | st.floats(0, 1)
    annotations = st.builds(
        Annotation,
        id=st.uuids().map(lambda number: number.hex),
        case=some_key,
        frame=st.integers(0, 3),
        verdict=st.sampled_from(["wrong", "correct", "missed", "unsure"]),
        class_name=_TEXTS,
        against=_TEXTS,
        shape=shapes(),
        comment=_TEXTS,
        reviewer=_TEXTS,
        confidence=optional,
        method=_TEXTS,
        model_name=_TEXTS,
        model_sha256=st.sampled_from(["", SHA]),
        threshold=st.none() | st.floats(-1e9, 1e9),
        unit=_TEXTS,
        created=_TIMES,
        modified=_TIMES,
    )
    labels = st.none() | st.lists(_TEXTS, max_size=2).map(tuple)
    status = st.sampled_from(["open", "in_review", "reviewed"])
    reviews = st.builds(
        Review, case=some_key, reviewer=_TEXTS, status=status, labels=labels, comment=_TEXTS, modified=_TIMES
    )
    return Collection(
        Path("store"),
        tuple(cases),
        tuple(draw(st.lists(annotations, max_size=4, unique_by=lambda each: each.id))),
        tuple(draw(st.lists(reviews, max_size=3, unique_by=lambda each: (each.case, each.reviewer)))),
    )


def case(key: str = "file-" + "a" * 40, size: tuple[int, int] = SIZE, **facts: str) -> CaseRecord:
    """A case."""
    return CaseRecord(key=key, height=size[0], width=size[1], **facts)


def annotation(shape: Shape | None = None, **facts: object) -> Annotation:
    """Wrong evidence in a rectangle, or what else is asked for."""
    shape = shape or Rectangle(top=2, left=3, height=10, width=20)
    return Annotation.model_validate(
        {"case": "file-" + "a" * 40, "verdict": "wrong", "class_name": "pneumonia", "shape": shape, **facts}
    )
