"""What can be had for what: a metric against sparsity, and against localisation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from softcam_core.reporting.plot_style import COLOURS, INK, MUTED, WIDE, figure
from softcam_core.sweep.labels import Floats, place_labels
from softcam_core.sweep.pareto import Candidate, on_front
from softcam_core.sweep.records import GINI, MASS
from softcam_core.training.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL = 4.4  # inches
_TITLES = {
    GINI: "Sparsity of the evidence (Gini index of the predicted class's map)",
    MASS: "Share of the positive evidence that lies in the annotation",
}
_GAP = 5.0  # points around a marker
_LABEL = 7.5  # points, of its letters


def plot_pareto(found: Sequence[Candidate], metric: str, path: Path | str, seeds: int = 1) -> None:
    """Draw a metric against the evidence's sparsity and, where it is known, its mass in the annotation.

    Better is up and right in both. Each point is a pair of coefficients, labelled by those that were varied; points
    that are Pareto-optimal are filled and joined.

    Parameters
    ----------
    found : sequence of Candidate
    metric : str
        A name of `METRICS`.
    path : Path or str
        Where the PNG goes.
    seeds : int
        Where there are several, points are means, and small ones are single trials.

    Raises
    ------
    ValueError
        When there is nothing to draw.
    SettingsError
        When the file cannot be written.
    """
    shown = [(name, [c for c in found if {name, f"val_{metric}"} <= c.figures.keys()]) for name in (GINI, MASS)]
    shown = [(name, known) for name, known in shown if known]
    if not shown:
        raise ValueError("there are no finished trials to draw")
    texts = labels(found)
    with figure(path, WIDE, 0.3 + _PANEL * len(shown)) as drawn:
        panels = drawn.subplots(len(shown), 1, squeeze=False)[:, 0]
        for axes, (name, known) in zip(panels, shown, strict=True):
            _draw(axes, known, metric, name, seeds)
        # Labels need to know where the points are on the page.
        drawn.draw_without_rendering()
        for axes, (name, known) in zip(panels, shown, strict=True):
            _label(axes, known, metric, name, [texts[c.l1, c.l2] for c in known])


def labels(found: Sequence[Candidate]) -> dict[tuple[float, float], str]:
    """Label of each pair of coefficients: those that differ, "1e-5", or both, "1e-5 / 0"."""
    varied = [len({c.l1 for c in found}) > 1, len({c.l2 for c in found}) > 1]
    if not any(varied):
        varied = [True, True]
    return {
        (c.l1, c.l2): " / ".join(_short(v) for v, is_shown in zip((c.l1, c.l2), varied, strict=True) if is_shown)
        for c in found
    }


def _short(value: float) -> str:
    """0.000165 -> "1.65e-4"."""
    if value == 0 or 0.01 <= value < 1000:
        return f"{value:.3g}"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"


def _draw(axes: Axes, found: Sequence[Candidate], metric: str, name: str, seeds: int) -> None:
    info = METRICS[metric]
    points = _points(found, metric, name)
    marked = np.array(on_front(found, metric, name))
    colour = COLOURS[0] if name == GINI else COLOURS[2]
    for candidate, point in zip(found, points, strict=True):
        for record in candidate.records if seeds > 1 else ():
            single = record.figures[name], record.figures[f"val_{metric}"]
            axes.plot(*zip(point, single, strict=True), color=MUTED, linewidth=0.5, alpha=0.5)
            axes.plot(*single, ".", color=MUTED, markersize=3, alpha=0.7)
    front = points[marked]
    front = front[np.lexsort((front[:, 1], front[:, 0]))]
    axes.plot(*front.T, "-", color=colour, linewidth=1.2, alpha=0.6)
    axes.plot(*points[~marked].T, "o", markerfacecolor="white", markeredgecolor=MUTED, label="others")
    axes.plot(*front.T, "o", color=colour, markersize=6.5, label="Pareto-optimal")
    axes.margins(0.14, 0.18)
    if not info.higher_is_better:
        axes.invert_yaxis()
    varied = [
        title for title, count in (("l1", {c.l1 for c in found}), ("l2", {c.l2 for c in found})) if len(count) > 1
    ]
    means = f", means over {seeds} seeds" if seeds > 1 else ""
    axes.set(
        xlabel=_TITLES[name],
        ylabel=info.title if info.higher_is_better else f"{info.title} (lower is better)",
        title=f"{info.title} on validation images{means}; labels are {' / '.join(varied or ['l1', 'l2'])}",
    )
    if not marked.all():
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def _label(axes: Axes, found: Sequence[Candidate], metric: str, name: str, texts: Sequence[str]) -> None:
    from matplotlib.patheffects import withStroke

    points = _points(found, metric, name)
    marked = on_front(found, metric, name)
    unit = axes.figure.dpi / 72  # pixels in a point
    drawn = [axes.transData.transform(line.get_xydata()) for line in axes.lines if line.get_linestyle() != "None"]
    notes = [
        axes.annotate(
            text,
            (point[0], point[1]),
            xytext=(point[0], point[1]),
            ha="center",
            va="center",
            fontsize=_LABEL,
            fontweight="bold" if is_marked else "normal",
            color=INK if is_marked else MUTED,
            path_effects=[withStroke(linewidth=2, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 3},
        )
        for text, point, is_marked in zip(texts, points, marked, strict=True)
    ]
    sizes = np.array([(box.width, box.height) for box in (note.get_window_extent() for note in notes)]) + 3 * unit
    area = axes.get_window_extent()
    lines = np.concatenate([_along(line, 4 * unit) for line in drawn])
    pixels = axes.transData.transform(points)
    centres = place_labels(pixels, sizes, (area.x0, area.y0, area.x1, area.y1), _GAP * unit, lines)
    for note, centre in zip(notes, axes.transData.inverted().transform(centres), strict=True):
        note.set_position((float(centre[0]), float(centre[1])))
        note.set_in_layout(False)


def _along(line: Floats, step: float) -> Floats:
    """Points on a line (N, 2), at most a step apart."""
    parts = [line[:1]]
    for start, end in itertools.pairwise(line):
        count = max(1, math.ceil(float(np.hypot(*(end - start))) / step))
        parts.append(np.linspace(start, end, count + 1)[1:])
    return np.concatenate(parts)


def _points(found: Sequence[Candidate], metric: str, name: str) -> Floats:
    return np.array([(c.figures[name], c.figures[f"val_{metric}"]) for c in found], dtype=np.float64).reshape(-1, 2)
