"""What figures of all images come to: means with intervals, and which differences between methods are not chance."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from softcam_core.evaluation.metrics import METRICS
from softcam_core.evaluation.statistics import bootstrap_intervals, holm, means, sign_flip_test
from softcam_core.files import write_whole
from softcam_core.notice import NOTICE

Key = tuple[str, str]
"""Network and method."""

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Figure:
    """Mean of a figure over images.

    Attributes
    ----------
    metric, model, method : str
    mean, low, high : float
        With its 95 % interval.
    images : int
        That have the figure.
    """

    metric: str
    model: str
    method: str
    mean: float
    low: float
    high: float
    images: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One method less another, on the images on which both have a figure.

    Attributes
    ----------
    metric, model, method, other_model, other_method : str
    difference, low, high : float
        Mean with its 95 % interval.
    p : float
        Of the paired sign-flip test.
    p_corrected : float
        After Holm, for all comparisons of the same table and metric.
    images : int
    """

    metric: str
    model: str
    method: str
    other_model: str
    other_method: str
    difference: float
    low: float
    high: float
    p: float
    p_corrected: float
    images: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What figures come to.

    Attributes
    ----------
    figures : tuple of Figure
    against_first : tuple of Comparison
        Of each method with the first one.
    pairs : tuple of Comparison
        Of all methods with each other.
    """

    figures: tuple[Figure, ...]
    against_first: tuple[Comparison, ...]
    pairs: tuple[Comparison, ...]

    def figure(self, metric: str, key: Key) -> Figure | None:
        """Of a method, where it has one."""
        return next((f for f in self.figures if f.metric == metric and (f.model, f.method) == key), None)

    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that have a figure, in the order of `METRICS`."""
        there = {figure.metric for figure in self.figures}
        return tuple(name for name in METRICS if name in there)


def matrix(table: pa.Table, metric: str, keys: Sequence[Key]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Figures of a metric as (N, M) with NaN where there is none, for N images and M methods, and the images' groups.

    Images without any figure of the metric are not among them.
    """
    rows = table.filter(pc.equal(table["metric"], metric))
    cases, places = np.unique(rows["case"].to_numpy(), return_inverse=True)
    values = np.full((len(cases), len(keys)), np.nan)
    groups = np.zeros(len(cases), dtype=np.int64)
    groups[places] = rows["group"].to_numpy()
    column = {key: index for index, key in enumerate(keys)}
    for place, model, method, value in zip(
        places, rows["model"].to_pylist(), rows["method"].to_pylist(), rows["value"].to_numpy(), strict=True
    ):
        values[place, column[model, method]] = value
    return values, groups


def summarise(table: pa.Table, keys: Sequence[Key], seed: int = 0) -> Summary:
    """Means, intervals and paired tests.

    Parameters
    ----------
    table : Table
        Of `softcam_core.evaluation.tables.single_figures`.
    keys : sequence of (str, str)
        Network and method of each contender; the first is what others are compared with.
    seed : int
        Of the resamples.
    """
    figures: list[Figure] = []
    against_first: list[Comparison] = []
    pairs: list[Comparison] = []
    there = set(table["metric"].to_pylist())
    for metric in (name for name in METRICS if name in there):
        values, groups = matrix(table, metric, keys)
        low, high = bootstrap_intervals(values, groups, seed=seed)
        counts = (~np.isnan(values)).sum(0)
        for index, (key, mean) in enumerate(zip(keys, means(values), strict=True)):
            if counts[index]:
                interval = float(low[index]), float(high[index])
                figures.append(Figure(metric, *key, float(mean), *interval, images=int(counts[index])))
        if METRICS[metric].group == "cost":
            continue  # times of one run on one machine are no sample of anything
        order = [(index, 0) for index in range(1, len(keys))]
        against_first += _compare(metric, values, groups, keys, order, seed)
        pairs += _compare(metric, values, groups, keys, list(itertools.combinations(range(len(keys)), 2)), seed)
    return Summary(tuple(figures), tuple(against_first), tuple(pairs))


def _compare(
    metric: str,
    values: npt.NDArray[np.float64],
    groups: npt.NDArray[np.int64],
    keys: Sequence[Key],
    order: Sequence[tuple[int, int]],
    seed: int,
) -> list[Comparison]:
    if not order:
        return []
    first, second = np.array(order).T
    differences = values[:, first] - values[:, second]
    counts = (~np.isnan(differences)).sum(0)
    low, high = bootstrap_intervals(differences, groups, seed=seed)
    p = sign_flip_test(differences, groups, seed=seed)
    found = zip(order, means(differences), low, high, p, holm(p), counts, strict=True)
    return [
        Comparison(
            metric=metric,
            **dict(zip(("model", "method"), keys[a], strict=True)),
            **dict(zip(("other_model", "other_method"), keys[b], strict=True)),
            difference=float(mean),
            low=float(least),
            high=float(most),
            p=float(raw),
            p_corrected=float(corrected),
            images=int(images),
        )
        for (a, b), mean, least, most, raw, corrected, images in found
        if images
    ]


def write_summary(summary: Summary, facts: dict[str, Any], csv_path: Path, json_path: Path, paired_path: Path) -> None:
    """Write ``summary.csv`` (figures beside comparisons with the first method), ``summary.json`` and ``paired.csv``.

    Parameters
    ----------
    summary : Summary
    facts : dict
        What was compared on what, for the JSON.
    csv_path, json_path, paired_path : Path

    Raises
    ------
    SettingsError
        When a file cannot be written.
    """
    compared = {(c.metric, c.model, c.method): c for c in summary.against_first}
    beside = ("difference", "difference_low", "difference_high", "p", "p_corrected")
    header = ["metric", "better", "model", "method", "mean", "low", "high", "images", *beside]
    rows = []
    for figure in summary.figures:
        c = compared.get((figure.metric, figure.model, figure.method))
        numbers = [None] * len(beside) if c is None else [c.difference, c.low, c.high, c.p, c.p_corrected]
        rows.append([figure.metric, METRICS[figure.metric].better, *list(asdict(figure).values())[1:], *numbers])
    write_whole(csv_path, _csv(header, rows))
    names = list(Comparison.__dataclass_fields__)
    write_whole(paired_path, _csv(names, [list(asdict(c).values()) for c in summary.pairs]))
    whole = {"notice": NOTICE, **facts, **{name: _plain(value) for name, value in asdict(summary).items()}}
    write_whole(json_path, (json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_written(cell) for cell in row])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _written(cell: object) -> object:
    """A cell; what is not defined is empty."""
    if isinstance(cell, float):
        return "" if np.isnan(cell) else f"{cell:.6g}"
    return "" if cell is None else cell


def _plain(value: object) -> object:
    """As JSON has it: numbers that are none become null."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
