"""Which coefficients are worth considering, and which are suggested."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from softcam_core.sweep.records import TrialRecord
from softcam_core.training.metrics import METRICS


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair of coefficients, tried with one seed or several.

    Attributes
    ----------
    l1, l2 : float
    records : tuple of TrialRecord
        Finished, one for each seed.
    figures : dict of str to float
        Means over the seeds, of what all of them have.
    """

    l1: float
    l2: float
    records: tuple[TrialRecord, ...]
    figures: Mapping[str, float]


def candidates(records: Sequence[TrialRecord]) -> tuple[Candidate, ...]:
    """Bring trials of the same coefficients together; pairs with a trial that failed or is open take no part."""
    groups: dict[tuple[float, float], list[TrialRecord]] = {}
    for record in records:
        groups.setdefault((record.trial.l1, record.trial.l2), []).append(record)
    found = []
    for (l1, l2), group in groups.items():
        if any(record.status != "finished" for record in group):
            continue
        names = [name for name in group[0].figures if all(name in record.figures for record in group)]
        means = {name: math.fsum(record.figures[name] for record in group) / len(group) for name in names}
        found.append(Candidate(l1, l2, tuple(group), means))
    return tuple(found)


def goodness(metric: str, value: float) -> float:
    """A metric's value, turned so that more is better."""
    return value if METRICS[metric].higher_is_better else -value


def pareto_front(points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark the points that no other point beats: as good in everything and better in something.

    Parameters
    ----------
    points : ndarray, (N, D)
        More is better. A point with NaN is not compared.

    Returns
    -------
    ndarray, (N,) bool
        Equal points are marked alike; False for points with NaN.
    """
    at_least = (points[:, None] >= points[None]).all(-1)
    more = (points[:, None] > points[None]).any(-1)
    is_beaten = (at_least & more).any(0)
    return np.asarray(~is_beaten & ~np.isnan(points).any(-1))


def on_front(found: Sequence[Candidate], metric: str, figure: str) -> list[bool]:
    """Tell of each candidate whether no other one has more of a metric and of a figure (Pareto-optimal).

    Parameters
    ----------
    found : sequence of Candidate
    metric : str
        A name of `METRICS`.
    figure : str
        A name of `softcam_core.sweep.records.FIGURES`, more of which is better.
    """
    if not found:
        return []
    points = [
        (goodness(metric, each.figures.get(f"val_{metric}", math.nan)), each.figures.get(figure, math.nan))
        for each in found
    ]
    return [bool(value) for value in pareto_front(np.array(points, dtype=np.float64))]


def suggest(found: Sequence[Candidate], metric: str, figure: str, tolerance: float) -> Candidate | None:
    """Choose the candidate that has most of a figure among those whose metric is within a tolerance of the best one.

    Of equal ones, the one of the better metric, then of the smaller coefficients.

    Parameters
    ----------
    found : sequence of Candidate
    metric : str
        A name of `METRICS`.
    figure : str
        A name of `softcam_core.sweep.records.FIGURES`, more of which is better.
    tolerance : float
        At least 0, in the metric's own units.

    Returns
    -------
    Candidate or None
        None where nobody has both figures.
    """
    known = [each for each in found if f"val_{metric}" in each.figures]
    if not known:
        return None

    def good(each: Candidate) -> float:
        return goodness(metric, each.figures[f"val_{metric}"])

    # 0.98 - 0.97 is a little more than 0.01 in floating point.
    least = max(good(each) for each in known) - tolerance - 1e-9
    near = [each for each in known if good(each) >= least and figure in each.figures]
    return max(near, key=lambda each: (each.figures[figure], good(each), -each.l1, -each.l2), default=None)
