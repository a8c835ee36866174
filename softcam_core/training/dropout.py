"""Dropout that is an image's own: the same in any process, in a batch of any size, after any interruption.

torch draws one mask for a whole batch, from a generator that goes on from batch to batch. Here each image has its own
masks, drawn from its own seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

Extent = Literal["cells", "channels", "all"]

_LAYERS = 0x9E3779B97F4A7C15
"""2^64 by the golden ratio: seeds of one image's layers lie far from each other."""


class ImageSeeds:
    """Seeds of the images that go through the network now."""

    def __init__(self) -> None:
        self.seeds: Sequence[int] = ()


class ImageDropout(nn.Module):
    """Dropout with a mask for each image, drawn from the image's seed.

    Parameters
    ----------
    p : float
        Probability that something is left out, below 1.
    extent : {"cells", "channels", "all"}
        What is left out at a time: single values (Srivastava et al., JMLR 2014), whole channels (Tompson et al., CVPR
        2015), or all of an image (stochastic depth, Huang et al., ECCV 2016).
    seeds : ImageSeeds
        Shared with the loop.
    layer : int
        Number of the layer in its network.
    """

    def __init__(self, p: float, extent: Extent, seeds: ImageSeeds, layer: int) -> None:
        super().__init__()
        self.p, self.extent, self.seeds, self.layer = p, extent, seeds, layer

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) -> (B, ...); as it is in eval mode."""
        if not self.training or self.p == 0:
            return x
        inner = {"cells": x.shape[1:], "channels": (*x.shape[1:2], *[1] * (x.ndim - 2)), "all": [1] * (x.ndim - 1)}
        kept = x.new_empty((len(x), *inner[self.extent]))
        generator = torch.Generator(x.device)
        for mask, seed in zip(kept, self.seeds.seeds, strict=True):
            mask.bernoulli_(1 - self.p, generator=generator.manual_seed((seed + self.layer * _LAYERS) % 2**63))
        return x * (kept / (1 - self.p))

    def extra_repr(self) -> str:
        """What a printed network shows."""
        return f"p={self.p}, {self.extent}"


def drop_by_image(network: nn.Module) -> ImageSeeds:
    """Replace a network's dropout layers, in place, by those that draw for each image.

    Parameters
    ----------
    network : nn.Module
        Its parameters and their names stay. Dropout that is no layer of its own, and stochastic depth of whole batches,
        are left to torch's generator.

    Returns
    -------
    ImageSeeds
        To be filled before each forward pass in training.
    """
    seeds, layer = ImageSeeds(), 0
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            extent: Extent
            match child:
                case nn.Dropout():
                    extent, p = "cells", child.p
                case nn.Dropout2d():
                    extent, p = "channels", child.p
                case StochasticDepth(mode="row"):
                    extent, p = "all", child.p
                case _:
                    continue
            if p < 1:
                setattr(parent, name, ImageDropout(p, extent, seeds, layer).train(child.training))
                layer += 1
    return seeds
