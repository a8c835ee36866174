"""Optimizer, learning rate and what is frozen, each a function of how far the run is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from softcam_core.models.softcam import SoftCAM
from softcam_core.training.config import OptimisationConfig

_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def make_optimizer(config: OptimisationConfig, model: SoftCAM) -> torch.optim.Optimizer:
    """Make the optimizer: the features' parameters in its first group, the evidence layer's in its second.

    Each group keeps its rate at full height as ``base_lr``.
    """
    options: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay}
    if config.optimizer == "sgd":
        options |= {"momentum": config.momentum, "nesterov": True}
    groups = [
        {"params": list(part.parameters()), "base_lr": rate}
        for part, rate in ((model.features, config.lr), (model.head, config.head_lr or config.lr))
    ]
    return _OPTIMIZERS[config.optimizer](groups, **options)


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give each group its own height times a factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor


@dataclass
class Plateau:
    """Lets the learning rate fall when the selected figure has not improved for some epochs.

    Attributes
    ----------
    factor : float
        On the learning rate now.
    waited : int
        Epochs since it improved or the rate fell.
    """

    factor: float = 1.0
    waited: int = 0

    def after(self, improved: bool, config: OptimisationConfig) -> None:
        """Take note of an epoch."""
        self.waited = 0 if improved else self.waited + 1
        if self.waited > config.lr_patience:
            self.factor, self.waited = self.factor * config.lr_gamma, 0


def learning_rate_factor(config: OptimisationConfig, progress: float, plateau: float = 1.0) -> float:
    r"""Learning rate as a part of its height.

    With t the progress of T epochs, after the warm-up:

    - cosine: :math:`(1 + \cos(\pi t / T)) / 2` (Loshchilov & Hutter, ICLR 2017, eq. 5)
    - step: gamma to the power of :math:`\lfloor t / \text{step} \rfloor`
    - exponential: gamma to the power of t

    each clipped from below at `least_lr`, as the SoftCAM paper's code does, which is not the same as falling towards
    it.

    Parameters
    ----------
    config : OptimisationConfig
    progress : float
        Epochs done, a whole number at the start of each.
    plateau : float
        `Plateau.factor`.

    Returns
    -------
    float
        In (0, 1].
    """
    if progress < config.lr_warmup:
        # The first step already moves.
        return max(progress, min(config.lr_warmup, 1.0) * 1e-2) / config.lr_warmup
    t = math.floor(progress) if config.schedule_interval == "epoch" else progress
    match config.schedule:
        case "cosine":
            # The same sum of floats for every way to get here.
            factor = (1 + math.cos(math.pi * min(t / config.epochs, 1.0))) / 2
        case "step":
            factor = config.lr_gamma ** (t // config.lr_step)
        case "exponential":
            factor = config.lr_gamma**t
        case "plateau":
            factor = plateau
        case "constant":
            factor = 1.0
    return max(factor, min(1.0, config.least_lr / config.lr))


def stages(model: SoftCAM) -> list[nn.Module]:
    """Parts of the features with parameters, from the image on; what gradual unfreezing takes as one."""
    parts = [model.features]
    while len(parts) == 1:
        inner = [child for child in parts[0].children() if next(child.parameters(), None) is not None]
        if not inner:
            break
        parts = inner
    return parts


def frozen_stages(config: OptimisationConfig, model: SoftCAM, epoch: int) -> list[nn.Module]:
    """Parts of the features that are not trained in an epoch, from 0."""
    parts = stages(model)
    never = {"all": 0, "last": len(parts) - 1, "head": len(parts)}[config.part]
    if epoch < config.freeze_epochs:
        return parts
    if not config.unfreeze_every or not config.freeze_epochs:
        return parts[:never]
    still = len(parts) - 1 - (epoch - config.freeze_epochs) // config.unfreeze_every
    return parts[: max(never, still)]


def freeze(model: SoftCAM, frozen: Iterable[nn.Module]) -> None:
    """Let only what is not frozen have gradients; frozen batch normalisation keeps its statistics as well."""
    model.requires_grad_(True)
    model.train()
    for part in frozen:
        part.requires_grad_(False)
        part.eval()
