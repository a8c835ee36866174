import pytest
import torch
import torchvision.models as tv
from torch import nn
from torchvision.ops import StochasticDepth

from softcam_core.training.dropout import ImageDropout, ImageSeeds, drop_by_image


def layer(extent: str, p: float = 0.4, number: int = 0) -> tuple[ImageDropout, ImageSeeds]:
    seeds = ImageSeeds()
    return ImageDropout(p, extent, seeds, number).train(), seeds


@pytest.mark.parametrize("extent", ["cells", "channels", "all"])
def test_an_image_is_dropped_alike_in_any_batch(extent: str) -> None:
    dropout, seeds = layer(extent)
    x = torch.rand(4, 6, 5, 5) + 1
    seeds.seeds = [11, 12, 13, 14]
    whole = dropout(x)
    for part in (slice(0, 1), slice(1, 4)):
        seeds.seeds = [11, 12, 13, 14][part]
        assert torch.equal(dropout(x[part]), whole[part])


@pytest.mark.parametrize("extent", ["cells", "channels", "all"])
def test_as_much_is_kept_on_average_as_torch_keeps(extent: str) -> None:
    dropout, seeds = layer(extent)
    x = torch.ones(400, 40, 3, 3) if extent != "all" else torch.ones(9000, 2, 1, 1)
    seeds.seeds = range(len(x))
    out = dropout(x)
    torch.testing.assert_close(out.unique(), torch.tensor([0, 1 / 0.6]))
    assert float(out.mean()) == pytest.approx(1, abs=0.04)
    parts = {"cells": (), "channels": (2, 3), "all": (1, 2, 3)}[extent]
    if parts:
        assert torch.equal(out.amax(parts), out.amin(parts))
    assert len(out.flatten(1).unique(dim=0)) > 1


def test_layers_of_one_image_differ() -> None:
    outs = []
    for number in (0, 1):
        dropout, seeds = layer("cells", number=number)
        seeds.seeds = [5]
        outs.append(dropout(torch.ones(1, 100)))
    assert not torch.equal(*outs)


def test_nothing_is_dropped_in_eval_mode_or_without_probability() -> None:
    x = torch.rand(2, 3)
    assert torch.equal(layer("cells")[0].eval()(x), x)
    assert torch.equal(layer("cells", p=0)[0](x), x)


def test_gradients_reach_what_is_kept() -> None:
    dropout, seeds = layer("cells", p=0.5)
    seeds.seeds = [1]
    x = torch.ones(1, 50, requires_grad=True)
    out = dropout(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


@pytest.mark.parametrize(("architecture", "count"), [("squeezenet1_1", 1), ("vgg11", 2), ("convnext_tiny", 18)])
def test_a_networks_dropout_is_replaced_and_nothing_else(architecture: str, count: int) -> None:
    network = tv.get_model(architecture, weights=None).eval()
    x, before, names = torch.rand(1, 3, 64, 64), None, list(network.state_dict())
    with torch.inference_mode():
        before = network(x)
        drop_by_image(network)
        assert torch.equal(network(x), before)
    modules = list(network.modules())
    assert sum(isinstance(m, ImageDropout) for m in modules) == count
    assert not any(isinstance(m, (nn.Dropout, nn.Dropout2d, StochasticDepth)) for m in modules)
    assert list(network.state_dict()) == names
    assert not any(m.training for m in modules)
