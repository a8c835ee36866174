from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softcam_core.explainers.cam import GradCAM
from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.explainers.explanation import Explanation
from softcam_core.explainers.targets import Target
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.models.card import ModelCard
from softcam_core.models.receptive_field import ReceptiveField
from softcam_viewer.model.overlay import (
    OVERLAY_SIDE,
    OverlayMap,
    OverlaySettings,
    color_table,
    lookup_table,
    make_overlay_map,
    scale_values,
)
from softcam_viewer.model.probe import probe

FIELD = ReceptiveField((4, 4), (30, 30), (2, 2))


def explanation_of(grid, size=(90, 120), crop=None) -> Explanation:
    grid = np.asarray(grid, dtype=np.float32)
    names = tuple(f"class {i}" for i in range(len(grid)))
    card = ModelCard(name="Test", architecture="compact", class_names=names, task="multi_label")
    logits = grid.mean((1, 2))
    return Explanation(
        about=SoftCAMEvidence.about,
        method="evidence",
        targets=tuple(Target(k) for k in range(len(grid))),
        scale="mean",
        unit="logit",
        card=card,
        logits=logits,
        probabilities=1 / (1 + np.exp(-logits)),
        grid=grid,
        geometry=Geometry.plan(size, 64, crop),
        seconds=0.0,
        device="cpu",
    )


grids = arrays(
    np.float32, st.tuples(st.just(2), st.integers(1, 20), st.integers(1, 20)), elements=st.floats(-9, 9, width=32)
)


@given(grids)
def test_an_index_stands_for_its_value_within_half_a_step(grid):
    overlay = make_overlay_map(explanation_of(grid), 0, None)
    step = overlay.limit * (1 / 127.5 if overlay.signed else 1 / 255)
    shown = scale_values(signed=overlay.signed)[overlay.index] * overlay.limit
    assert np.abs(shown - overlay.values).max() <= step * 0.51 + 1e-6
    assert max(overlay.values.shape) <= OVERLAY_SIDE


def map_of(*, signed: bool) -> OverlayMap:
    """From -2 or 0 to 2."""
    return make_overlay_map(
        explanation_of(np.linspace(-2 if signed else 0, 2, 16).reshape(1, 4, 4).repeat(2, 0)), 0, None
    )


def test_evidence_is_drawn_above_the_offset_which_no_place_has_earned():
    grid = np.random.default_rng(0).normal(size=(2, 5, 5)).astype(np.float32)
    plain = make_overlay_map(explanation_of(grid), 0, 1)
    offset = np.array([3, -2], np.float32)
    explanation = replace(explanation_of(grid + offset[:, None, None]), offset=offset)
    overlay = make_overlay_map(explanation, 0, 1)
    assert np.allclose(overlay.values, plain.values, atol=1e-5)
    assert overlay.offset == 5
    log_odds = explanation.logits[0] - explanation.logits[1]
    assert overlay.offset + overlay.shares.sum() == pytest.approx(log_odds, abs=1e-5)


def test_an_all_negative_map_is_drawn_as_evidence_against():
    grid = -np.ones((2, 4, 4)) * np.arange(1, 5)
    overlay = make_overlay_map(explanation_of(grid), 0, None)
    assert overlay.signed
    table = lookup_table(overlay, OverlaySettings(threshold=0.3))
    assert (table[overlay.index][..., 3] > 0).mean() > 0.5
    blue, red = table[overlay.index][..., 2].astype(int), table[overlay.index][..., 0].astype(int)
    assert (blue >= red).all()


def test_a_map_without_negative_values_gets_a_sequential_scale_from_zero():
    overlay = make_overlay_map(explanation_of(np.abs(np.random.default_rng(0).normal(size=(2, 5, 5)))), 0, None)
    assert not overlay.signed
    table = color_table(OverlaySettings(), signed=False).astype(int).sum(axis=1)
    assert (np.diff(table) >= 0).all()
    assert lookup_table(overlay, OverlaySettings(threshold=0.5))[:127, 3].max() == 0


