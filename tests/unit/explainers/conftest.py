"""Small networks and images, which tests of all methods share."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from softcam_core.explainers.base import contrasted
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.classifier import Classifier
from softcam_core.models.softcam import SoftCAM


@pytest.fixture(scope="session")
def make_network() -> Callable[..., SoftCAM]:
    """Make a network of three classes with fresh weights, always the same, in eval mode."""

    def make(architecture: str) -> SoftCAM:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return SoftCAM.from_card(_card(architecture)).eval()

    return make


@pytest.fixture(scope="session")
def linear_network() -> SoftCAM:
    """Evidence that is linear in the brightness of blocks of 4 pixels, signed, with biases, float64."""
    head = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(np.random.default_rng(1).normal(size=(3, 3, 1, 1))))
        head.bias.copy_(torch.tensor([0.5, -1.0, 2.0]))
    return SoftCAM(nn.AvgPool2d(4), head, _card("compact")).eval().double()


CHEAP: dict[str, dict[str, Any]] = {
    "evidence": {},
    "gradcam": {},
    "gradcam++": {},
    "hirescam": {},
    "layercam": {},
    "xgradcam": {},
    "eigencam": {},
    "scorecam": {"top": 4},
    "ablationcam": {},
    "gradxinput": {},
    "ig": {"steps": 2},
    "guided": {},
    "guidedgradcam": {},
    "smoothgrad": {"samples": 2},
    "lrp": {},
    "occlusion": {"patch": 32, "stride": 32},
    "rise": {"masks": 3, "cells": 4},
    "random": {},
    "edges": {},
}


@pytest.fixture(scope="session")
def cheap_options() -> dict[str, dict[str, Any]]:
    """Options with which each method is quick."""
    return CHEAP


@pytest.fixture
def mixed_network() -> SoftCAM:
    """A tiny residual network as in fine-tuning: parts in different modes, some frozen, with hooks and gradients."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        block = BasicBlock(8, 8)
        features = nn.Sequential(OrderedDict(stem=stem, pool=nn.MaxPool2d(2), block=block, drop=nn.Dropout2d(0.5)))
        model = SoftCAM(features, nn.Conv2d(8, 3, 1), _card("compact")).train()
    for norm in (stem[1], block.bn1, block.bn2):
        norm.running_mean.normal_(generator=torch.Generator().manual_seed(1))
    stem.eval()
    stem.requires_grad_(False)
    model.head.bias.grad = torch.ones(3)
    block.register_forward_pre_hook(lambda module, inputs: None)
    block.conv1.register_forward_hook(lambda module, inputs, output: None)
    model.head.register_full_backward_hook(lambda module, before, after: None)
    _ = model.receptive_field  # kept by the model from the first question on
    return model


@pytest.fixture(scope="session")
def make_images() -> Callable[..., Tensor]:
    """Make normalised images of noise, always the same, float64."""

    def make(count: int = 2, height: int = 48, width: int = 48) -> Tensor:
        return torch.from_numpy(np.random.default_rng(0).normal(size=(count, 3, height, width)))

    return make


@pytest.fixture(scope="session")
def as_captum() -> type[nn.Module]:
    """A network as captum explains it: its outputs are the targets."""

    class Contrasted(nn.Module):
        def __init__(self, model: Classifier, weights: Tensor) -> None:
            super().__init__()
            self.model, self.weights = model, weights  # (T, K)

        def forward(self, images: Tensor) -> Tensor:
            return contrasted(self.model.logits(images), self.weights.expand(len(images), -1, -1))

    return Contrasted


def _card(architecture: str) -> ModelCard:
    return ModelCard(
        name="m",
        architecture=architecture,
        class_names=("a", "b", "c"),
        preprocessing=Preprocessing(shorter_side=48, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3)),
    )
