"""Deletion and insertion against loops in float64, a closed form and Quantus; what the authors' code does otherwise."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from softcam_core.evaluation.curves import curve_area
from softcam_core.evaluation.perturbation import block_means, deletion_and_insertion, perturbation_curves
from softcam_core.explainers.watch import CancelledError, Watch
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear_model(classes: int = 2, task: str = "multi_label", features: nn.Module | None = None) -> SoftCAM:
    """A float64 SoftCAM whose logits are the means of weighted pixels."""
    names = tuple(f"class {k}" for k in range(classes))
    head = nn.Conv2d(3, classes, 1)
    model = SoftCAM(features or nn.Identity(), head, ModelCard(name="m", architecture="compact", class_names=names,
                                                               task=task))  # fmt: skip
    with torch.no_grad():
        head.weight.copy_(numbers(classes, 3, 1, 1, seed=7))
        head.bias.copy_(numbers(classes, seed=8))
    return model.double().eval().requires_grad_(False)


def evidence(model: SoftCAM, images: Tensor, of: int) -> Tensor:
    return model(images).maps[:, of] - model.head.bias[of]


class Inputs:
    """All inputs that a network was run on."""

    def __init__(self, model: SoftCAM) -> None:
        self.seen: list[bytes] = []
        model.features.register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, args: tuple[Tensor]) -> None:
        self.seen += [image.numpy().tobytes() for image in args[0]]


def slow_means(values: list[list[float]], block: int) -> list[float]:
    height, width = len(values), len(values[0])
    means = []
    for top in range(0, height, block):
        for left in range(0, width, block):
            pixels = [
                values[i][j]
                for i in range(top, min(top + block, height))
                for j in range(left, min(left + block, width))
                if not math.isnan(values[i][j])
            ]
            means.append(sum(pixels) / len(pixels) if pixels else math.nan)
    return means


def slow_curve(model: SoftCAM, image: Tensor, means: list[float], of: int, order: str, block: int, steps: int, fill):
    """One image, one pass after the other; no ties."""
    across = math.ceil(image.shape[2] / block)
    ranked = sorted(range(len(means)), key=lambda b: math.inf if math.isnan(means[b]) else -means[b])
    values = []
    for k in range(min(steps, len(means)) + 1):
        changed = image.clone()
        for b in range(len(means)):
            if (b in ranked[:k]) == (order == "deletion"):
                top, left = b // across * block, b % across * block
                changed[:, top : top + block, left : left + block] = fill[:, None, None]
        logits = model(changed[None]).logits[0]
        values.append(float(model.probabilities(logits)[of]))
    return values


@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    block=st.integers(1, 5),
    steps=st.integers(1, 20),
    order=st.sampled_from(["deletion", "insertion"]),
    task=st.sampled_from(["single_label", "multi_label"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40)
def test_curves_equal_one_pass_after_the_other(size, block, steps, order, task, seed) -> None:
    model = linear_model(3, task)
    images, maps = numbers(2, 3, *size, seed=seed), numbers(2, *size, seed=seed + 1)
    fill, classes = torch.tensor([0.3, -0.2, 0.1]).double(), torch.tensor([2, 0])
    curves = perturbation_curves(model, images, {"a": maps}, classes, order=order, block=block, steps=steps, fill=fill)
    for i in range(2):
        means = slow_means(maps[i].tolist(), block)
        assert block_means(maps, block)[i].flatten().tolist() == pytest.approx(means, rel=1e-12)
        expected = slow_curve(model, images[i], means, int(classes[i]), order, block, steps, fill)
        assert curves.values["a"][i].tolist() == pytest.approx(expected, rel=1e-12)


def test_deletion_of_a_linear_network_has_a_closed_form() -> None:
    """Blanked with 0, the logit falls by the evidence of the blocks that went; its own evidence is the best order."""
    model, images = linear_model(), numbers(2, 3, 12, 12)
    maps = evidence(model, images, 1)
    other = {f"random {n}": numbers(2, 12, 12, seed=n) for n in range(5)}
    curves = perturbation_curves(model, images, {"own": maps} | other, torch.tensor([1, 1]), block=4, steps=9)
    parts = block_means(maps, 4).flatten(1).sort(dim=1, descending=True).values / 9
    left = parts.sum(1, keepdim=True) - torch.cat((torch.zeros(2, 1), parts.cumsum(1)), dim=1)
    expected = (left + model.head.bias[1]).sigmoid()
    torch.testing.assert_close(curves.values["own"], expected, rtol=1e-12, atol=1e-14)
    best = curve_area(curves.values["own"])
    assert all((curve_area(curves.values[name]) > best).all() for name in other)


def test_insertion_is_the_mirror_image() -> None:
    """Where all blocks go, inserting by some evidence ends where deleting by its opposite starts."""
    model, images, maps = linear_model(), numbers(3, 3, 12, 12), numbers(3, 12, 12, seed=1)
    classes = torch.tensor([0, 1, 0])
    deleted = perturbation_curves(model, images, {"a": -maps}, classes, block=4, steps=9)
    inserted = perturbation_curves(model, images, {"a": maps}, classes, order="insertion", block=4, steps=9)
    torch.testing.assert_close(inserted.values["a"].flip(1), deleted.values["a"])


@given(
    blocks=st.integers(2, 4),
    steps=st.integers(1, 20),
    methods=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_no_input_is_run_twice(blocks, steps, methods, seed) -> None:
    model, images = linear_model(), numbers(2, 3, 3 * blocks, 3 * blocks, seed=seed)
    inputs = Inputs(model)
    # Some methods have the same maps, some the same blocks in another order, and all share the image itself.
    kinds = [numbers(2, 3 * blocks, 3 * blocks, seed=kind).double() for kind in range(2)]
    kinds += [3 * kinds[0], -kinds[0]]
    maps = {f"{i}": kinds[kind] for i, kind in enumerate(methods)}
    both = deletion_and_insertion(model, images, maps, torch.tensor([0, 1]), block=3, steps=steps)
    assert len(set(inputs.seen)) == len(inputs.seen) == both["deletion"].passes == both["insertion"].passes
    assert both["deletion"].spent.asked == 2 * 2 * len(methods) * (min(steps, blocks**2) + 1)
    for order, curves in both.items():
        for i, kind in enumerate(methods):
            alone = perturbation_curves(
                model, images, {"a": kinds[kind]}, torch.tensor([0, 1]), order=order, block=3, steps=steps
            )
            torch.testing.assert_close(curves.values[f"{i}"], alone.values["a"], rtol=1e-12, atol=1e-14)


def test_what_methods_have_in_common_is_counted_once() -> None:
    model, images, maps = linear_model(), numbers(2, 3, 12, 12), numbers(2, 12, 12, seed=1)
    curves = perturbation_curves(model, images, {"a": maps, "b": 2 * maps + 1}, torch.tensor([0, 1]), block=4, steps=5)
    assert (curves.spent.asked, curves.passes) == (24, 12)
    assert torch.equal(curves.values["a"], curves.values["b"])
    # All nine blocks: of either image nothing is left, which is one input.
    curves = perturbation_curves(model, images, {"a": maps}, torch.tensor([0, 1]), block=4, steps=99)
    assert (curves.spent.asked, curves.passes) == (20, 19)
    assert 0 < curves.network_seconds < curves.seconds


def test_an_image_has_the_same_curve_in_any_batch() -> None:
    model, images = linear_model(), numbers(3, 3, 12, 12)
    maps, classes = torch.zeros(3, 12, 12), torch.tensor([0, 1, 0])  # all ties
    whole = perturbation_curves(model, images, {"a": maps}, classes, block=3).values["a"]
    for i in range(3):
        alone = perturbation_curves(model, images[i : i + 1], {"a": maps[:1]}, classes[i : i + 1], block=3).values["a"]
        torch.testing.assert_close(alone[0], whole[i], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0])
def test_constant_maps_are_all_ties_and_ties_are_drawn(constant: float) -> None:
    model, images = linear_model(), numbers(2, 3, 12, 12)
    rounding = 1e-7 * numbers(2, 12, 12) * constant
    maps = {"exact": torch.full((2, 12, 12), constant), "nearly": constant + rounding}
    curves = perturbation_curves(model, images, maps, torch.tensor([0, 0]), block=4)
    assert torch.equal(curves.values["exact"], curves.values["nearly"])
    # Not in the order of rows, nor in the same order for both images.
    rows = -torch.arange(144.0).view(12, 12).expand(2, -1, -1)
    assert not torch.allclose(
        curves.values["exact"],
        perturbation_curves(model, images, {"a": rows}, torch.tensor([0, 0]), block=4).values["a"],
    )


def test_ties_favour_no_place() -> None:
    """The expected area of a constant map is that of random maps."""
    model, images = linear_model(1), numbers(400, 3, 4, 4)
    classes = torch.zeros(400, dtype=torch.long)
    maps = {"constant": torch.ones(400, 4, 4), "random": numbers(400, 4, 4, seed=3)}
    curves = perturbation_curves(model, images, maps, classes, block=1, steps=8)
    difference = curve_area(curves.values["constant"]) - curve_area(curves.values["random"])
    assert abs(float(difference.mean())) < 3 * float(difference.std()) / 20


def test_all_negative_maps_keep_their_order_and_no_block_is_first_for_being_small() -> None:
    maps = -torch.ones(1, 7, 7).double()
    maps[0, 2, 2] = -0.5
    means = block_means(maps, 3)
    assert int(means.flatten().argmax()) == 0  # not the 1 x 1 block in the corner, whose sum would be the largest
    assert float(means[0, 2, 2]) == -1


def test_what_was_not_analysed_goes_last() -> None:
    model, images = linear_model(), numbers(1, 3, 6, 6)
    maps = numbers(1, 6, 6, seed=1)
    maps[0, :3] = torch.nan
    maps[0, 3, 0] = torch.nan
    means = block_means(maps, 3)[0]
    assert means[0].isnan().all()
    assert float(means[1, 0]) == pytest.approx(float(maps[0, 3:, :3].nanmean()))
    curve = perturbation_curves(model, images, {"a": maps}, torch.tensor([0]), block=3).values["a"][0]
    images[0, :, 3:] = 0
    expected = model.probabilities(model(images).logits)[0, 0]
    torch.testing.assert_close(curve[2], expected)
    assert curve.isfinite().all()
    nowhere = torch.full((1, 6, 6), torch.nan)
    assert perturbation_curves(model, images, {"a": nowhere}, torch.tensor([0])).values["a"].isfinite().all()


def test_areas_are_those_of_trapezoids() -> None:
    values = torch.tensor([[1.0, 0.0, 0.5], [1.0, 1.0, 1.0]])
    assert curve_area(values).tolist() == [0.375, 1.0]
    assert curve_area(values.double()).tolist() == (np.trapezoid(values.numpy(), axis=1) / 2).tolist()
    with pytest.raises(ValueError, match="two steps"):
        curve_area(values[:, :1])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"maps": {}}, "no maps"),
        ({"maps": {"a": torch.zeros(1, 5, 6)}}, "a has maps of"),
        ({"maps": {"a": torch.full((1, 6, 6), torch.inf)}}, "finite"),
        ({"classes": torch.tensor([0, 1])}, "as many classes"),
        ({"classes": torch.tensor([2])}, "among the model's 2"),
        ({"block": 0}, "at least 1"),
        ({"steps": 0}, "at least 1"),
    ],
)
def test_refuses(changes: dict, reason: str) -> None:
    given = {"maps": {"a": torch.zeros(1, 6, 6)}, "classes": torch.tensor([0])} | changes
    with pytest.raises(ValueError, match=reason):
        perturbation_curves(linear_model(), numbers(1, 3, 6, 6), **given)


def test_cancelled_in_the_middle_the_model_is_as_it_was() -> None:
    model = linear_model(features=nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5)))
    model.train()
    model.features[0].eval()
    model.requires_grad_(True).head.weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    seen: list[float] = []
    watch = Watch(seen.append, lambda: len(seen) > 1)
    images, maps = numbers(2, 3, 600, 600), numbers(2, 600, 600, seed=1)
    with pytest.raises(CancelledError):
        perturbation_curves(model, images, {"a": maps}, torch.tensor([0, 1]), block=100, steps=9, watch=watch)
    assert 0 < max(seen) < 1
    assert [part.training for part in model.modules()] == [True, True, False, True, True, True]
    assert [p.requires_grad for p in model.parameters()] == [True, True, False, True]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def test_progress_goes_from_0_to_1() -> None:
    seen: list[float] = []
    perturbation_curves(
        linear_model(), numbers(1, 3, 6, 6), {"a": numbers(1, 6, 6)}, torch.tensor([0]), watch=Watch(seen.append)
    )
    assert (seen[0], seen[-1], sorted(seen)) == (0, 1, seen)


def test_agrees_with_quantus() -> None:
    """Where its pixel flipping is right: blocks that divide the image and differ in evidence, all of them in turn."""
    from quantus.metrics.faithfulness.pixel_flipping import PixelFlipping

    model, images = linear_model(3, "single_label"), numbers(2, 3, 12, 12)
    maps, classes = numbers(2, 12, 12, seed=1), torch.tensor([2, 0])
    # Pixels of a block go together when they have the block's evidence; it flips each colour as a feature of its own.
    levels = block_means(maps, 4).repeat_interleave(4, 1).repeat_interleave(4, 2)
    metric = PixelFlipping(
        features_in_step=4 * 4 * 3, normalise=False, perturb_func=blanked, disable_warnings=True, return_aggregate=False
    )
    per_channel = levels[:, None].expand(-1, 3, -1, -1).numpy()

    class Logits(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return model(x.double()).logits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = metric(Logits().eval(), images.numpy(), classes.numpy(), per_channel, device="cpu", channel_first=True)
    ours = perturbation_curves(model, images, {"a": maps}, classes, block=4, steps=9).values["a"]
    np.testing.assert_allclose(ours[:, 1:], np.array(found), rtol=1e-6)


def blanked(arr: np.ndarray, indices: np.ndarray, **_: object) -> np.ndarray:
    arr = arr.copy()
    np.put_along_axis(arr, indices, 0.0, axis=1)
    return arr


# --- the authors' code, and what is done here instead


def test_quirk_the_class_first_predicted_is_followed() -> None:
    """Theirs may be of another class: the one that the changed image is taken for, for instance."""
    model, images = linear_model(3, "single_label"), 40 * numbers(4, 3, 12, 12)
    classes = model(images).logits.argmax(1)
    maps = torch.stack([evidence(model, images, int(k))[i] for i, k in enumerate(classes)])
    curves = perturbation_curves(model, images, {"a": maps}, classes, block=4, steps=9).values["a"]
    blank = model.probabilities(model.head.bias)
    changed = classes != int(blank.argmax())
    assert changed.any()
    torch.testing.assert_close(curves[:, -1], blank[classes])
    assert (curves[changed, -1] < blank.max()).all()


def test_quirk_all_blocks_count() -> None:
    """Theirs takes some of the blocks; what the right and the lower border cut are blocks too."""
    model, images = linear_model(1), torch.zeros(1, 3, 10, 10).double()
    images[0, :, 9, 9] = 50
    maps = torch.zeros(1, 10, 10)
    maps[0, 9, 9] = 1
    curve = perturbation_curves(model, images, {"a": maps}, torch.tensor([0]), block=4, steps=99).values["a"][0]
    assert len(curve) == 3 * 3 + 1
    blank = model.probabilities(model.head.bias)
    assert float(curve[0]) != pytest.approx(float(blank), rel=1e-2)
    assert curve[1:].tolist() == pytest.approx([float(blank)] * 9)


@pytest.mark.parametrize("size", [(66, 99), (40, 34), (20, 20)])
def test_quirk_any_size_of_image(size: tuple[int, int]) -> None:
    """Theirs is written for one."""
    model, images = linear_model(), numbers(1, 3, *size)
    curve = perturbation_curves(model, images, {"a": numbers(1, *size)}, torch.tensor([0])).values["a"]
    assert curve.shape == (1, math.ceil(size[0] / 33) * math.ceil(size[1] / 33) + 1)