def test_a_map_of_zeros_is_drawn_without_dividing_by_zero():
    overlay = make_overlay_map(explanation_of(np.zeros((2, 3, 3))), 0, 1)
    assert overlay.limit > 0
    assert (overlay.index == 128).all()


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("name", ["", "blue-orange", "teal-magenta", "amber", "violet-gold", "no such map"])
def test_lookup_tables_have_256_entries_and_hide_what_is_below_the_threshold(signed, name):
    settings = OverlaySettings(threshold=0.4, opacity=0.8, colormap=name)
    table = lookup_table(map_of(signed=signed), settings)
    assert table.shape == (256, 4)
    assert table.dtype == np.uint8
    below = np.abs(scale_values(signed=signed)) < 0.4
    assert (table[below, 3] == 0).all()
    assert (table[~below, 3] > 0).all()
    assert table[:, 3].max() <= 255 * 0.8 + 1


@pytest.mark.parametrize("signed", [True, False])
def test_on_a_shared_scale_equal_numbers_have_equal_colours_and_meet_one_threshold(signed):
    small = map_of(signed=signed)
    large = replace(small, limit=small.limit * 4, scale=small.limit * 4)
    shared = replace(small, scale=large.scale, is_shared=True)
    settings = OverlaySettings(threshold=0.2)
    own, other = lookup_table(large, settings), lookup_table(shared, settings)
    numbers = scale_values(signed=signed)
    for index, number in enumerate(numbers * small.limit):
        nearest = int(np.abs(numbers * large.limit - number).argmin())
        assert np.abs(other[index, :3].astype(int) - own[nearest, :3]).max() <= 4
        assert (other[index, 3] > 0) == (abs(number) >= 0.2 * large.scale)


def test_an_outline_leaves_the_image_unobscured_where_there_are_regions():
    signed = map_of(signed=True)
    assert not lookup_table(signed, OverlaySettings(style="contour"))[:, 3].any()
    assert lookup_table(signed, OverlaySettings(style="fill"))[:, 3].any()
    pixels = replace(signed, is_of_pixels=True)
    assert lookup_table(pixels, OverlaySettings(style="contour"))[:, 3].any()


def test_the_sign_chooses_which_evidence_is_drawn():
    values = scale_values(signed=True)
    for sign, hidden in (("positive", values < 0), ("negative", values > 0)):
        table = lookup_table(map_of(signed=True), OverlaySettings(threshold=0, sign=sign))
        assert (table[hidden, 3] == 0).all()
        assert (table[~hidden, 3] > 0).all()


def image_of(pixels) -> MedicalImage:
    values = pixels.astype(np.float32) * 2 - 1000
    return MedicalImage(Path("a.dcm"), pixels, values, values, Window.from_limits(0, 1), unit="HU")


def test_the_probe_gives_the_value_of_the_map_on_the_image():
    grid = np.random.default_rng(1).normal(size=(2, 6, 8))
    explanation = explanation_of(grid, crop=(40, 60))
    image = image_of(np.arange(90 * 120, dtype=np.uint16).reshape(90, 120))
    on_image = explanation.on_image(0)
    for row, column in ((45, 60), (30, 50), (0, 0), (89, 119), (44, 20)):
        found = probe(image, row + 0.3, column + 0.9, explanation, OverlaySettings(target=0))
        assert (found.x, found.y) == (column, row)
        assert found.stored == str(image.pixels[row, column])
        assert found.value.endswith("HU")
        if np.isnan(on_image[row, column]):
            assert found.evidence is None or np.isnan(found.evidence)
        else:
            assert found.evidence == pytest.approx(on_image[row, column], abs=1e-5)
    assert probe(image, -0.1, 5, explanation, OverlaySettings()) is None
    assert probe(image, 5, 120.0, explanation, OverlaySettings()) is None


def explained_as(explanation, scale, **about):
    return replace(
        explanation,
        scale=scale,
        unit="" if scale == "relative" else "logit",
        about=replace(GradCAM.about, **about),
    )


def test_a_map_that_adds_up_to_the_target_is_told_in_the_unit_of_evidence():
    grid = np.random.default_rng(0).normal(size=(2, 8, 8))
    evidence = explanation_of(grid)
    parts = explained_as(explanation_of(grid / 64), "sum", signed=True)
    overlay, same = make_overlay_map(evidence, 0, None), make_overlay_map(parts, 0, None)
    assert np.allclose(overlay.values, same.values, atol=1e-6)
    assert overlay.unit == same.unit == "logit"
    assert same.shares is None


