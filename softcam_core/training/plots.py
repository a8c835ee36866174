"""Figures of a run: its curves, and how good its best model is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from softcam_core.reporting.plot_style import (
    COLOURS,
    GRID,
    INK,
    MUTED,
    NARROW,
    WIDE,
    figure,
    line_look,
    shortened,
    turned,
    unit_square,
    wrapped,
)
from softcam_core.training.metrics import CALIBRATION_BINS, METRICS, log_odds, measure
from softcam_core.training.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_CURVES = 14
_FEW_CURVES = 3
_MAX_CELLS_WITH_TEXT = 18
_LETTER = 0.08  # inches, of a label
_MARKED_EPOCHS = 15  # curves of at most as many points show them

Values = npt.NDArray[np.float64]


def plot_curves(rows: Sequence[Mapping[str, Any]], path: Path | str, metric: str = "auc") -> None:
    """Draw losses, the selected metric, penalties and the learning rate over the epochs, the best epoch marked.

    Parameters
    ----------
    rows : sequence of mapping
        Of metrics.csv, numbers or text; what is empty or missing is a gap.
    path : Path or str
        Where the PNG goes.
    metric : str
        A name of `softcam_core.training.metrics.METRICS`, in the column "val_<metric>".

    Raises
    ------
    ValueError
        When there are no rows.
    SettingsError
        When the file cannot be written.
    """
    if not rows:
        raise ValueError("there are no epochs to draw")
    epochs = _column(rows, "epoch")
    best = next((i for i in reversed(range(len(rows))) if _number(rows[i].get("best")) == 1), None)
    penalties = {name: _column(rows, f"train_{name}") for name in ("l1", "l2")}
    penalties = {name: values for name, values in penalties.items() if bool((np.nan_to_num(values) > 0).any())}
    panels = [["loss", "metric"], ["penalty" if penalties else "loss", "rate"]]
    with figure(path, WIDE, 5.4) as drawn:
        axes = drawn.subplot_mosaic(panels)  # type: ignore[arg-type]
        loss = axes["loss"]
        if penalties:
            _line(loss, epochs, _column(rows, "train_loss"), "training, with penalty", MUTED, style=":")
        _line(loss, epochs, _column(rows, "train_classification"), "training", COLOURS[0])
        _line(loss, epochs, _column(rows, "val_loss"), "validation", COLOURS[1], style="--")
        loss.set_title("Loss")
        _from_zero(loss)
        if loss.lines:
            loss.legend()
        values = _column(rows, f"val_{metric}")
        _line(axes["metric"], epochs, values, "", COLOURS[1], style="--")
        axes["metric"].set_title(f"{METRICS[metric].title}, validation")
        if best is not None and math.isfinite(values[best]):
            axes["metric"].plot(epochs[best], values[best], "o", color=COLOURS[1], markersize=7, zorder=4)
            title = f"{METRICS[metric].title}, validation: {values[best]:.4g} in epoch {epochs[best]:g}"
            axes["metric"].set_title(title)
        for place, (name, values) in enumerate(penalties.items()):
            _line(axes["penalty"], epochs, values, name.upper(), COLOURS[2 + place], style=("-", "--")[place])
        if penalties:
            axes["penalty"].set_title("Penalty on the evidence, training")
            axes["penalty"].legend()
            _from_zero(axes["penalty"])
        rates = _column(rows, "learning_rate")
        _line(axes["rate"], epochs, rates, "", INK)
        axes["rate"].set_title("Learning rate")
        positive = rates[rates > 0]
        if len(positive) and positive.max() > 20 * positive.min():
            axes["rate"].set_yscale("log")
        else:
            _from_zero(axes["rate"])
        axes["rate"].yaxis.set_major_formatter("{x:g}")
        for panel in axes.values():
            _epoch_axis(panel, epochs, best)


def plot_roc(predictions: Predictions, path: Path | str) -> None:
    """Draw the ROC curve of class 1 of two, or of each class against the rest.

    Raises
    ------
    ValueError
        When no class has a curve (see `softcam_core.training.metrics.measure`).
    SettingsError
        When the file cannot be written.
    """
    from sklearn.metrics import roc_curve

    def draw(axes: Axes, marked: npt.NDArray[np.int64], scores: Values, look: dict[str, Any]) -> None:
        false, true, _ = roc_curve(marked, scores)
        axes.plot(false, true, **look)

    def ground(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)), label="_chance")
        unit_square(axes, "1 − specificity", "Sensitivity", "ROC")

    _plot_per_class(predictions, path, "auc", draw, ground, "lower right")


def plot_pr(predictions: Predictions, path: Path | str) -> None:
    """Draw the precision-recall curve of class 1 of two, or of each class against the rest.

    Raises
    ------
    ValueError
        When no class has a curve (see `softcam_core.training.metrics.measure`).
    SettingsError
        When the file cannot be written.
    """
    from sklearn.metrics import precision_recall_curve

    def draw(axes: Axes, marked: npt.NDArray[np.int64], scores: Values, look: dict[str, Any]) -> None:
        precision, recall, _ = precision_recall_curve(marked, scores)
        axes.plot(recall, precision, drawstyle="steps-post", **look)

    def ground(axes: Axes) -> None:
        unit_square(axes, "Recall (sensitivity)", "Precision", "Precision and recall")

    _plot_per_class(predictions, path, "auprc", draw, ground, "lower left")


def _plot_per_class(
    predictions: Predictions,
    path: Path | str,
    metric: str,
    draw: Callable[[Axes, npt.NDArray[np.int64], Values, dict[str, Any]], None],
    ground: Callable[[Axes], None],
    corner: Literal["lower left", "lower right"],
) -> None:
    is_single = predictions.task == "single_label"
    areas = measure(predictions.logits, predictions.labels, predictions.task).per_class[metric]
    known = [(k, area) for k, area in enumerate(areas) if area is not None]
    if is_single and len(areas) == 2:
        known = known[1:]
    if not known:
        raise ValueError("no class has samples with it and without it and different scores")
    scores = (log_odds(predictions.logits) if is_single else predictions.logits.double()).numpy()
    shown = known
    if len(known) > _MAX_CURVES:
        shown = sorted(sorted(known, key=lambda entry: entry[1])[:_MAX_CURVES])
    is_few = len(shown) <= _FEW_CURVES
    labels = [f"{area:.3f}  {shortened(predictions.class_names[k], 24 if is_few else 36)}" for k, area in shown]
    beside = 0 if is_few else 0.08 * max(map(len, labels)) + 0.9
    with figure(path, min(WIDE, NARROW + beside), 4.6) as drawn:
        axes = drawn.add_subplot()
        ground(axes)
        handles = []
        for place, (k, _) in enumerate(shown):
            colour, style = line_look(place)
            draw(axes, predictions.one_hot[:, k].numpy(), scores[:, k], {"color": colour, "linestyle": style})
            handles.append(axes.lines[-1])
        title = METRICS[metric].title
        if len(shown) < len(known):
            title += f", the lowest {len(shown)} of {len(known)}"
        if is_few:
            legend = axes.legend(handles, labels, loc=corner, title=title)
        else:
            legend = drawn.legend(handles, labels, loc="outside right center", title=title)
        legend.set_alignment("left")


def plot_confusion(predictions: Predictions, path: Path | str) -> None:
    """Draw how many samples of each true class (rows) were taken for which, with shares of the row.

    For multi label a row is a class, with those that have it and those that do not side by side.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    measured = measure(predictions.logits, predictions.labels, predictions.task)
    if predictions.task == "single_label":
        counts = measured.confusion.numpy()
        totals = counts.sum(1, keepdims=True).repeat(counts.shape[1], axis=1)
        columns: Sequence[str] = predictions.class_names
    else:
        (tn, fp), (fn, tp) = measured.confusion.permute(1, 2, 0).numpy()
        counts = np.stack([tp, fn, tn, fp], axis=1)
        totals = np.stack([tp + fn, tp + fn, tn + fp, tn + fp], axis=1)
        columns = ("true positive", "false negative", "true negative", "false positive")
    is_single = predictions.task == "single_label"
    rows, names = ([wrapped(name, 22) for name in texts] for texts in (predictions.class_names, columns))
    share = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    row_room, name_room = (_LETTER * max(len(line) for text in t for line in text.split("\n")) for t in (rows, names))
    row_room += 0.85
    cell = min(max(2.7 / len(names), 0.48), (WIDE - row_room) / len(names)) if is_single else 0.9
    cell_height = cell if is_single else 0.42
    is_turned = is_single and name_room > cell
    angle = 90 if cell < 0.35 else 40
    below = 0.6 + (name_room * math.sin(math.radians(angle)) + 0.1 if is_turned else 0.15)
    width = max(NARROW, row_room + cell * len(names))
    with figure(path, width, cell_height * len(rows) + below + 0.55) as drawn:
        axes = drawn.add_subplot()
        _draw_cells(axes, counts, share, min(9.5, min(cell, 1.4 * cell_height) * 72 / 4.2))
        axes.set_xticks(range(len(names)), names if is_turned or is_single else [n.replace(" ", "\n") for n in names])
        axes.set_yticks(range(len(rows)), rows)
        if is_turned:
            turned(axes.get_xticklabels(), angle)
        axes.set_aspect(cell_height / cell)
        axes.set(xlabel="Predicted" if is_single else "", ylabel="True class" if is_single else "")
        axes.set_title("Confusion" if is_single else "Decisions at a probability of 0.5")


