import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from softcam_core.evaluation.stability import kept_order, noise_stability, shift_stability
from softcam_core.explainers.base import About, Explainer, Maps
from softcam_core.explainers.cam import GradCAM
from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.explainers.floors import RandomMap
from softcam_core.explainers.watch import CancelledError, Watch
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM


class Given(Explainer):
    """A method that gives what a function makes of the images, for each target."""

    about = About(name="given", title="", reference="", family="floor", cost="forward", signed=True, valid="")

    def __new__(cls, make):
        self = object.__new__(cls)
        object.__setattr__(self, "make", make)
        return self

    def __init__(self, make) -> None:
        pass

    def _maps(self, model, images, weights, watch) -> Maps:
        watch.report(0)
        return Maps(torch.stack([self.make(images)] * weights.shape[1], dim=1), "relative")


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def model() -> SoftCAM:
    torch.manual_seed(0)
    return SoftCAM.from_card(ModelCard(name="m", architecture="compact", class_names=("a", "b"))).eval()


def pixel_model() -> SoftCAM:
    card = ModelCard(name="m", architecture="compact", class_names=("a", "b"))
    return SoftCAM(nn.Identity(), nn.Conv2d(3, 2, 1), card).eval()


def test_what_does_not_change_is_stable(model: SoftCAM) -> None:
    images = numbers(2, 3, 48, 48)
    fixed = Given(lambda x: numbers(1, 48, 48, seed=9).expand(len(x), -1, -1))
    assert noise_stability(fixed, model, images, 0).tolist() == pytest.approx([1, 1])
    # What stays although the image moves is not right: the map should move along.
    assert float(shift_stability(fixed, model, images, 0).abs().max()) < 0.1


def test_a_map_that_moves_along_is_stable_to_shifts() -> None:
    brightness = Given(lambda x: x.mean(1))
    assert shift_stability(brightness, pixel_model(), numbers(2, 3, 24, 30), 0).tolist() == pytest.approx([1, 1])
    evidence = shift_stability(SoftCAMEvidence(), pixel_model(), numbers(2, 3, 24, 30), [0, 1], pixels=5)
    assert (evidence > 0.99).all()  # but for the border, beyond which there is no surface to average


def test_a_map_of_the_whole_image_is_not() -> None:
    """The map of each place is that of the place across."""
    mirrored = Given(lambda x: x.mean(1).flip((1, 2)))
    assert shift_stability(mirrored, pixel_model(), numbers(4, 3, 40, 40), 0).abs().max() < 0.2


def test_what_knows_nothing_keeps_nothing(model: SoftCAM) -> None:
    random = Given(lambda x: torch.rand(len(x), 48, 48, generator=torch.Generator().manual_seed(int(x.sum() * 1e4))))
    assert float(noise_stability(random, model, numbers(3, 3, 48, 48), 0).abs().max()) < 0.1


def test_stability_to_noise_equals_its_definition(model: SoftCAM) -> None:
    """Samples seen by the method, one after the other, ranked by scipy."""
    seen: list[Tensor] = []

    def make(images: Tensor) -> Tensor:
        seen.append(images.clone())
        return images[:, 0] ** 2 + images[:, 1]

    images = numbers(2, 3, 20, 20).double()
    found = noise_stability(Given(make), pixel_model().double(), images, 0, noise=0.1, samples=3)
    assert torch.equal(seen[0], images)
    for i in range(2):
        spread = float(images[i].max() - images[i].min())
        assert float((seen[1][i] - images[i]).std()) == pytest.approx(0.1 * spread, rel=0.1)
        before = (images[i, 0] ** 2 + images[i, 1]).flatten()
        each = [spearmanr(before, (x[i, 0] ** 2 + x[i, 1]).flatten()).statistic for x in seen[1:]]
        assert float(found[i]) == pytest.approx(np.mean(each), abs=1e-9)
    assert len({x[0, 0, 0, 0].item() for x in seen}) == 4


def test_more_noise_keeps_less(model: SoftCAM) -> None:
    images = numbers(2, 3, 48, 48)
    little, much = (noise_stability(GradCAM(relu=False), model, images, 1, noise=n) for n in (0.001, 1.0))
    assert (little > 0.9).all()
    assert (much < little).all()


def test_noise_is_that_of_the_seed_and_the_image(model: SoftCAM) -> None:
    images = numbers(3, 3, 48, 48)
    first = noise_stability(SoftCAMEvidence(), model, images, 0)
    assert torch.equal(noise_stability(SoftCAMEvidence(), model, images, 0), first)
    torch.testing.assert_close(noise_stability(SoftCAMEvidence(), model, images[2:], 0)[0], first[2], rtol=0, atol=1e-3)
    assert not torch.equal(noise_stability(SoftCAMEvidence(), model, images, 0, seed=1), first)


def test_constant_maps() -> None:
    ordered, constant = torch.arange(9.0).view(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
    assert kept_order(ordered, constant).tolist() == [0]
    assert kept_order(constant, ordered).isnan().all()
    assert kept_order(constant, constant).isnan().all()
    assert kept_order(-ordered - 5, -ordered - 7).tolist() == pytest.approx([1])
    two = torch.cat((ordered, ordered), dim=1)
    assert kept_order(two, torch.cat((ordered, -ordered), dim=1)).tolist() == pytest.approx([0])


def test_works_on_a_random_map(model: SoftCAM) -> None:
    """The floor is the same whatever the image is."""
    assert noise_stability(RandomMap(), model, numbers(2, 3, 48, 48), 0).isfinite().all()


@pytest.mark.parametrize("measure", [noise_stability, shift_stability])
def test_cancelled_in_the_middle_the_model_is_as_it_was(measure, model: SoftCAM) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    seen: list[float] = []
    with pytest.raises(CancelledError):
        measure(GradCAM(), model, numbers(1, 3, 48, 48), 0, watch=Watch(seen.append, lambda: len(seen) > 3))
    assert 0 < max(seen) < 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(part._forward_hooks for part in model.modules())


@pytest.mark.parametrize(
    ("measure", "options"),
    [
        (noise_stability, {"noise": 0.0}),
        (noise_stability, {"samples": 0}),
        (shift_stability, {"pixels": 0}),
        (shift_stability, {"pixels": 48}),
    ],
)
def test_refuses(measure, options: dict, model: SoftCAM) -> None:
    with pytest.raises(ValueError, match="must be"):
        measure(GradCAM(), model, numbers(1, 3, 48, 50), 0, **options)
