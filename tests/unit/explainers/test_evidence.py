from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import softcam_core as sc
from softcam_core.data.phantoms import make_phantom
from softcam_core.errors import SettingsError
from softcam_core.imaging.geometry import Lattice
from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.families import architectures
from softcam_core.models.softcam import SoftCAM

CELL = 8


def image_of(values: np.ndarray) -> MedicalImage:
    values = np.asarray(values, dtype=np.float32)
    return MedicalImage(Path("image.png"), values, values, values, Window.from_limits(0, 1))


def brightness_model(shorter_side: int | None, crop: tuple[int, int] | None) -> SoftCAM:
    """A SoftCAM whose evidence for class 1 is the mean brightness of an 8 x 8 cell."""
    card = ModelCard(
        name="brightness",
        architecture="compact",
        class_names=("dark", "bright"),
        preprocessing=Preprocessing(shorter_side=shorter_side, crop=crop, mean=(0, 0, 0), std=(1, 1, 1)),
    )
    head = nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.weight[1] = 1 / 3
    return SoftCAM(nn.AvgPool2d(CELL, ceil_mode=True), head, card).eval()


sizes = st.tuples(st.integers(40, 200), st.integers(40, 200))


@settings(max_examples=60)
@given(size=sizes, shorter_side=st.none() | st.integers(40, 160), crop=st.none() | st.just((40, 40)), data=st.data())
def test_a_lesion_comes_back_at_its_place(size, shorter_side, crop, data) -> None:
    model = brightness_model(shorter_side, crop)
    geometry = model.card.preprocessing.geometry(image_of(np.zeros(size)))
    # A bright square a cell wide, anywhere in the analysed area.
    top, left, bottom, right = geometry.analysed_box
    sides = [CELL / s for s in geometry.scale]
    row = data.draw(st.floats(top + sides[0] / 2, bottom - sides[0] / 2))
    column = data.draw(st.floats(left + sides[1] / 2, right - sides[1] / 2))
    values = np.full(size, 0.2)
    rows, columns = (slice(max(0, round(c - s / 2)), round(c + s / 2) + 1)
                     for c, s in zip((row, column), sides, strict=True))  # fmt: skip
    values[rows, columns] = 1.0
    explanation = sc.explain(model, image_of(values))
    spread = explanation.on_image("bright")
    peak = np.unravel_index(np.nanargmax(spread), size)
    # The last row and column of cells may be cut by the border and are then wider on the image than they see.
    cells = [n / g for n, g in zip(geometry.input_size, explanation.grid.shape[1:], strict=True)]
    for axis, true in enumerate((row, column)):
        assert abs(peak[axis] + 0.5 - true) <= max(CELL, cells[axis]) / geometry.scale[axis] + 1


@settings(max_examples=25)
@given(
    seed=st.integers(0, 500),
    height=st.integers(120, 360),
    aspect=st.floats(0.95, 1.25),
    shorter_side=st.integers(80, 200),
    is_cropped=st.booleans(),
)
def test_a_phantoms_lesion_comes_back_within_one_cell(seed, height, aspect, shorter_side, is_cropped) -> None:
    size = height, round(height / aspect)
    crop = (round(0.9 * shorter_side),) * 2 if is_cropped else None
    model = brightness_model(shorter_side, crop)
    healthy, ill = (make_phantom(seed, size, lesion=lesion) for lesion in (False, True))
    grids = [sc.explain(model, image_of(phantom.pixels / 4095)).grid[1] for phantom in (healthy, ill)]
    geometry = model.card.preprocessing.geometry(image_of(np.zeros(size)))
    on_image = geometry.on_image(grids[1] - grids[0])
    mask = ill.mask & ~np.isnan(on_image)
    assume(mask.sum() > 0.5 * ill.mask.sum())
    row, column = np.unravel_index(np.nanargmax(on_image), size)
    rows, columns = np.nonzero(mask)
    cell = [CELL / s for s in geometry.scale]
    away = np.maximum(np.abs(rows - row) / cell[0], np.abs(columns - column) / cell[1]).min()
    assert away <= 1


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(2, 150), st.integers(2, 150)),
    shorter_side=st.none() | st.integers(16, 120),
    crop=st.none() | st.tuples(st.integers(1, 16), st.integers(1, 16)),
    seed=st.integers(0, 100),
)
def test_shares_of_all_pixels_add_up_to_the_logit(size, shorter_side, crop, seed) -> None:
    model = brightness_model(shorter_side, crop)
    explanation = sc.explain(model, image_of(np.random.default_rng(seed).random(size)))
    for k in range(2):
        assert explanation.grid[k].mean(dtype=np.float64) == pytest.approx(float(explanation.logits[k]), abs=1e-5)
        assert explanation.shares(k).sum() == pytest.approx(float(explanation.logits[k]), abs=1e-5)
    log_odds = np.log(float(explanation.probabilities[1]) / float(explanation.probabilities[0]))
    assert explanation.shares(1, 0).sum() == pytest.approx(log_odds, abs=1e-4)
    np.testing.assert_array_equal(np.isnan(explanation.on_image(1)), np.isnan(explanation.on_image(0)))