def test_maps_without_unit_are_told_in_percent_of_their_maximum_and_signed_ones_keep_zero_in_the_middle():
    grid = np.abs(np.random.default_rng(0).normal(size=(2, 8, 8))) * 1e-9  # gradients can be this small
    for signed in (False, True):
        overlay = make_overlay_map(explained_as(explanation_of(grid), "relative", signed=signed), 0, None)
        assert overlay.signed == signed
        assert overlay.unit == "% of max"
        assert overlay.limit * overlay.factor == pytest.approx(100)
        assert overlay.index.max() > 250


def test_what_changes_when_a_place_is_covered_has_a_unit_of_its_own():
    explanation = explained_as(explanation_of(np.ones((2, 4, 4))), "change", signed=True)
    assert make_overlay_map(explanation, 0, None).unit == "Δ logit"


def test_differences_that_are_no_log_odds_are_not_called_so():
    explanation = explanation_of(np.ones((3, 4, 4)))  # several labels at once
    assert make_overlay_map(explanation, 0, 1).unit == "logit difference"
    single = replace(explanation, card=explanation.card.model_copy(update={"task": "single_label"}))
    assert make_overlay_map(single, 0, 1).unit == "log-odds"
    assert make_overlay_map(single, 0, "rest").unit == "logit difference"


def test_maps_of_single_pixels_are_smoothed_and_say_so_and_others_are_left_alone():
    noise = np.random.default_rng(0).normal(size=(2, 200, 160))
    fine = explained_as(explanation_of(noise, size=(200, 160)), "relative", signed=True)
    smoothed, raw = make_overlay_map(fine, 0, None), make_overlay_map(fine, 0, None, smooth=False)
    assert smoothed.smoothed == pytest.approx(200 / 64)
    assert raw.smoothed == 0
    assert (smoothed.has_regions, raw.has_regions) == (True, False)
    assert smoothed.grid.mean() == pytest.approx(raw.grid.mean(), abs=5e-3)
    assert smoothed.grid.std() < 0.3 * raw.grid.std()
    for scale in ("mean", "change"):
        assert make_overlay_map(replace(fine, scale=scale, unit="logit"), 0, None).smoothed == 0
    assert make_overlay_map(explained_as(explanation_of(noise[:, ::8, ::8]), "relative"), 0, None).smoothed == 0


def test_values_that_are_no_numbers_are_left_out_and_the_rest_is_drawn():
    grid = np.ones((2, 4, 4))
    grid[0, 0, 0] = np.nan
    overlay = make_overlay_map(explanation_of(grid), 0, None)
    assert np.isfinite(overlay.values).all()
    assert overlay.limit == 1
    assert "no numbers" in overlay.remark


def test_a_sign_that_was_chosen_for_a_signed_map_does_not_blank_an_unsigned_one():
    table = lookup_table(map_of(signed=False), OverlaySettings(sign="negative", threshold=0.2))
    assert (table[128:, 3] > 0).all()


def test_the_probe_tells_the_number_that_is_drawn():
    noise = np.random.default_rng(0).normal(size=(2, 200, 160))
    explanation = explained_as(explanation_of(noise, size=(200, 160)), "relative", signed=True)
    overlay = make_overlay_map(explanation, 0, None)
    image = image_of(np.zeros((200, 160), np.uint16))
    found = probe(image, 100, 80, explanation, OverlaySettings(target=0), FIELD, overlay)
    drawn = explanation.geometry.at(overlay.grid, 100, 80)
    assert found.evidence == pytest.approx(drawn)
    percent = f"{drawn * overlay.factor:.0f}".replace("-", "−")
    assert found.reading == f"Grad-CAM {percent} % of max"
    assert found.sees is None  # its cells are pixels, not those of the network's features


def test_memory_is_that_of_all_arrays():
    overlay = make_overlay_map(explanation_of(np.random.default_rng(0).normal(size=(2, 5, 5))), 0, 1)
    arrays = [value for field in fields(overlay) if isinstance(value := getattr(overlay, field.name), np.ndarray)]
    assert len(arrays) == 4
    assert overlay.nbytes == sum(array.nbytes for array in arrays)
