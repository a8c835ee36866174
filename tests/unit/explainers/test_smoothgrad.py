import numpy as np
import pytest
import torch
from captum.attr import Saliency

from softcam_core.explainers.smoothgrad import SmoothGrad, standard_noise
from softcam_core.explainers.targets import Target, contrasts

TARGETS = [Target(1), Target(0, 2)]


@pytest.mark.parametrize("absolute", [False, True])
def test_equals_the_mean_of_captums_gradients_of_the_same_noisy_images(
    absolute: bool, make_network, make_images, as_captum
) -> None:
    model, images = make_network("squeezenet1_1").double(), make_images()
    maps = SmoothGrad(samples=3, noise=0.2, seed=7, absolute=absolute)(model, images, TARGETS).values
    oracle = Saliency(as_captum(model, contrasts(TARGETS, 1, model.card)[0]))
    for b, image in enumerate(images):
        sigma = 0.2 * (image.max() - image.min())
        for t in range(len(TARGETS)):
            gradients = []
            for sample in range(3):
                noise = np.random.default_rng((7, sample)).standard_normal(image.shape, dtype=np.float32)
                noisy = (image + sigma * torch.from_numpy(noise))[None].requires_grad_()
                gradients.append(oracle.attribute(noisy, target=t, abs=False)[0])
            mean = torch.stack(gradients).mean(0)
            expected = (mean.abs() if absolute else mean).sum(0).detach()
            torch.testing.assert_close(maps[b, t], expected, rtol=0, atol=1e-9 * expected.abs().max().item())


def test_the_noise_has_the_asked_size_and_is_of_its_own() -> None:
    seeds = [(seed, sample) for seed in range(2) for sample in range(20)]
    samples = torch.stack([standard_noise(seed, torch.Size((3, 16, 16))) for seed in seeds])
    assert samples.mean().item() == pytest.approx(0, abs=0.02)
    assert samples.std().item() == pytest.approx(1, abs=0.02)
    between = np.corrcoef(samples.flatten(1).numpy()) - np.eye(40)
    assert np.abs(between).max() < 0.2


@pytest.mark.parametrize("image", ["any", "constant"])
def test_without_noise_it_is_the_gradient(image: str, make_network, make_images) -> None:
    model = make_network("compact").double()
    images = make_images() if image == "any" else torch.full((2, 3, 48, 48), 0.3).double()
    noise = 0.0 if image == "any" else 0.5  # a share of a range of nothing
    leaf = images.clone().requires_grad_()
    model.logits(leaf)[:, 2].sum().backward()
    maps = SmoothGrad(samples=2, noise=noise)(model, images, [2]).values
    expected = leaf.grad.sum(1)
    torch.testing.assert_close(maps[:, 0], expected, rtol=0, atol=1e-9 * expected.abs().max().item())


def test_the_global_generator_neither_gives_the_noise_nor_is_it_used_up(make_network, make_images) -> None:
    model, images = make_network("compact"), make_images()
    explainer = SmoothGrad(samples=2)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = explainer(model, images).values
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(explainer(model, images).values, first)
    assert not torch.allclose(SmoothGrad(samples=2, seed=1)(model, images).values, first)


def test_samples_are_taken_some_at_a_time(make_network, make_images, monkeypatch) -> None:
    model, images = make_network("compact").double(), make_images()
    together = SmoothGrad(samples=3)(model, images).values
    monkeypatch.setattr("softcam_core.explainers.smoothgrad.backward_pixels", lambda device: 2 * 48 * 48)
    inputs = []
    model.features.register_forward_hook(lambda module, args, output: inputs.append(len(args[0])))
    torch.testing.assert_close(SmoothGrad(samples=3)(model, images).values, together)
    assert inputs == [2, 1] * 2
