"""What evidence costs over the black box it comes from."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM

_WARM_UP = 2


@dataclass(frozen=True, slots=True)
class ForwardCost:
    """Times of forward passes, taken in turns.

    Attributes
    ----------
    black_box_seconds, softcam_seconds : float
        Medians.
    ratio : float
        Median over the pairs of SoftCAM's time by the black box's.
    ratio_quartiles : (float, float)
    """

    black_box_seconds: float
    softcam_seconds: float
    ratio: float
    ratio_quartiles: tuple[float, float]


def forward_cost(architecture: str, classes: int, size: int, repeats: int, device: torch.device) -> ForwardCost:
    """Time a SoftCAM's forward pass against its black box's, with the same weights and input.

    Parameters
    ----------
    architecture : str
    classes : int
    size : int
        Side of the square input in pixels.
    repeats : int
        Pairs of passes; which of the two comes first changes from pair to pair.
    device : torch.device

    Raises
    ------
    SettingsError
        When the architecture has no black box of the same function.
    """
    names = tuple(f"class {k}" for k in range(classes))
    card = ModelCard(name=architecture, architecture=architecture, class_names=names, task="multi_label")
    model = SoftCAM.from_card(card).to(device).eval()
    black_box = model.black_box()
    x = torch.randn(1, 3, size, size, device=device)
    seconds = np.empty((repeats, 2))
    with torch.inference_mode():
        for network in (black_box, model) * _WARM_UP:
            _seconds(network, x)
        for pair in range(repeats):
            for which in (0, 1) if pair % 2 == 0 else (1, 0):
                seconds[pair, which] = _seconds((black_box, model)[which], x)
    low, ratio, high = np.percentile(seconds[:, 1] / seconds[:, 0], [25, 50, 75])
    medians = np.median(seconds, axis=0)
    return ForwardCost(float(medians[0]), float(medians[1]), float(ratio), (float(low), float(high)))


def _seconds(network: nn.Module, x: torch.Tensor) -> float:
    start = time.perf_counter()
    network(x)
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    return time.perf_counter() - start
