import pytest
import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients

from softcam_core.explainers.base import CONSERVATION_LIMIT
from softcam_core.explainers.integrated_gradients import IntegratedGradients
from softcam_core.explainers.targets import Target, contrasts

TARGETS = [Target(1), Target(0, 2)]


def black(model) -> torch.Tensor:
    preprocessing = model.card.preprocessing
    levels = [-mean / std for mean, std in zip(preprocessing.mean, preprocessing.std, strict=True)]
    return torch.tensor(levels, dtype=torch.float64)[None, :, None, None]


@pytest.mark.parametrize("baseline", ["black", "mean"])
@pytest.mark.parametrize("architecture", ["compact", "squeezenet1_1"])
def test_equals_captum(architecture: str, baseline: str, make_network, make_images, as_captum) -> None:
    model, images = make_network(architecture).double(), make_images()
    maps = IntegratedGradients(steps=5, baseline=baseline)(model, images, TARGETS).values
    oracle = CaptumIntegratedGradients(as_captum(model, contrasts(TARGETS, 1, model.card)[0]))
    start = black(model).expand_as(images) if baseline == "black" else torch.zeros_like(images)
    for t in range(len(TARGETS)):
        expected = oracle.attribute(images, baselines=start, target=t, n_steps=5, method="gausslegendre").sum(1)
        # captum's steps have float32 weights.
        torch.testing.assert_close(maps[:, t], expected.detach(), rtol=1e-6, atol=1e-7 * expected.abs().max().item())


def test_completeness_gets_better_with_steps_and_what_lacks_is_the_error(make_network, make_images) -> None:
    model, images = make_network("compact").double(), make_images(1)
    change = (model.logits(images) - model.logits(black(model).expand(1, 3, 48, 48))).detach()
    worst = []
    for steps in (1, 8, 64):
        maps = IntegratedGradients(steps=steps)(model, images)
        expected = (maps.values.sum((2, 3)) - change).abs() / change.abs()
        torch.testing.assert_close(maps.errors, expected)
        worst.append(expected.max().item())
    assert worst[0] > worst[1] > worst[2]
    assert worst[2] < 0.01


def test_a_map_that_does_not_add_up_carries_a_warning(make_network, make_images) -> None:
    maps = IntegratedGradients(steps=1)(make_network("compact"), make_images())
    wrong = maps.errors > CONSERVATION_LIMIT
    assert wrong.any()
    for image in range(2):
        for target in range(3):
            assert bool(maps.warning(image, target)) == bool(wrong[image, target])


@pytest.mark.parametrize("baseline", ["black", "mean"])
def test_one_step_is_exact_for_a_linear_network(baseline: str, linear_network, make_images) -> None:
    images = make_images()
    maps = IntegratedGradients(steps=1, baseline=baseline)(linear_network, images)
    assert maps.errors.max() < 1e-12
    start = black(linear_network) if baseline == "black" else torch.zeros(1, 3, 1, 1).double()
    weight = linear_network.head.weight.detach()[:, :, 0, 0]
    expected = torch.einsum("kc,bcij->bkij", weight, images - start) / (48 * 48)
    torch.testing.assert_close(maps.values, expected)
    assert (maps.scale, maps.unit, maps.lattice) == ("sum", "logit", None)


def test_the_baseline_itself_has_nothing_to_explain(make_network) -> None:
    model = make_network("compact")
    for baseline, images in (("black", black(model).expand(1, 3, 48, 48)), ("mean", torch.zeros(1, 3, 48, 48))):
        maps = IntegratedGradients(steps=2, baseline=baseline)(model, images)
        assert not maps.values.any()
        assert not maps.errors.any()


def test_steps_are_taken_some_at_a_time_for_all_targets(make_network, make_images, monkeypatch) -> None:
    model, images = make_network("compact").double(), make_images()
    explainer = IntegratedGradients(steps=5)
    together = explainer(model, images).values
    monkeypatch.setattr("softcam_core.explainers.integrated_gradients.backward_pixels", lambda device: 2 * 48 * 48)
    inputs = []
    model.features.register_forward_hook(lambda module, args, output: inputs.append(len(args[0])))
    torch.testing.assert_close(explainer(model, images).values, together)
    assert inputs == [2, 2, 1, 2] * 2  # the last two: the image and its baseline
