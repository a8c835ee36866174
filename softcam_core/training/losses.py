"""What training minimises: how well labels are met, plus an elastic net on the evidence."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

L2Form = Literal["norm", "squared"]
LossKind = Literal["cross_entropy", "bce", "focal"]


class ElasticNet(nn.Module):
    r"""Penalty on evidence maps, one value a sample.

    .. math:: \lambda_1 \sum_{kxy} |w_k A_{kxy}| + \lambda_2 \lVert w A \rVert_2^p

    with p = 1 for ``form="norm"`` and p = 2 for ``form="squared"`` (Djoumessi & Berens, SoftCAM, MIDL 2026,
    section 3). Both terms sum over all classes and cells of one sample, so coefficients depend on K h w.

    Parameters
    ----------
    l1, l2 : float
        :math:`\lambda_1, \lambda_2 \ge 0`.
    form : {"norm", "squared"}
    class_weights : sequence of float, (K,), optional
        Factors w on the maps; all 1 by default.
    """

    def __init__(
        self, l1: float, l2: float, form: L2Form = "norm", class_weights: tuple[float, ...] | None = None
    ) -> None:
        super().__init__()
        self.l1, self.l2, self.form = l1, l2, form
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Evidence (B, K, h, w) -> the terms of l1 and l2, each (B,) float32 or wider, their weights included."""
        if maps.element_size() < 4:  # half precision overflows in these sums
            maps = maps.float()
        if isinstance(self.class_weights, Tensor):
            maps = maps * self.class_weights[:, None, None]
        flat = maps.flatten(1)
        zero = flat.new_zeros(len(flat))
        first = self.l1 * flat.abs().sum(1) if self.l1 else zero
        # norm() has the gradient 0 for a map of zeros, where sqrt(sum of squares) has NaN.
        size = (flat.norm(dim=1) if self.form == "norm" else flat.square().sum(1)) if self.l2 else zero
        return first, self.l2 * size


class ClassificationLoss(nn.Module):
    r"""How badly logits meet labels, one value a sample, so that batches can be split and put together.

    Cross-entropy, for one label an image, with class weights v and smoothing s (Szegedy et al., CVPR 2016, section 7):

    .. math:: -\sum_k v_k \big((1 - s) [k = y] + s / K\big) \log p_k, \qquad p = \mathrm{softmax}(\text{logits})

    Binary cross-entropy, for several, averaged over classes:
    :math:`-\frac{1}{K} \sum_k v_k y_k \log \sigma_k + (1 - y_k) \log(1 - \sigma_k)`.

    Focal loss (Lin et al., ICCV 2017, eq. 4): each term times :math:`(1 - p_t)^\gamma`, with :math:`p_t` the
    probability given to what is the case.

    Unlike torch's, a weighted loss is the plain mean over samples, not divided by the sum of their weights.

    Parameters
    ----------
    kind : {"cross_entropy", "bce", "focal"}
    multi_label : bool
    class_weights : sequence of float, (K,), optional
    label_smoothing : float
    gamma : float
        Focal loss alone.
    """

    def __init__(
        self,
        kind: LossKind,
        *,
        multi_label: bool = False,
        class_weights: tuple[float, ...] | None = None,
        label_smoothing: float = 0.0,
        gamma: float = 2.0,
    ) -> None:
        super().__init__()
        self.kind, self.multi_label, self.label_smoothing, self.gamma = kind, multi_label, label_smoothing, gamma
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (B, K) and labels, (B,) int64 or, multi label, (B, K) 0 or 1 -> (B,) float32 or wider."""
        if logits.element_size() < 4:
            logits = logits.float()
        weights = self.class_weights if isinstance(self.class_weights, Tensor) else None
        if weights is not None:
            weights = weights.to(logits.dtype)
        if self.multi_label:
            target = labels.to(logits.dtype)
            losses = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights, reduction="none")
            if self.kind == "focal":
                missed = torch.where(labels > 0, (-logits).sigmoid(), logits.sigmoid())  # 1 - p_t
                losses = losses * missed.pow(self.gamma)
            return losses.mean(1)
        losses = F.cross_entropy(logits, labels, weight=weights, reduction="none", label_smoothing=self.label_smoothing)
        if self.kind == "focal":
            missed = 1 - logits.softmax(1).gather(1, labels[:, None]).squeeze(1)
            losses = losses * missed.pow(self.gamma)
        return losses
