"""Change: the difference of two models' evidence is the difference of their predictions, place by place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax

import softcam_core as sc
from softcam_core.errors import SettingsError
from softcam_core.explainers.change import change_between
from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.ledger.regions import make_ledger
from softcam_core.ledger.what_if import without
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM


def network(seed: int, *, names: tuple[str, ...] = ("no", "yes"), side: int = 48) -> SoftCAM:
    torch.manual_seed(seed)
    preprocessing = Preprocessing(shorter_side=side, crop=(48, 48))
    card = ModelCard(name=f"Model {seed}", architecture="compact", class_names=names, preprocessing=preprocessing)
    model = SoftCAM.from_card(card).eval()
    torch.nn.init.normal_(next(module for module in model.head.modules() if hasattr(module, "bias")).bias)
    return model


@pytest.fixture(scope="module")
def image() -> MedicalImage:
    values = np.random.default_rng(3).random((60, 70)).astype(np.float32)
    return MedicalImage(Path("image.png"), values, values, values, Window.from_limits(0, 1))


@pytest.fixture(scope="module")
def pair(image):
    return sc.explain(network(1), image), sc.explain(network(2), image)


def test_the_mean_of_the_change_is_the_change_of_the_prediction(pair):
    before, after = pair
    change = change_between(before, after)
    exact = after.logits.astype(np.float64) - before.logits
    np.testing.assert_allclose(change.grid.mean((1, 2)), exact, atol=1e-5)
    np.testing.assert_allclose(change.logits, exact, atol=1e-6)
    np.testing.assert_array_equal(change.probabilities, after.probabilities)


@pytest.mark.parametrize("against", [None, 0])
def test_the_ledger_of_a_change_adds_up_to_the_change(pair, against):
    before, after = pair
    change = change_between(before, after)
    offset = change.offset_of(1, against)
    earned = change.map_of(1, against).astype(np.float64) - offset
    geometry = change.geometry
    ledger = make_ledger(geometry.on_image(earned.astype(np.float32)), geometry.shares(earned), 0.01, offset=offset)
    assert ledger.regions
    exact = after.logits.astype(np.float64) - before.logits
    assert ledger.total == pytest.approx(exact[1] - (exact[0] if against == 0 else 0), abs=1e-5)


def test_without_the_change_in_half_of_the_image_that_half_speaks_as_it_did_before(pair):
    before, after = pair
    change = change_between(before, after)
    half = np.zeros(change.geometry.image_size, dtype=np.float32)
    half[:, : half.shape[1] // 2] = 1
    shares = np.stack([before.shares(k) - after.shares(k) for k in range(2)]).astype(np.float64)
    # Offsets stay as they are after: they are owed to no place.
    drift = (change.offset.astype(np.float64)) * float((half * (change.geometry.shares(np.ones((12, 12))))).sum())
    expected = after.logits + (shares * half).sum((1, 2)) + drift
    found = without(change, half)
    np.testing.assert_allclose(found.logits, expected, atol=1e-5)
    np.testing.assert_allclose(found.probabilities, softmax(expected), atol=1e-5)


def test_without_any_of_the_change_the_model_speaks_as_before_but_for_its_offset(pair):
    before, after = pair
    change = change_between(before, after)
    everything = np.ones(change.geometry.image_size, dtype=np.float32)
    expected = before.logits.astype(np.float64) + change.offset
    np.testing.assert_allclose(without(change, everything).logits, expected, atol=1e-5)
    np.testing.assert_allclose(without(change, 0 * everything).logits, after.logits, atol=1e-5)


def test_a_model_does_not_differ_from_itself(pair):
    before, _ = pair
    change = change_between(before, before)
    assert not change.grid.any()
    assert not change.logits.any()


def test_numbers_are_told_as_a_change_and_the_class_is_that_of_the_later_model(pair):
    change = change_between(*pair)
    assert change.unit_of(1, 0) == "Δ log-odds"
    assert change.unit_of(1) == "Δ logit"
    assert change.default_view() == (1, 0)
    assert change.is_evidence
    assert change.notes == ("Model 2 less Model 1.",)


def test_models_of_other_classes_are_refused(image, pair):
    other = sc.explain(network(3, names=("no", "maybe", "yes")), image)
    with pytest.raises(SettingsError, match=r"Model 2: .*different questions: Model 3 \(no, maybe, yes\) and Model 2"):
        change_between(other, pair[1])


def test_models_of_another_task_are_refused(pair):
    before, after = pair
    multi = replace(before, card=before.card.model_copy(update={"task": "multi_label"}))
    with pytest.raises(SettingsError, match="different questions"):
        change_between(multi, after)


def test_models_that_see_another_section_of_the_image_are_refused(image, pair):
    other = sc.explain(network(3, side=56), image)
    with pytest.raises(SettingsError, match="different sections or cells"):
        change_between(other, pair[1])


def test_explanations_of_different_images_are_refused(image, pair):
    cut = image.pixels[:, :50]
    tall = replace(image, pixels=cut, values=cut, presentation=cut)
    with pytest.raises(SettingsError, match="of different images"):
        change_between(sc.explain(network(1), tall), pair[1])


def test_maps_of_other_methods_are_refused(image, pair):
    cam = sc.explain(network(1), image, "gradcam", [1])
    with pytest.raises(SettingsError, match="Model 1: is no evidence"):
        change_between(cam, pair[1])
