"""How sure a figure is: bootstrap intervals over images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from softcam_core.training.metrics import log_odds, measure
from softcam_core.training.predictions import Predictions

_AT_ONCE = 2_000_000  # weights of resampled images in memory, 16 MB

Interval = tuple[float, float]


def bootstrap_intervals(
    predictions: Predictions, resamples: int = 2000, coverage: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Percentile bootstrap intervals of "auc" and "accuracy" (Efron & Tibshirani, 1993, chapter 13).

    Images are drawn with replacement, each on its own: where patients have several, the true intervals are wider.

    Parameters
    ----------
    predictions : Predictions
    resamples : int
        Those without a sample of some class have no AUROC and are left out of its interval.
    coverage : float
        In (0, 1).
    seed : int

    Returns
    -------
    dict
        Name -> (lower, upper). What `softcam_core.training.metrics.measure` leaves undefined for the whole set is not
        there.
    """
    measured = measure(predictions.logits, predictions.labels, predictions.task).values
    tail = (1 - coverage) / 2
    intervals: dict[str, Interval] = {}
    for name, samples in bootstrap_samples(predictions, resamples, seed).items():
        values = samples[np.isfinite(samples)]
        if name in measured and len(values):
            lower, upper = np.quantile(values, [tail, 1 - tail])
            intervals[name] = (float(lower), float(upper))
    return intervals


def bootstrap_samples(
    predictions: Predictions, resamples: int = 2000, seed: int = 0
) -> dict[str, npt.NDArray[np.float64]]:
    """Figures "auc" and "accuracy" of resampled images, (resamples,) each; NaN where undefined.

    Images are drawn by the seed alone, so that predictions of two models for the same images are drawn in pairs.
    """
    rng = np.random.default_rng(seed)
    count = len(predictions.images)
    scores, marked = _ranking(predictions)
    is_right = _is_right(predictions)
    found: dict[str, list[npt.NDArray[np.float64]]] = {"auc": [], "accuracy": []}
    for start in range(0, resamples, max(1, _AT_ONCE // count)):
        rows = min(resamples - start, max(1, _AT_ONCE // count))
        weights = rng.multinomial(count, np.full(count, 1 / count), size=rows).astype(np.float64)
        found["accuracy"].append(weights @ is_right / count)
        columns = zip(scores.T, marked.T, strict=True)
        found["auc"].append(np.mean([_weighted_auc(s, m, weights) for s, m in columns], axis=0))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _ranking(predictions: Predictions) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Scores and labels (N, C) of the classes whose AUROC is reported: class 1 of two, otherwise all."""
    marked = predictions.one_hot.numpy() == 1
    if predictions.task == "multi_label":
        return predictions.logits.double().numpy(), marked
    scores = log_odds(predictions.logits).numpy()
    return (scores[:, 1:], marked[:, 1:]) if scores.shape[1] == 2 else (scores, marked)


def _is_right(predictions: Predictions) -> npt.NDArray[np.float64]:
    """Share of right decisions about each image."""
    if predictions.task == "single_label":
        return (predictions.logits.argmax(1) == predictions.labels).double().numpy()
    return ((predictions.logits > 0) == predictions.labels).double().mean(1).numpy()


def _weighted_auc(
    scores: npt.NDArray[np.floating[Any]], marked: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """AUROC of scores (N,) for each row of weights (R, N); ties count half, NaN without one of the classes."""
    order = np.argsort(scores, kind="stable")
    _, first = np.unique(scores[order], return_index=True)
    weights, marked = weights[:, order], marked[order]
    positive = np.add.reduceat(weights * marked, first, axis=1)
    negative = np.add.reduceat(weights * ~marked, first, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    pairs = positive.sum(1) * negative.sum(1)
    wins = (positive * (below + negative / 2)).sum(1)
    areas: npt.NDArray[np.float64] = np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return areas
