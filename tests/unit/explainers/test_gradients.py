import numpy as np
import pytest
import torch
from captum.attr import InputXGradient
from torch import nn

from softcam_core.explainers.gradients import GradientTimesInput
from softcam_core.explainers.targets import Target, contrasts
from softcam_core.models.softcam import SoftCAM

TARGETS = [Target(0), Target(2, 1), Target(1, "rest")]


@pytest.mark.parametrize("architecture", ["resnet18", "squeezenet1_1"])
def test_equals_captum(architecture: str, make_network, make_images, as_captum) -> None:
    model, images = make_network(architecture).double(), make_images()
    maps = GradientTimesInput()(model, images, TARGETS).values
    oracle = InputXGradient(as_captum(model, contrasts(TARGETS, 1, model.card)[0]))
    assert maps.dtype == torch.float64
    for t in range(len(TARGETS)):
        expected = oracle.attribute(images.clone().requires_grad_(), target=t).detach().sum(1)
        torch.testing.assert_close(maps[:, t], expected, rtol=0, atol=1e-9 * expected.abs().max().item())
        assert (maps[:, t] < 0).any()


def test_is_the_slope_of_the_target_when_a_channel_is_scaled(make_network, make_images) -> None:
    model, images = make_network("compact").double(), make_images(1)
    maps = GradientTimesInput()(model, images, [1]).values[0, 0]
    step = 1e-6
    for i, j in np.random.default_rng(0).integers(0, 48, (6, 2)):
        ends = []
        for factor in (1 - step, 1 + step):
            changed = images.clone()
            changed[0, :, i, j] *= factor
            with torch.no_grad():
                ends.append(model.logits(changed)[0, 1].item())
        assert maps[i, j].item() == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-4, abs=1e-9)


def test_adds_up_to_the_logit_of_relus_without_biases(make_network, make_images) -> None:
    layers = [nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.Conv2d(6, 6, 3, bias=False), nn.ReLU()]
    head = nn.Conv2d(6, 3, 1, bias=False)
    model = SoftCAM(nn.Sequential(*layers), head, make_network("compact").card).double().eval()
    images = make_images()
    maps = GradientTimesInput()(model, images)
    torch.testing.assert_close(maps.values.sum((2, 3)), model.logits(images).detach())
    assert maps.lattice is None
    assert maps.scale == "relative"


def test_one_forward_pass_serves_all_targets(make_network, make_images) -> None:
    model, inputs = make_network("compact"), []
    model.features.register_forward_hook(lambda module, args, output: inputs.append(len(args[0])))
    GradientTimesInput()(model, make_images())
    assert inputs == [2]


def test_images_are_explained_some_at_a_time(make_network, make_images, monkeypatch) -> None:
    model, images = make_network("compact").double(), make_images(3)
    together = GradientTimesInput()(model, images).values
    monkeypatch.setattr("softcam_core.explainers.gradients.backward_pixels", lambda device: 2 * 48 * 48)
    inputs = []
    model.features.register_forward_hook(lambda module, args, output: inputs.append(len(args[0])))
    torch.testing.assert_close(GradientTimesInput()(model, images).values, together)
    assert inputs == [2, 1]
