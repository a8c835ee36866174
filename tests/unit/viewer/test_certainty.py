from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.evaluation.localization import relevance_mass
from softcam_core.explainers.methods import explain
from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.models.checkpoint import load_model
from softcam_viewer.model.certainty import border_share, uncertainty


@given(st.lists(st.floats(0, 1), min_size=2, max_size=14))
def test_uncertainty_is_entropy_as_a_share_of_the_largest(weights):
    p = np.array(weights) + 1e-3
    p /= p.sum()
    expected = scipy.stats.entropy(p) / np.log(len(p))
    assert uncertainty(list(p), is_exclusive=True) == pytest.approx(expected, abs=1e-9)
    single = [scipy.stats.entropy([q, 1 - q], base=2) for q in p]
    assert uncertainty(list(p), is_exclusive=False) == pytest.approx(np.mean(single), abs=1e-9)


def test_certain_and_single_predictions_have_no_uncertainty():
    assert uncertainty([1.0, 0.0], is_exclusive=True) == 0
    assert uncertainty([1.0], is_exclusive=True) == 0
    assert uncertainty([0.5, 0.5], is_exclusive=True) == pytest.approx(1)


def image_of(pixels: np.ndarray) -> MedicalImage:
    values = pixels.astype(np.float32)
    return MedicalImage(Path("film.png"), pixels, values, values, Window.from_limits(0, 255))


@pytest.fixture(scope="module")
def model(signed_model_file):
    return load_model(signed_model_file, torch.device("cpu"))


@pytest.mark.parametrize("size", [(96, 80), (1300, 1200)])
def test_the_border_has_the_share_that_the_study_of_radiographs_measures(model, size):
    pixels = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
    pixels[: size[0] // 6] //= 4
    explanation = explain(model, image_of(pixels))
    rim = np.ones(size, dtype=bool)
    rim[tuple(slice(side // 8, side - side // 8) for side in size)] = False
    on_image = torch.from_numpy(explanation.on_image(1, against=0))[None]
    expected = float(relevance_mass(on_image, torch.from_numpy(rim)[None]))
    # Shares and averages of pixels differ at the edges of the image, where cells reach beyond it.
    assert border_share(explanation) == pytest.approx(expected, abs=0.02)
    shares = np.maximum(explanation.shares(1, against=0), 0)
    assert border_share(explanation) == pytest.approx(shares[rim].sum() / shares.sum(), abs=2e-3)


def test_an_image_without_positive_evidence_has_no_share(model, monkeypatch):
    explanation = explain(model, image_of(np.full((64, 64), 100, np.uint8)))
    explanation.grid[1] = explanation.grid[0] - 1
    assert border_share(explanation) is None