def _draw_cells(axes: Axes, counts: npt.NDArray[np.int64], share: Values, size: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    blues = LinearSegmentedColormap.from_list("white to blue", ["#FFFFFF", "#9CC8E3", COLOURS[0], "#00426B"])
    axes.imshow(share, cmap=blues.with_extremes(bad=GRID), vmin=0, vmax=1)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for edge in range(1, counts.shape[1]):
        axes.axvline(edge - 0.5, color="white", linewidth=1.5)
    for edge in range(1, counts.shape[0]):
        axes.axhline(edge - 0.5, color="white", linewidth=1.5)
    if max(counts.shape) > _MAX_CELLS_WITH_TEXT:
        return
    for (row, column), count in np.ndenumerate(counts):
        part = share[row, column]
        look: dict[str, Any] = {"ha": "center", "color": "white" if part > 0.5 else INK if count else "#A3AEBB"}
        axes.text(column, row, f"{count}", va="bottom", fontsize=size, **look)
        text = "–" if math.isnan(part) else f"{100 * part:.0f} %"
        axes.text(column, row + 0.06, text, va="top", fontsize=size * 0.82, **look)


def plot_calibration(predictions: Predictions, path: Path | str) -> None:
    """Draw how often the model is right by how sure it is (reliability diagram), and how often it is that sure.

    For a single label the probability of the predicted class counts, for multi label those of all classes.

    Raises
    ------
    ValueError
        When logits are not finite.
    SettingsError
        When the file cannot be written.
    """
    if not bool(predictions.logits.isfinite().all()):
        raise ValueError("the logits are not finite")
    error = measure(predictions.logits, predictions.labels, predictions.task).values.get("calibration_error")
    probabilities = predictions.probabilities
    if predictions.task == "single_label":
        confidence, predicted = (t.numpy() for t in probabilities.max(1))
        right = (predicted == predictions.labels.numpy()).astype(np.float64)
    else:
        confidence, right = probabilities.flatten().numpy(), predictions.labels.flatten().double().numpy()
    place = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(place, minlength=CALIBRATION_BINS)
    is_used = counts > 0
    sure = np.bincount(place, confidence, CALIBRATION_BINS)[is_used] / counts[is_used]
    hits = np.bincount(place, right, CALIBRATION_BINS)[is_used] / counts[is_used]
    with figure(path, NARROW, 5.2) as drawn:
        upper, lower = drawn.subplots(2, 1, height_ratios=(4, 1))
        upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
        upper.vlines(sure, sure, hits, color=COLOURS[1], linewidth=2.2, alpha=0.55)
        upper.plot(sure, hits, "o-", color=COLOURS[0], markersize=5)
        is_single = predictions.task == "single_label"
        unit_square(upper, "", "Share that is right" if is_single else "Share that has the class", "Calibration")
        upper.set_aspect("auto")
        if error is not None:
            note = "" if is_single else ", mean of the classes"
            upper.text(0.03, 0.95, f"calibration error {error:.3f}{note}", va="top", fontsize=8.5)
        lower.bar(
            (np.arange(CALIBRATION_BINS) + 0.5) / CALIBRATION_BINS, counts, 0.9 / CALIBRATION_BINS, color=COLOURS[0]
        )
        lower.set(xlim=(-0.01, 1.01), ylabel="Samples" if is_single else "Decisions")
        lower.set_xlabel("Probability of the predicted class" if is_single else "Probability of a class")
        lower.locator_params(axis="y", nbins=3, integer=True)


def _number(value: Any) -> float:  # noqa: ANN401
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Values:
    values = np.array([_number(row.get(name)) for row in rows])
    values[~np.isfinite(values)] = math.nan
    return values


def _line(axes: Axes, x: Values, y: Values, label: str, colour: str, style: str = "-") -> None:
    if np.isnan(y).all():
        return
    marker = "o" if len(x) <= _MARKED_EPOCHS else ""
    axes.plot(x, y, color=colour, linestyle=style, marker=marker, label=label or "_nolegend_")


def _from_zero(axes: Axes) -> None:
    top = float(axes.dataLim.ymax) if axes.lines else 0.0
    axes.set_ylim(0, top * 1.06 if top > 0 else 1)


def _epoch_axis(axes: Axes, epochs: Values, best: int | None) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = float(epochs.min()), float(epochs.max())
    room = max(0.5, 0.02 * (last - first))
    axes.set_xlim(first - room, last + room)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.set_xlabel("Epoch")
    if best is not None:
        axes.axvline(epochs[best], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
