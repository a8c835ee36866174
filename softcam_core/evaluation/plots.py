"""Figures of a comparison: curves with bands, and what quality costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from softcam_core.evaluation.statistics import bootstrap_intervals, means
from softcam_core.reporting.plot_style import INK, MUTED, WIDE, figure, line_look, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

_PANEL = 3.9  # inches
_LABEL = 7.5  # points
_LABELS_SHARE = 0.3  # of the width, for names beside the axes
_LETTERS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A method's curves of all images.

    Attributes
    ----------
    title : str
    values : ndarray, (N, steps)
        NaN where an image has no such step.
    groups : ndarray, (N,) int
        See `softcam_core.evaluation.statistics.bootstrap_intervals`.
    is_floor : bool
        Drawn as what others must beat.
    place : int
        Decides colour and line style, the same in all figures.
    """

    title: str
    values: Floats
    groups: npt.NDArray[np.int64]
    is_floor: bool
    place: int


@dataclass(frozen=True, slots=True)
class Point:
    """What a method costs and what it is worth.

    Attributes
    ----------
    title : str
    seconds : float
        Of a map.
    mean, low, high : float
        Of a figure of quality, with its interval.
    is_floor : bool
    place : int
    """

    title: str
    seconds: float
    mean: float
    low: float
    high: float
    is_floor: bool
    place: int


def plot_curves(
    curves: Sequence[Curve], path: Path | str, *, title: str, x: str, y: str, first: int = 0, seed: int = 0
) -> None:
    """Draw mean curves over images, each named at its end.

    The first one and floors have 95 % bands; those of all would hide each other.

    Parameters
    ----------
    curves : sequence of Curve
        At least one.
    path : Path or str
        Where the PNG goes.
    title, x, y : str
    first : int
        What the first step is on the x axis.
    seed : int
        Of the resamples.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    with figure(path, WIDE, _PANEL) as drawn:
        axes = drawn.add_subplot()
        ends = []
        for curve in curves:
            mean = means(curve.values)
            low, high = bootstrap_intervals(curve.values, curve.groups, seed=seed)
            steps = np.arange(first, first + len(mean))
            colour, style = _look(curve.place, curve.is_floor)
            if curve is curves[0] or curve.is_floor:
                axes.fill_between(steps, low, high, color=colour, alpha=0.12, linewidth=0)
            axes.plot(steps, mean, style, color=colour)
            known = np.flatnonzero(~np.isnan(mean))
            if len(known):
                ends.append((float(steps[known[-1]]), float(mean[known[-1]]), curve.title, colour))
        axes.set(xlabel=x, ylabel=y, title=title)
        axes.margins(x=0.01)
        _name(axes, ends)


def plot_cost(points: Sequence[Point], path: Path | str, *, title: str, y: str, lower_is_better: bool) -> None:
    """Draw a figure of quality against the time of a map, on a logarithmic axis; better is up and left.

    Methods that no other beats in both are joined; floors take no part.

    Parameters
    ----------
    points : sequence of Point
        At least one.
    path : Path or str
        Where the PNG goes.
    title, y : str
    lower_is_better : bool
        Turns the y axis, so that better is up.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    front = pareto([p for p in points if not p.is_floor], lower_is_better)
    with figure(path, WIDE, _PANEL + 0.4) as drawn:
        axes = drawn.add_subplot()
        axes.set_xscale("log")
        # Not as powers, whose signs are formulas.
        axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.plot([p.seconds for p in front], [p.mean for p in front], "-", color=MUTED, linewidth=1.0, alpha=0.6)
        for point in points:
            colour, _ = _look(point.place, point.is_floor)
            axes.plot([point.seconds] * 2, [point.low, point.high], "-", color=colour, linewidth=1, alpha=0.5)
            fill = colour if point in front else "white"
            axes.plot(point.seconds, point.mean, "o", markerfacecolor=fill, markeredgecolor=colour, markersize=6)
        axes.margins(0.06, 0.08)
        if lower_is_better:
            axes.invert_yaxis()
        axes.set(xlabel="Seconds a map", ylabel=f"{y} (lower is better)" if lower_is_better else y, title=title)
        _name(axes, [(p.seconds, p.mean, p.title, _look(p.place, p.is_floor)[0]) for p in points])


def pareto(points: Sequence[Point], lower_is_better: bool) -> list[Point]:
    """Points that no other one beats in both quality and time, by rising time."""
    sign = -1.0 if lower_is_better else 1.0
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.seconds, -sign * p.mean)):
        if not front or sign * point.mean > sign * front[-1].mean:
            front.append(point)
    return front


def spread(wanted: Floats, gap: float, low: float, high: float) -> Floats:
    """Move heights apart to at least a gap, each as near to where it is wanted as the order allows.

    Parameters
    ----------
    wanted : ndarray, (N,)
    gap : float
        Made smaller where N of them do not fit.
    low, high : float
        Where they must stay.
    """
    count = len(wanted)
    if not count:
        return wanted
    gap = min(gap, (high - low) / max(1, count - 1))
    order = np.argsort(wanted, kind="stable")
    # With i gaps taken off, what must be a gap apart need only be in order: the means of neighbours that are not.
    blocks: list[tuple[float, int]] = []
    for height in wanted[order] - gap * np.arange(count):
        total, size = float(height), 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / size:
            before, many = blocks.pop()
            total, size = total + before, size + many
        blocks.append((total, size))
    level = np.concatenate([np.full(size, total / size) for total, size in blocks])
    placed = np.empty(count)
    placed[order] = np.clip(level, low, high - gap * (count - 1)) + gap * np.arange(count)
    return placed


def _look(place: int, is_floor: bool) -> tuple[str, str]:
    return (MUTED, ":") if is_floor else line_look(place)


def _name(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write names in a column beside the axes, each with a line to its point."""
    if not ends:
        return
    drawn = axes.get_figure(root=True)
    assert drawn is not None
    engine = drawn.get_layout_engine()
    assert engine is not None
    left, bottom, _, height = engine.get()["rect"]
    engine.set(rect=(left, bottom, 1.0 - _LABELS_SHARE, height))  # type: ignore[call-arg]
    drawn.draw_without_rendering()
    to_axes = axes.transAxes.inverted()
    points = to_axes.transform(axes.transData.transform([(x, y) for x, y, _, _ in ends]))
    gap = 1.35 * _LABEL * drawn.dpi / 72 / axes.get_window_extent().height
    for (_, _, title, colour), point, level in zip(ends, points, spread(points[:, 1], gap, 0.0, 1.0), strict=True):
        note = axes.annotate(
            shortened(title, _LETTERS),
            (float(point[0]), float(point[1])),
            xycoords="axes fraction",
            xytext=(1.04, float(level)),
            textcoords="axes fraction",
            va="center",
            fontsize=_LABEL,
            color=INK,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "relpos": (0, 0.5), "shrinkB": 2},
        )
        note.set_in_layout(False)
