"""A sweep in words: one row a pair of coefficients, and what is suggested."""

from __future__ import annotations

from collections.abc import Sequence

from softcam_core.sweep.pareto import Candidate, candidates, on_front, suggest
from softcam_core.sweep.records import GINI, MASS, NEAR_ZERO, POINTING, TrialRecord
from softcam_core.training.metrics import METRICS

_COLUMNS = {GINI: "Gini", NEAR_ZERO: "near 0", MASS: "mass in annotation", POINTING: "pointing"}
_CHOICES = ((GINI, "Sparsest"), (MASS, "Best-localising"))


def describe(records: Sequence[TrialRecord], metric: str, tolerance: float) -> str:
    """Write a table of the trials, those that failed, and the suggestions.

    Parameters
    ----------
    records : sequence of TrialRecord
    metric : str
        A name of `METRICS`: the figure that epochs were selected by.
    tolerance : float
        See `softcam_core.sweep.pareto.suggest`.
    """
    found = sorted(candidates(records), key=lambda each: (each.l1, each.l2))
    lines = []
    if found:
        lines += [*_table(found, metric), ""]
    for record in records:
        if record.status == "failed":
            lines.append(f"trial {record.trial.number} failed: {record.reason}")
    waiting = sum(record.status == "open" for record in records)
    if waiting:
        lines.append(f"{waiting} of {len(records)} trials are open")
    for figure, title in _CHOICES:
        best = suggest(found, metric, figure, tolerance)
        if best is None:
            continue
        rule = f"{title} within {tolerance:g} of the best {METRICS[metric].title} on validation images"
        lines.append(f"{rule}: {_numbers(best)}\n  --set loss.l1={_exact(best.l1)} --set loss.l2={_exact(best.l2)}")
    return "\n".join(lines)


def _table(found: Sequence[Candidate], metric: str) -> list[str]:
    shown = [name for name in _COLUMNS if any(name in each.figures for each in found)]
    fronts = {name: on_front(found, metric, name) for name in (GINI, MASS) if name in shown}
    header = ["", "trial", "l1", "l2", METRICS[metric].title, *(_COLUMNS[name] for name in shown)]
    rows = [header]
    for place, each in enumerate(found):
        optimal = [name for name, front in fronts.items() if front[place]]
        figures = [_figure(each, f"val_{metric}"), *(_figure(each, name) for name in shown)]
        marks = "".join("*" if name in optimal else " " for name in fronts)
        rows.append([marks, _numbers(each).removeprefix("trial ").removeprefix("trials "), f"{each.l1:g}"])
        rows[-1] += [f"{each.l2:g}", *figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    pairs = [f"{METRICS[metric].title} and {_COLUMNS[name]}" for name in fronts]
    in_what = " (first star), in ".join(pairs) + " (second star)" * (len(pairs) > 1)
    lines.append(f"* Pareto-optimal in {in_what}: no other is as good in both and better in one")
    return lines


def _numbers(candidate: Candidate) -> str:
    numbers = [str(record.trial.number) for record in candidate.records]
    return f"trial{'s' * (len(numbers) > 1)} {', '.join(numbers)}"


def _figure(candidate: Candidate, name: str) -> str:
    value = candidate.figures.get(name)
    return "" if value is None else f"{value:.4f}"


def _exact(value: float) -> str:
    """A number as short as possible, but the same number when it is read."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
