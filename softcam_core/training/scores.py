"""How well probabilities fit labels."""

from __future__ import annotations

from typing import NamedTuple

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


class Scores(NamedTuple):
    """Figures of a split.

    Attributes
    ----------
    loss : float
        Mean cross-entropy.
    auc : float or None
        Area under the ROC curve; for more than two classes the mean over classes, each against the rest. None where a
        class has no sample.
    accuracy : float
        Share of samples whose class has the highest logit.
    """

    loss: float
    auc: float | None
    accuracy: float


def score(logits: Tensor, labels: Tensor) -> Scores:
    """Score logits (N, K), float on the CPU, against labels (N,)."""
    classes = logits.shape[1]
    auc = None
    if len(labels.unique()) == classes:
        probabilities = logits.double().softmax(1).numpy()
        if classes == 2:
            auc = float(roc_auc_score(labels.numpy(), probabilities[:, 1]))
        else:
            auc = float(roc_auc_score(labels.numpy(), probabilities, multi_class="ovr", average="macro"))
    loss = float(F.cross_entropy(logits, labels))
    return Scores(loss, auc, float((logits.argmax(1) == labels).to(torch.float64).mean()))
