r"""What people said about evidence as a loss: first-order, because the evidence is part of the forward pass.

"Right for the right reasons" (Ross, Hughes & Doshi-Velez, IJCAI 2017, eq. 1) adds to the classification loss the
squared input gradients in places that are annotated as irrelevant. An explanation made of gradients has to be
differentiated a second time for that. Here the explanation of a class is its map A, of which the logit is the mean, and
a place R takes a known part :math:`w_{R}` of every cell's part of the mean (`softcam_core.imaging.geometry`). So the
loss is an ordinary function of the network's output.

With c the offset (evidence of features that are zero), :math:`D = (A_t - c_t) - (A_a - c_a)` the evidence for class t
against a, or :math:`D = A_t - c_t` where it is weighed against nothing, :math:`\bar D_R = \sum w_R D / \sum w_R` the
mean in a flag, s and s' scales, and :math:`h(x) = \sqrt{1 + x^2} - 1` (Charbonnier et al., IEEE TIP 6, 1997), a flag
costs

.. math::
    \text{wrong:} \quad & \sum w_R\, h(D / s') / \sum w_R \\
    \text{correct:} \quad & \sum w_R\, h\big([\sigma (D^0 - D)]_+ / s\big) / \sum w_R,
    \qquad \sigma = \mathrm{sign}\, D^0 \\
    \text{missed:} \quad & h\big([m - \bar D_R / s]_+\big)

s is the root mean square of the start's D over the flagged images, and s' the same within flags of wrong evidence where
that is less: weak evidence over a wide place is pulled as hard as strong evidence in a small one.

Wrong evidence is pulled to zero, or with the aim "below" only where D > 0, until it does not speak for its class.
Correct evidence must not fall below what the model started from gave, :math:`D^0`, for the same pixels. In a missed
finding the mean of the evidence must reach the margin m. Each flag is divided by its area, so that a small one counts
as much as a large one; flags of one image are averaged by their confidence.

An image with wrong evidence is classified by what is left of it, :math:`z_k - \sum_R \sum w_R (A_k - c_k)`: what the
ledger tells when those places do not count (`softcam_core.ledger.what_if`). The label then has to be earned elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from softcam_core.imaging.geometry import Geometry, Lattice
from softcam_core.training.config import FeedbackConfig
from softcam_core.training.flags import USED, Flag

Size = tuple[int, int]

_NO_AREA = 1e-9


class Places(NamedTuple):
    """Flags of a batch on the network's grid.

    Attributes
    ----------
    weights : Tensor, (R, h, w)
        Part that each place takes of each cell's part of the mean; they add up to its share of the input's area.
    owners : Tensor, (R,) int64
        Number of the image in the batch.
    verdicts : Tensor, (R,) int64
        Index in `softcam_core.training.flags.USED`.
    contrasts : Tensor, (R, K)
        Weights of the classes in D.
    confidence : Tensor, (R,)
    """

    weights: Tensor
    owners: Tensor
    verdicts: Tensor
    contrasts: Tensor
    confidence: Tensor


def contrast_of(flag: Flag, classes: int) -> list[float]:
    """Weights of the classes in what a flag is about: +1 for its class, -1 for the one against or spread over all."""
    weights = [0.0] * classes
    if flag.against == "rest":
        weights = [-1.0 / (classes - 1)] * classes
    elif flag.against is not None:
        weights[flag.against] = -1.0
    weights[flag.target] = 1.0
    return weights


def make_places(coverage: Tensor, owners: Tensor, flags: Sequence[Flag], grid: GridWeights, classes: int) -> Places:
    """Bring flags of a batch to the network's grid.

    Parameters
    ----------
    coverage : Tensor, (R, H, W)
        Of the model input's pixels, 0 to 1.
    owners : Tensor, (R,)
    flags : sequence of Flag, R
    grid : GridWeights
    classes : int
    """
    verdicts = torch.tensor([USED.index(flag.verdict) for flag in flags], dtype=torch.int64, device=coverage.device)
    contrasts = torch.tensor([contrast_of(flag, classes) for flag in flags], dtype=torch.float32).reshape(-1, classes)
    confidence = torch.tensor([flag.confidence for flag in flags], dtype=torch.float32)
    weights = grid(coverage, grows=verdicts == USED.index("wrong"))
    return Places(weights, owners, verdicts, contrasts.to(coverage.device), confidence.to(coverage.device))


class GridWeights(nn.Module):
    """From places on the model input to weights of cells, as `Geometry.weights_of` has them.

    Parameters
    ----------
    input_size : (int, int)
    grid_size : (int, int)
    lattice : Lattice
        Where the cells lie in the model input.
    grow : float
        Cells by which places grow that are to.
    """

    def __init__(self, input_size: Size, grid_size: Size, lattice: Lattice | None, grow: float = 0.0) -> None:
        super().__init__()
        geometry = Geometry(input_size, input_size, (0, 0), input_size, lattice)
        rows, columns = (torch.from_numpy(w).float() for w in geometry.share_weights(grid_size))
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)
        self._reach = tuple(round(grow * size / cells) for size, cells in zip(input_size, grid_size, strict=True))

    def forward(self, coverage: Tensor, grows: Tensor | None = None) -> Tensor:
        """(R, H, W) -> (R, h, w); those marked in `grows` (R,) reach farther first."""
        if grows is not None and any(self._reach) and bool(grows.any()):
            coverage = torch.where(grows[:, None, None], _grown(coverage, self._reach), coverage)
        return torch.einsum("rxy,xi,yj->rij", coverage, self.rows, self.columns)


def _grown(coverage: Tensor, reach: Sequence[int]) -> Tensor:
    down, across = reach
    wide = F.max_pool2d(coverage[:, None], (2 * down + 1, 1), 1, (down, 0))
    return F.max_pool2d(wide, (1, 2 * across + 1), 1, (0, across))[:, 0]


class FeedbackTerms(NamedTuple):
    """What the flags of a batch cost.

    Attributes
    ----------
    logits : Tensor, (B, K)
        That images are to be classified by.
    terms : dict of str to Tensor
        "wrong", "correct" and "missed", each (B,), weights and strength included; 0 for images without such flags.
    """

    logits: Tensor
    terms: dict[str, Tensor]


class FeedbackLoss(nn.Module):
    """Cost of flags, one value an image, so that batches can be split and put together.

    Parameters
    ----------
    config : FeedbackConfig
    scale : float
        Logits that count as a large value, s.
    wrong_scale : float, optional
        The same for wrong evidence, s'; by default `scale`.
    """

    def __init__(self, config: FeedbackConfig, scale: float, wrong_scale: float | None = None) -> None:
        super().__init__()
        self.config, self.scale = config, scale
        self.wrong_scale = scale if wrong_scale is None else wrong_scale

    def forward(
        self, logits: Tensor, maps: Tensor, offset: Tensor, places: Places, reference: Tensor | None = None
    ) -> FeedbackTerms:
        """Compare the evidence of a batch with its flags.

        Parameters
        ----------
        logits : Tensor, (B, K)
        maps : Tensor, (B, K, h, w)
        offset : Tensor, (K,)
            Evidence of features that are zero.
        places : Places
        reference : Tensor, (B, K, h, w), optional
            Evidence that the start gives for the same images, less its own offset; without it correct evidence is
            held to the margin.
        """
        config, batch = self.config, len(maps)
        if maps.element_size() < 4:
            logits, maps = logits.float(), maps.float()
        earned = maps - offset.to(maps.dtype)[:, None, None]
        weights = places.weights.to(maps.dtype)
        contrasts = places.contrasts.to(maps.dtype)
        area = weights.sum((1, 2)).clamp(min=_NO_AREA)
        shown = torch.einsum("rk,rkij->rij", contrasts, earned[places.owners]) / self.scale
        means = (weights * shown).sum((1, 2)) / area
        missed = _charbonnier((config.margin - means).clamp(min=0))
        pulled = shown.clamp(min=0) if config.aim == "below" else shown
        wrong = _charbonnier(pulled * (self.scale / self.wrong_scale))
        if reference is None:
            correct = missed
        else:
            before = torch.einsum("rk,rkij->rij", contrasts, reference[places.owners].to(maps.dtype)) / self.scale
            lost = (before.sign() * (before - shown)).clamp(min=0)
            correct = (weights * _charbonnier(lost)).sum((1, 2)) / area
        costs = torch.stack([(weights * wrong).sum((1, 2)) / area, correct, missed])
        terms: dict[str, Tensor] = {}
        for index, verdict in enumerate(USED):
            # What has been moved out of the picture says nothing.
            counts = (places.verdicts == index) * (area > _NO_AREA) * places.confidence.to(maps.dtype)
            total = maps.new_zeros(batch).index_add(0, places.owners, counts)
            summed = maps.new_zeros(batch).index_add(0, places.owners, counts * costs[index])
            weight = config.strength * float(getattr(config, verdict))
            # By confidence among an image's flags, and by the surest of them all in all.
            terms[verdict] = weight * summed / total.clamp(min=1.0)
        if config.without_wrong:
            logits = logits - self._taken(earned, places, weights)
        return FeedbackTerms(logits, terms)

    def _taken(self, earned: Tensor, places: Places, weights: Tensor) -> Tensor:
        """What wrong evidence gives to the logits, (B, K); places that overlap count once."""
        whole = 1 / (earned.shape[2] * earned.shape[3])
        is_wrong = places.verdicts == USED.index("wrong")
        taken = earned.new_zeros(len(earned), *weights.shape[1:])
        taken = taken.index_add(0, places.owners[is_wrong], weights[is_wrong]).clamp(max=whole)
        return torch.einsum("bkij,bij->bk", earned, taken)


def _charbonnier(x: Tensor) -> Tensor:
    return (1 + x.square()).sqrt() - 1
