"""How well logits fit labels: the figures a run reports and selects its best epoch by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from softcam_core.models.card import Task

CALIBRATION_BINS = 15

_BOTH: tuple[Task, ...] = ("single_label", "multi_label")


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """What a figure is.

    Attributes
    ----------
    title : str
        For people.
    higher_is_better : bool
    tasks : tuple of {"single_label", "multi_label"}
        Where it has a meaning.
    reference : str
        Who defined it; empty where everybody knows.
    """

    title: str
    higher_is_better: bool = True
    tasks: tuple[Task, ...] = _BOTH
    reference: str = ""


METRICS: Mapping[str, MetricInfo] = MappingProxyType(
    {
        "loss": MetricInfo("Loss", higher_is_better=False),
        "accuracy": MetricInfo("Accuracy"),
        "auc": MetricInfo("AUROC", reference="Hanley & McNeil, Radiology 143, 1982"),
        "auprc": MetricInfo("AUPRC", reference="average precision, without interpolation"),
        "sensitivity": MetricInfo("Sensitivity"),
        "specificity": MetricInfo("Specificity"),
        "precision": MetricInfo("Precision"),
        "f1": MetricInfo("F1"),
        "kappa": MetricInfo(
            "Quadratic kappa", tasks=("single_label",), reference="Cohen, Psychological Bulletin 70, 1968"
        ),
        "calibration_error": MetricInfo(
            "Calibration error", higher_is_better=False, reference="ECE with 15 bins; Guo et al., ICML 2017, eq. 3"
        ),
    }
)
"""Every name that `Measurement.values` can have, in the order of reports."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Figures of a set of samples.

    Attributes
    ----------
    values : dict
        Name in `METRICS` -> figure. What is undefined for these samples is not there.
    per_class : dict
        "auc", "auprc", "sensitivity", "specificity", "precision" and "f1" of each class against the rest, None where
        undefined.
    confusion : Tensor, (K, K) or (K, 2, 2) int64
        Counts, rows are the true class and columns the predicted one; for multi label the same for each class, absent
        before present. Zeros where the logits decide nothing.
    """

    values: dict[str, float]
    per_class: dict[str, list[float | None]]
    confusion: Tensor


def measure(logits: Tensor, labels: Tensor, task: Task) -> Measurement:
    """Measure a whole set, gathered on the CPU.

    The predicted class is the one of the highest logit; for multi label, classes of a probability above 0.5. With two
    classes of a single label, sensitivity, specificity, precision, F1, AUROC and AUPRC are those of class 1; otherwise
    they are means over all classes, each against the rest, and undefined where one of them is. The calibration error
    is that of the predicted class's probability, for multi label the mean over the classes of each one's own.

    Parameters
    ----------
    logits : Tensor, (N, K) float
    labels : Tensor, (N,) int64 or (N, K)
        The class for "single_label", 0 or 1 for each class for "multi_label".
    task : {"single_label", "multi_label"}

    Returns
    -------
    Measurement
        With the loss alone where logits are not finite (the loss is NaN then) or, for a single label, where no sample
        has a class that is ahead of another. A ranking of samples whose logits are all equal is undefined.

    Raises
    ------
    ValueError
        When there are no samples or the shapes do not fit each other.
    """
    _check(logits, labels, task)
    logits, labels = logits.detach().double().cpu(), labels.detach().long().cpu()
    classes = logits.shape[1]
    is_single = task == "single_label"
    one_hot = F.one_hot(labels, classes) if is_single else labels
    nothing: dict[str, list[float | None]] = {name: [None] * classes for name in _PER_CLASS}
    no_counts = torch.zeros((classes, classes) if is_single else (classes, 2, 2), dtype=torch.int64)
    if not bool(torch.isfinite(logits).all()):
        return Measurement({"loss": math.nan}, nothing, no_counts)
    if is_single:
        loss = F.cross_entropy(logits, labels)
    else:
        loss = F.binary_cross_entropy_with_logits(logits, one_hot.double())
    values = {"loss": float(loss)}
    if is_single and bool((logits.amax(1) == logits.amin(1)).all()):
        return Measurement(values, nothing, no_counts)
    predicted = logits.argmax(1) if is_single else (logits > 0).long()
    confusion = _confusion(predicted, labels, classes, is_single)
    counts = _one_against_rest(confusion) if is_single else confusion
    per_class = _rankings(log_odds(logits) if is_single else logits, one_hot) | _ratios(counts)
    found = {
        "accuracy": float((predicted == labels).double().mean()),
        **{name: figures[1] if is_single and classes == 2 else _mean(figures) for name, figures in per_class.items()},
        "kappa": _kappa(predicted, labels, classes) if is_single else None,
        "calibration_error": _calibration_error(logits, predicted, one_hot, is_single),
    }
    values |= {name: found[name] for name in METRICS if found.get(name) is not None}  # type: ignore[misc]
    return Measurement(values, per_class, confusion)


def better(name: str, a: float | None, b: float | None) -> bool:
    """Tell whether figure `a` is better than `b`; any number is better than None or NaN, and equal is not better.

    Raises
    ------
    KeyError
        When there is no such metric; names those there are.
    """
    if name not in METRICS:
        raise KeyError(f"no metric {name!r}; there are {', '.join(METRICS)}")
    if a is None or math.isnan(a):
        return False
    if b is None or math.isnan(b):
        return True
    return a > b if METRICS[name].higher_is_better else a < b


def log_odds(logits: Tensor) -> Tensor:
    """logit(p) of softmax probabilities, (N, K) float64: the same order, also where probabilities round to 0 or 1."""
    logits = logits.double()
    classes = logits.shape[1]
    rest = [torch.cat([logits[:, :k], logits[:, k + 1 :]], dim=1).logsumexp(1) for k in range(classes)]
    return logits - torch.stack(rest, dim=1)


_PER_CLASS = ("auc", "auprc", "sensitivity", "specificity", "precision", "f1")


def _check(logits: Tensor, labels: Tensor, task: Task) -> None:
    if logits.ndim != 2 or not len(logits):
        raise ValueError(f"logits must be (N, K) with at least one sample, not {tuple(logits.shape)}")
    expected = logits.shape[:1] if task == "single_label" else logits.shape
    if labels.shape != expected:
        raise ValueError(f"labels must have the shape {tuple(expected)}, not {tuple(labels.shape)}")
    top = logits.shape[1] - 1 if task == "single_label" else 1
    if int(labels.min()) < 0 or int(labels.max()) > top:
        raise ValueError(f"labels must lie in 0 to {top}, not {int(labels.min())} to {int(labels.max())}")


def _confusion(predicted: Tensor, labels: Tensor, classes: int, is_single: bool) -> Tensor:
    # Imported here and below: torchmetrics takes longer to import than torch, and every command imports this module.
    from torchmetrics.functional.classification import multiclass_confusion_matrix, multilabel_confusion_matrix

    count = multiclass_confusion_matrix if is_single else multilabel_confusion_matrix
    confusion: Tensor = count(predicted, labels, classes, validate_args=False)
    return confusion


def _one_against_rest(confusion: Tensor) -> Tensor:
    """Counts (K, K) as (K, 2, 2)."""
    hits = confusion.diagonal()
    missed, false = confusion.sum(1) - hits, confusion.sum(0) - hits
    return torch.stack([confusion.sum() - hits - missed - false, false, missed, hits], dim=1).reshape(-1, 2, 2)


def _ratios(counts: Tensor) -> dict[str, list[float | None]]:
    """What follows from counts (K, 2, 2)."""

    def ratio(a: int, b: int) -> float | None:
        return a / b if b else None

    figures: dict[str, list[float | None]] = {}
    for (tn, fp), (fn, tp) in counts.tolist():
        is_present = tp + fn > 0
        found = {
            "sensitivity": ratio(tp, tp + fn),
            "specificity": ratio(tn, tn + fp),
            "precision": ratio(tp, tp + fp) if is_present else None,
            "f1": ratio(2 * tp, 2 * tp + fp + fn) if is_present else None,
        }
        for name, figure in found.items():
            figures.setdefault(name, []).append(figure)
    return figures


def _rankings(scores: Tensor, one_hot: Tensor) -> dict[str, list[float | None]]:
    """AUROC and AUPRC of each column of scores (N, K) for the samples marked in `one_hot` (N, K)."""
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision

    auc: list[float | None] = []
    auprc: list[float | None] = []
    for column, marked in zip(scores.T.contiguous(), one_hot.T.contiguous(), strict=True):
        levels, level = column.unique(return_inverse=True)
        if len(levels) == 1 or len(marked.unique()) == 1:
            auc.append(None)
            auprc.append(None)
            continue
        # torchmetrics would take numbers beyond [0, 1] through a sigmoid, which makes large ones equal.
        ranks = level.double() / len(levels)
        auc.append(float(binary_auroc(ranks, marked, validate_args=False)))
        auprc.append(float(binary_average_precision(ranks, marked, validate_args=False)))
    return {"auc": auc, "auprc": auprc}


def _kappa(predicted: Tensor, labels: Tensor, classes: int) -> float | None:
    from torchmetrics.functional.classification import multiclass_cohen_kappa

    if len(labels.unique()) == 1:  # agreement by chance is all there is
        return None
    return float(multiclass_cohen_kappa(predicted, labels, classes, weights="quadratic", validate_args=False))


def _calibration_error(logits: Tensor, predicted: Tensor, one_hot: Tensor, is_single: bool) -> float:
    """L1 distance of confidence and hits, over bins of confidence."""
    from torchmetrics.functional.classification import binary_calibration_error

    if is_single:
        confidence = logits.softmax(1).amax(1, keepdim=True)
        right = one_hot.gather(1, predicted[:, None])
    else:
        confidence, right = logits.sigmoid(), one_hot
    # torchmetrics puts a confidence of exactly 1 into a bin of its own, beyond the last one.
    confidence = confidence.clamp(max=1 - torch.finfo(confidence.dtype).eps)
    errors = [
        float(binary_calibration_error(c, r, n_bins=CALIBRATION_BINS, norm="l1", validate_args=False))
        for c, r in zip(confidence.T.contiguous(), right.T.contiguous(), strict=True)
    ]
    return sum(errors) / len(errors)


def _mean(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if len(known) == len(figures) else None