@pytest.mark.parametrize("architecture", [a for a in architectures() if a in ("compact", "resnet18", "squeezenet1_1")])
@pytest.mark.parametrize("size", [(97, 131), (200, 64), (33, 35)])
@pytest.mark.parametrize("crop", [None, (48, 40)])
def test_real_architectures_keep_the_ledger(architecture: str, size, crop) -> None:
    torch.manual_seed(0)
    preprocessing = Preprocessing(shorter_side=60, crop=crop)
    card = ModelCard(name="m", architecture=architecture, class_names=("a", "b", "c"), preprocessing=preprocessing)
    explanation = sc.explain(SoftCAM.from_card(card), image_of(np.random.default_rng(0).random(size)))
    assert explanation.method == "evidence"
    assert np.abs(explanation.grid.mean((1, 2), dtype=np.float64) - explanation.logits).max() <= 1e-5
    np.testing.assert_allclose(explanation.shares("b").sum(), explanation.logits[1], atol=1e-5)
    assert explanation.on_image("a").shape == size
    assert np.isnan(explanation.on_image("a")).any() == (crop is not None)
    assert explanation.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert explanation.predicted == int(explanation.logits.argmax())
    assert explanation.class_names == ("a", "b", "c")


def state_of(model: SoftCAM) -> tuple:
    return (
        {k: v.clone() for k, v in model.state_dict().items()},
        [m.training for m in model.modules()],
        [(p.requires_grad, p.grad is None) for p in model.parameters()],
        [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules()],
    )


def assert_same(before: tuple, after: tuple) -> None:
    assert all(torch.equal(v, after[0][k]) for k, v in before[0].items())
    assert before[1:] == after[1:]


def mixed(model: SoftCAM) -> SoftCAM:
    """Parts in different modes and some frozen, as in fine-tuning."""
    model.train()
    model.features.layer1.eval()
    model.features.stem.requires_grad_(False)
    return model


def test_leaves_the_model_as_it_was(compact_model: SoftCAM, grey_image) -> None:
    model = mixed(compact_model)
    before = state_of(model)
    sc.explain(model, grey_image(np.random.default_rng(0).random((50, 60))))
    assert_same(before, state_of(model))


def test_leaves_the_model_as_it_was_after_an_exception(compact_model: SoftCAM, grey_image) -> None:
    class BrokenError(Exception):
        pass

    def fail(module, args, output) -> None:
        raise BrokenError

    model = mixed(compact_model)
    handle = model.head.register_forward_hook(fail)
    before = state_of(model)
    with pytest.raises(BrokenError):
        sc.explain(model, grey_image(np.zeros((50, 60))))
    assert_same(before, state_of(model))
    handle.remove()


def test_runs_in_eval_mode(grey_image) -> None:
    card = ModelCard(name="m", architecture="squeezenet1_1", class_names=("a", "b"))
    model = SoftCAM.from_card(card).train()
    image = grey_image(np.random.default_rng(0).random((64, 64)))
    np.testing.assert_array_equal(sc.explain(model, image).grid, sc.explain(model, image).grid)


def test_input_too_small_for_the_network(grey_image) -> None:
    card = ModelCard(
        name="m", architecture="squeezenet1_1", class_names=("a", "b"), preprocessing=Preprocessing(shorter_side=None)
    )
    with pytest.raises(SettingsError, match=r"image\.png: an input of 5 x 9 pixels is too small for squeezenet1_1"):
        sc.explain(SoftCAM.from_card(card), grey_image(np.zeros((5, 9))))


def test_errors_of_the_network_itself_are_not_hidden(compact_model: SoftCAM, grey_image) -> None:
    compact_model.head = nn.Conv2d(7, 2, 1)
    compact_model.card = compact_model.card.model_copy(update={"preprocessing": Preprocessing(shorter_side=96)})
    with pytest.raises(RuntimeError, match="channels"):
        sc.explain(compact_model, grey_image(np.zeros((80, 80))))


def test_class_against_class(compact_model: SoftCAM, grey_image) -> None:
    explanation = sc.explain(compact_model, grey_image(np.random.default_rng(0).random((50, 60))))
    np.testing.assert_array_equal(explanation.map_of("spot", "plain"), explanation.grid[1] - explanation.grid[0])
    np.testing.assert_array_equal(explanation.map_of(1), explanation.grid[1])
    with pytest.raises(KeyError, match="plain, spot"):
        explanation.on_image("pneumonia")
    with pytest.raises(IndexError, match="class 2 of 2"):
        explanation.map_of(2)


def test_unknown_method(compact_model: SoftCAM, grey_image) -> None:
    with pytest.raises(sc.SettingsError, match="tea-leaves: is not a method"):
        sc.explain(compact_model, grey_image(np.zeros((50, 50))), method="tea-leaves")


def test_explains_a_real_radiograph(compact_model: SoftCAM, shared_data: Path) -> None:
    image = sc.read_image(shared_data / "dicom" / "RG1_J2KI.dcm")
    explanation = sc.explain(compact_model, image)
    assert explanation.on_image("spot").shape == image.size
    np.testing.assert_allclose(explanation.shares("spot").sum(), explanation.logits[1], atol=1e-5)


def test_evidence_lies_where_the_network_looks(grey_image) -> None:
    """A ResNet's cells look at multiples of 32 pixels, and not at the middle between them."""
    card = ModelCard(
        name="m", architecture="resnet18", class_names=("a", "b"), preprocessing=Preprocessing(shorter_side=96)
    )
    explanation = sc.explain(SoftCAM.from_card(card).eval(), grey_image(np.zeros((192, 192))))
    assert explanation.geometry.lattice == Lattice((0.5, 0.5), (32, 32))
    assert explanation.geometry.cell_at(0, 63, (3, 3)) == (0, 1)
    np.testing.assert_allclose(explanation.shares(0).sum(), explanation.logits[0], atol=1e-5)
    on_image = explanation.on_image(0)
    for i in range(3):
        for j in range(3):
            expected = explanation.grid[0, i, j]
            assert on_image[64 * i, 64 * j] == pytest.approx(expected, abs=0.03 * float(np.ptp(explanation.grid)))
