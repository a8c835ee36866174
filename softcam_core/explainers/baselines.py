"""What stands for nothing to see, on the scale of normalised images."""

from __future__ import annotations

import torch
from torch import Tensor

from softcam_core.imaging.preprocessing import Preprocessing

BASELINES = ("black", "mean")


def baseline_colour(kind: str, preprocessing: Preprocessing) -> Tensor:
    """A black image ("black") or one of the mean colour ("mean"), normalised, (3, 1, 1) float64.

    The mean colour is that of the preprocessing, so that its normalised image is 0.
    """
    mean, std = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (preprocessing.mean, preprocessing.std))
    return -mean / std if kind == "black" else torch.zeros_like(mean)
