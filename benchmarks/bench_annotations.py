"""Measure a store of 100,000 annotations on 20,000 cases: opening a case, search and filters, edits, the worklist.

Writes build/studies/bench_annotations.json and prints it; fails where a limit is exceeded. Run by
``make bench-annotations``.

Most annotations are regions taken over from a map (a raster of 28 x 28 to 64 x 64 cells with round regions), with or
without a comment. Pages are of 100 rows.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from measuring import machine, write_study

from softcam_core.annotations.annotation import VERDICTS, Annotation, CaseRecord, Change, Edit, Review
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle, Shape
from softcam_core.annotations.statistics import statistics as store_statistics
from softcam_core.annotations.store import AnnotationStore

CASES = 20_000
ANNOTATIONS = 100_000
PAGE = 100  # rows of a list
LIMITS = {"case": 50.0, "search": 200.0}  # milliseconds
CLASSES = ("atelectasis", "cardiomegaly", "effusion", "nodule", "pneumonia")
REVIEWERS = ("A. Adler", "B. Baum", "C. Çelik", "")
WORDS = (
    *("the", "marker", "in", "corner", "is", "not", "why", "border", "of", "film"),
    *("tube", "over", "heart", "ribs", "look", "like", "an", "opacity", "here", "ünlü"),
)
STUDY_START = 1.7e9


def shape(rng: np.random.Generator) -> Shape:
    top, left = (float(v) for v in rng.uniform(0, 900, 2))
    kind = rng.random()
    if kind < 0.7:
        side = int(rng.integers(28, 65))
        rows, columns = np.mgrid[:side, :side] / side
        mask = np.hypot(rows - 0.5, columns - 0.5) < 0.3 + 0.15 * rng.random((side, side))
        region = Bitmap.of(mask, (top, left, top + 124.5, left + 124.5))
        assert region is not None
        return region
    if kind < 0.8:
        return Polygon(points=tuple((float(r), float(c)) for r, c in rng.uniform(0, 1024, (40, 2))), is_freehand=True)
    if kind < 0.9:
        return Ellipse(row=top, column=left, down=20, across=31)
    return Rectangle(top=top, left=left, height=50, width=40)


def annotation(rng: np.random.Generator, number: int) -> Annotation:
    has_comment = rng.random() < 0.5
    return Annotation(
        case=f"file-{int(rng.integers(CASES)):040x}",
        verdict=list(VERDICTS)[int(rng.integers(4))],
        class_name=str(rng.choice(CLASSES)),
        against="rest",
        shape=shape(rng),
        comment=" ".join(rng.choice(WORDS, int(rng.integers(3, 25)))) if has_comment else "",
        reviewer=str(rng.choice(REVIEWERS)),
        confidence=0.7,
        method="softcam",
        model_name=f"DenseNet-121, run {int(rng.integers(4))}",
        model_sha256=f"{int(rng.integers(4)):064x}",
        threshold=0.3,
        unit="logit",
        created=STUDY_START + number * 60,
    )


def fill(store: AnnotationStore, cases: int, annotations: int) -> None:
    rng = np.random.default_rng(0)
    keys = [f"file-{i:040x}" for i in range(cases)]
    store.register(*(CaseRecord(key=key, height=1024, width=1024, path=f"/images/{key}.png") for key in keys))
    at_once = 1000
    for start in range(0, annotations, at_once):
        new = (annotation(rng, start + i) for i in range(min(at_once, annotations - start)))
        store.apply(Edit(title="Fill", changes=tuple(Change(before=None, after=each) for each in new)))
    reviews = (Review(case=key, reviewer=REVIEWERS[0], status="reviewed", labels=CLASSES[:1]) for key in keys[::4])
    store.apply(Edit(title="Review", changes=tuple(Change(before=None, after=review) for review in reviews)))


def questions() -> Iterator[tuple[str, Query]]:
    """Searches, from those that find nothing to those that find all."""
    month = 30 * 86400
    yield "all", Query()
    yield "text: a word of many comments", Query(text="border")
    yield "text: two words, upper case", Query(text="Border ÜNLÜ")
    yield "text: not there", Query(text="pacemaker")
    yield "verdict", Query(verdicts=("wrong",))
    yield "class and reviewer", Query(class_names=("nodule",), reviewers=("B. Baum",))
    yield "reviewer without annotations", Query(reviewers=("D. Demir",))
    yield "model", Query(model_sha256=f"{2:064x}")
    yield "a month", Query(since=STUDY_START + month, until=STUDY_START + 2 * month)
    yield "1,000 cases", Query(cases=tuple(f"file-{i:040x}" for i in range(1000)))
    yield "text, verdict and class", Query(text="tube", verdicts=("missed", "unsure"), class_names=("effusion",))


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def measure_reading(store: AnnotationStore, runs: int) -> dict[str, list[float]]:
    rng = np.random.default_rng(1)

    def open_case() -> None:
        key = f"file-{int(rng.integers(CASES)):040x}"
        store.of_case(key, 0), store.reviews_of(key)

    times = {"open a case": [milliseconds(open_case) for _ in range(runs * 5)]}
    for name, query in questions():
        found = store.count(query)
        rows = f"search, {name} ({found:,})"
        last = partial(store.find, query, limit=PAGE, offset=max(found - PAGE, 0))
        times[rows] = [milliseconds(partial(store.find, query, limit=PAGE)) for _ in range(runs)]
        times[f"{rows}, last page"] = [milliseconds(last) for _ in range(runs)]
        times[f"{rows}, count"] = [milliseconds(partial(store.count, query)) for _ in range(runs)]
    times["summaries of all cases"] = [milliseconds(store.summaries) for _ in range(runs)]
    times["statistics"] = [milliseconds(partial(store_statistics, store)) for _ in range(runs)]
    times["version"] = [milliseconds(lambda: store.version) for _ in range(runs)]
    return times


def measure_edits(store: AnnotationStore, runs: int) -> dict[str, list[float]]:
    rng = np.random.default_rng(2)
    times: dict[str, list[float]] = {"add": [], "change": [], "remove": [], "undo": []}
    for number in range(runs * 5):
        new = annotation(rng, ANNOTATIONS + number)
        changed = new.model_copy(update={"comment": "on second thoughts"})
        add = Edit(title="Add", changes=(Change(before=None, after=new),))
        change = Edit(title="Change", changes=(Change(before=new, after=changed),))
        remove = Edit(title="Remove", changes=(Change(before=changed, after=None),))
        for name, edit in (("add", add), ("change", change), ("remove", remove), ("undo", remove.inverse)):
            times[name].append(milliseconds(partial(store.apply, edit)))
    return {f"edit, {name}": values for name, values in times.items()}


def limit_of(name: str) -> float | None:
    return LIMITS["case"] if name.startswith("open a case") else LIMITS["search"] if name.startswith("search") else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations.sqlite"
        with AnnotationStore(path) as store:
            seconds = milliseconds(lambda: fill(store, CASES, ANNOTATIONS)) / 1000
        opening = []
        for _ in range(arguments.runs):
            start = time.perf_counter()
            with AnnotationStore(path) as store:
                store.of_case(f"file-{0:040x}")
                opening.append((time.perf_counter() - start) * 1000)
        with AnnotationStore(path) as store:
            times = {"open a case, and the store": opening} | measure_reading(store, arguments.runs)
            times |= measure_edits(store, arguments.runs)
        size = path.stat().st_size
    rows = {
        name: {
            "median": round(statistics.median(values), 2),
            "p95": round(float(np.percentile(values, 95)), 2),
            "limit": limit_of(name),
            "runs": len(values),
        }
        for name, values in times.items()
    }
    report = {
        "machine": machine(),
        "cases": CASES,
        "annotations": ANNOTATIONS,
        "file_bytes": size,
        "filled_in_seconds": round(seconds, 1),
        "milliseconds": rows,
    }
    write_study("bench_annotations", report)
    print(f"{ANNOTATIONS:,} annotations on {CASES:,} cases, {size / 1e6:.0f} MB, made in {seconds:.0f} s")
    print(f"{'':62}{'median':>8}{'p95':>8}{'limit':>8}  ms   ({report['machine']})")
    for name, row in rows.items():
        limit = "" if row["limit"] is None else f"{row['limit']:.0f}"
        print(f"{name:62}{row['median']:8.2f}{row['p95']:8.2f}{limit:>8}")
    return int(any(row["limit"] is not None and row["p95"] > row["limit"] for row in rows.values()))


if __name__ == "__main__":
    raise SystemExit(main())
