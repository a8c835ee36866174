"""Networks that behave like trained ones: their activations neither die out nor explode."""

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from functools import cache

import pytest
import torch
from torch import nn

from softcam_core.models.card import ArchitectureOptions
from softcam_core.models.families import family_of

BlackBoxes = Callable[..., nn.Module]


@cache
def _state(architecture: str, classes: int) -> OrderedDict[str, torch.Tensor]:
    torch.manual_seed(0)
    network = family_of(architecture).network(architecture, classes, ArchitectureOptions())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for name, parameter in network.named_parameters():
        if name.endswith("layer_scale"):  # ConvNeXt starts with blocks that do nothing
            nn.init.constant_(parameter, 0.1)
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 128, 128))  # batch normalisation learns what it is to normalise
        for parameter in [p for p in network.parameters() if p.shape[:1] == (classes,)]:
            nn.init.normal_(parameter, std=0.1)
    # With its metadata: MNASNet looks for the version of its layout there.
    return deepcopy(network.state_dict())


@pytest.fixture(scope="session")
def black_box() -> BlackBoxes:
    """Black box of an architecture, as its library builds it, in eval mode; always the same weights."""

    def make(architecture: str, classes: int = 3) -> nn.Module:
        with torch.device("meta"):  # no time lost on weights that are replaced
            network = family_of(architecture).network(architecture, classes, ArchitectureOptions())
        network.load_state_dict(deepcopy(_state(architecture, classes)), assign=True)
        return network.eval()

    return make
