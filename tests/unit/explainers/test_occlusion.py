import numpy as np
import pytest
import torch
from captum.attr import Occlusion as CaptumOcclusion
from hypothesis import given, settings
from hypothesis import strategies as st

from softcam_core.errors import SettingsError
from softcam_core.explainers.occlusion import Occlusion
from softcam_core.explainers.targets import Target, contrasts

TARGETS = [Target(1), Target(0, 2), Target(2, "rest")]


def fill_of(model, fill: str) -> torch.Tensor:
    if fill == "mean":
        return torch.zeros(3, 1, 1, dtype=torch.float64)
    preprocessing = model.card.preprocessing
    levels = [-mean / std for mean, std in zip(preprocessing.mean, preprocessing.std, strict=True)]
    return torch.tensor(levels, dtype=torch.float64)[:, None, None]


def slow_occlusion(model, image: torch.Tensor, of: int, patch: int, stride: int, fill: torch.Tensor) -> np.ndarray:
    """Patch by patch and pixel by pixel."""
    _, height, width = image.shape
    tops, lefts = [], []
    for size, starts in ((height, tops), (width, lefts)):
        start = 0
        while start + patch < size:
            starts.append(start)
            start += stride
        starts.append(size - patch)
    changes: list[list[list[float]]] = [[[] for _ in range(width)] for _ in range(height)]
    with torch.no_grad():
        whole = model.logits(image[None])[0, of].item()
        for top in tops:
            for left in lefts:
                covered = image.clone()
                covered[:, top : top + patch, left : left + patch] = fill
                change = whole - model.logits(covered[None])[0, of].item()
                for i in range(top, top + patch):
                    for j in range(left, left + patch):
                        changes[i][j].append(change)
    return np.array([[np.mean(cell) for cell in row] for row in changes])


@pytest.mark.parametrize("fill", ["mean", "black"])
@pytest.mark.parametrize(("patch", "stride"), [(16, 8), (16, 16), (12, 6)])
def test_equals_captum_where_strides_divide(patch, stride, fill, make_network, make_images, as_captum) -> None:
    model, images = make_network("squeezenet1_1").double(), make_images()
    maps = Occlusion(patch=patch, stride=stride, fill=fill)(model, images, TARGETS)
    oracle = CaptumOcclusion(as_captum(model, contrasts(TARGETS, 1, model.card)[0]))
    baselines = fill_of(model, fill).expand(1, 3, 48, 48)
    with torch.no_grad():
        for t in range(len(TARGETS)):
            expected = oracle.attribute(
                images, (3, patch, patch), (3, stride, stride), baselines, target=t, perturbations_per_eval=16
            )
            # captum gives float32.
            torch.testing.assert_close(maps.values[:, t].float(), expected[:, 0], rtol=1e-5, atol=1e-7)
    assert (maps.scale, maps.unit, maps.lattice) == ("change", "logit", None)


@settings(max_examples=12)
@given(
    height=st.integers(12, 22),
    width=st.integers(12, 22),
    patch=st.integers(1, 12),
    data=st.data(),
    fill=st.sampled_from(["mean", "black"]),
)
def test_equals_a_slow_version_of_any_size(height, width, patch, data, fill, linear_network, make_images) -> None:
    stride = data.draw(st.integers(max(1, patch // 2), patch))
    images = make_images(2, height, width)
    maps = Occlusion(patch=patch, stride=stride, fill=fill)(linear_network, images, [2]).values
    for b in range(2):
        expected = slow_occlusion(linear_network, images[b], 2, patch, stride, fill_of(linear_network, fill))
        np.testing.assert_allclose(maps[b, 0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("fill", ["mean", "black"])
def test_covering_a_constant_image_with_itself_changes_nothing(fill: str, make_network) -> None:
    model = make_network("compact").double()
    images = fill_of(model, fill).expand(1, 3, 48, 50)
    explainer = Occlusion(patch=16, stride=8, fill=fill)
    # Other inputs of a pass may round another way.
    assert explainer(model, images).values.abs().max() < 1e-12
    assert Occlusion(patch=16, stride=8, fill={"mean": "black", "black": "mean"}[fill])(model, images).values.any()


def test_one_set_of_passes_serves_all_targets_and_takes_some_at_a_time(make_network, make_images, monkeypatch) -> None:
    model, images = make_network("compact").double(), make_images()
    explainer = Occlusion(patch=16, stride=16)
    together = explainer(model, images, [1]).values
    monkeypatch.setattr("softcam_core.explainers.occlusion.forward_pixels", lambda device: 4 * 48 * 48)
    inputs = []
    model.features.register_forward_hook(lambda module, args, output: inputs.append(len(args[0])))
    torch.testing.assert_close(explainer(model, images).values[:, [1]], together)
    assert inputs == [4, 4, 2] * 2


def test_patches_that_leave_gaps_are_refused() -> None:
    with pytest.raises(SettingsError, match="occlusion:stride: 9 pixels are more than the patch's 8"):
        Occlusion(patch=8, stride=9)


def test_a_patch_larger_than_the_input_is_refused(linear_network, make_images) -> None:
    with pytest.raises(SettingsError, match="a patch of 41 pixels does not fit into an input of 40 x 60"):
        Occlusion(patch=41)(linear_network, make_images(1, 40, 60))
    whole = Occlusion(patch=40, stride=40)(linear_network, make_images(1, 40, 60)).values
    assert torch.isfinite(whole).all()
