"""The best and the worst cases of each method, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from softcam_core.evaluation.metrics import METRICS
from softcam_core.evaluation.summary import Key, Summary, matrix

_PREFERRED = ("relevance_mass", "patch_precision", "relevance_rank", "best_iou", "deletion", "insertion")
"""A share tells more of a single image than a hit or a miss does."""


class Extremes(NamedTuple):
    """Cases of a method, by number, with their figures: the best one first, and the worst one first."""

    best: tuple[tuple[int, float], ...]
    worst: tuple[tuple[int, float], ...]


def headline(summary: Summary) -> str | None:
    """The figure by which cases are chosen and cost is weighed; None where none judges."""
    there = summary.metrics()
    judging = [m for m in there if METRICS[m].better != "neither" and METRICS[m].group not in ("cost", "agreement")]
    return next((name for name in (*_PREFERRED, *judging) if name in judging), None)


def extremes(table: pa.Table, keys: Sequence[Key], metric: str, count: int) -> list[Extremes]:
    """Best and worst cases of each method.

    Parameters
    ----------
    table : Table
        Of `softcam_core.evaluation.tables.single_figures`.
    keys : sequence of (str, str)
        Of the methods.
    metric : str
        A name of `METRICS`.
    count : int
        Of each kind; fewer where the two would share cases.
    """
    rows = table.filter(pa.compute.equal(table["metric"], metric))
    cases = np.unique(rows["case"].to_numpy())
    values, _ = matrix(table, metric, keys)
    sign = -1.0 if METRICS[metric].better == "lower" else 1.0
    found = []
    for column in values.T:
        order = np.argsort(-sign * column, kind="stable")[: int((~np.isnan(column)).sum())]
        each = min(count, (len(order) + 1) // 2)
        ranked = [(int(cases[i]), float(column[i])) for i in order]
        rest = ranked[each:]
        found.append(Extremes(tuple(ranked[:each]), tuple(rest[::-1][:each])))
    return found
