from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.explainers.explanation import Explanation
from softcam_core.explainers.targets import Target
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.models.card import ModelCard
from softcam_viewer.model.overlay import (
    OVERLAY_SIDE,
    OverlaySettings,
    color_table,
    ledger,
    lookup_table,
    make_overlay_map,
    scale_values,
)
from softcam_viewer.model.probe import probe


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


@given(grids, st.floats(0, 1), st.booleans())
@example(np.zeros((2, 1, 1), np.float32), 3.6e-140, False)
def test_the_ledger_adds_up_to_the_logit_or_the_log_odds_at_any_threshold(grid, threshold, against):
    explanation = explanation_of(grid)
    overlay = make_overlay_map(explanation, 0, 1 if against else None)
    lines = ledger(overlay, threshold)
    expected = explanation.logits[0] - (explanation.logits[1] if against else 0)
    assert sum(line.contribution for line in lines) == pytest.approx(expected, abs=1e-5)
    assert sum(line.area for line in lines) == pytest.approx(1)
    assert lines[0].contribution >= 0 >= lines[1].contribution


@given(grids)
def test_an_index_stands_for_its_value_within_half_a_step(grid):
    overlay = make_overlay_map(explanation_of(grid), 0, None)
    step = overlay.limit * (1 / 127.5 if overlay.signed else 1 / 255)
    shown = scale_values(signed=overlay.signed)[overlay.index] * overlay.limit
    assert np.abs(shown - overlay.values).max() <= step * 0.51 + 1e-6
    assert max(overlay.values.shape) <= OVERLAY_SIDE


def test_an_all_negative_map_is_drawn_as_evidence_against():
    grid = -np.ones((2, 4, 4)) * np.arange(1, 5)
    overlay = make_overlay_map(explanation_of(grid), 0, None)
    assert overlay.signed
    table = lookup_table(OverlaySettings(threshold=0.3), signed=True)
    assert (table[overlay.index][..., 3] > 0).mean() > 0.5
    blue, red = table[overlay.index][..., 2].astype(int), table[overlay.index][..., 0].astype(int)
    assert (blue >= red).all()


def test_a_map_without_negative_values_gets_a_sequential_scale_from_zero():
    overlay = make_overlay_map(explanation_of(np.abs(np.random.default_rng(0).normal(size=(2, 5, 5)))), 0, None)
    assert not overlay.signed
    table = color_table(OverlaySettings(), signed=False).astype(int).sum(axis=1)
    assert (np.diff(table) >= 0).all()
    assert lookup_table(OverlaySettings(threshold=0.5), signed=False)[:127, 3].max() == 0


def test_a_map_of_zeros_is_drawn_without_dividing_by_zero():
    overlay = make_overlay_map(explanation_of(np.zeros((2, 3, 3))), 0, 1)
    assert overlay.limit > 0
    assert (overlay.index == 128).all()
    assert ledger(overlay, 0.2)[2].area == 1


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("name", ["", "blue-orange", "teal-magenta", "amber", "violet-gold", "no such map"])
def test_lookup_tables_have_256_entries_and_hide_what_is_below_the_threshold(signed, name):
    settings = OverlaySettings(threshold=0.4, opacity=0.8, colormap=name)
    table = lookup_table(settings, signed=signed)
    assert table.shape == (256, 4)
    assert table.dtype == np.uint8
    below = np.abs(scale_values(signed=signed)) < 0.4
    assert (table[below, 3] == 0).all()
    assert (table[~below, 3] > 0).all()
    assert table[:, 3].max() <= 255 * 0.8 + 1


def test_the_sign_chooses_which_evidence_is_drawn():
    values = scale_values(signed=True)
    for sign, hidden in (("positive", values < 0), ("negative", values > 0)):
        table = lookup_table(OverlaySettings(threshold=0, sign=sign), signed=True)
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
