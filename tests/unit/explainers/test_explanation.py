from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import softcam_core as sc
from softcam_core.imaging.image import MedicalImage, Window


@pytest.fixture(scope="module")
def image() -> MedicalImage:
    values = np.random.default_rng(0).random((48, 48)).astype(np.float32)
    return MedicalImage(Path("image.png"), values, values, values, Window.from_limits(0, 1))


@pytest.fixture(scope="module")
def explanation(linear_network, image):
    return sc.explain(linear_network, image)


def test_evidence_carries_the_offset_of_the_head(explanation) -> None:
    np.testing.assert_array_equal(explanation.offset, [0.5, -1, 2])
    assert explanation.offset.dtype == np.float32


def test_offsets_follow_the_maps(explanation) -> None:
    assert explanation.offset_of("b") == explanation.offset_of(1) == -1
    assert explanation.offset_of("b", "c") == -3
    assert explanation.offset_of(0, "rest") == 0.5 - (-1 + 2) / 2
    with pytest.raises(IndexError, match="class 3 of 3"):
        explanation.offset_of(3)
    with pytest.raises(KeyError, match="no class 'd'"):
        explanation.offset_of("a", "d")


@pytest.mark.parametrize(("target", "against"), [(0, None), (1, None), (2, 0), (1, "rest")])
def test_what_is_left_of_a_map_without_its_offset_is_what_the_features_say(
    linear_network, image, explanation, target, against
) -> None:
    head = linear_network.head
    weights = head.weight.detach().numpy()[:, :, 0, 0]
    prepared = linear_network.card.preprocessing.apply(image).array.astype(np.float64)
    features = prepared.reshape(3, 12, 4, 12, 4).mean((2, 4))
    maps = np.einsum("kd,dij->kij", weights, features)
    expected = maps[target]
    if against == "rest":
        expected = expected - (maps.sum(0) - maps[target]) / 2
    elif against is not None:
        expected = expected - maps[against]
    found = explanation.map_of(target, against) - explanation.offset_of(target, against)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_other_methods_have_no_offset(linear_network, image) -> None:
    explanation = sc.explain(linear_network, image, "gradcam", [0])
    np.testing.assert_array_equal(explanation.offset, np.zeros(3, dtype=np.float32))
    assert explanation.offset_of(1, 2) == 0


@pytest.mark.parametrize(
    ("task", "scale", "against", "unit"),
    [
        ("single_label", "mean", None, "logit"),
        ("single_label", "mean", 1, "log-odds"),
        ("single_label", "mean", "rest", "logit difference"),
        ("multi_label", "mean", 1, "logit difference"),
        ("single_label", "change", 1, "Δ log-odds"),
        ("single_label", "relative", 1, ""),
    ],
)
def test_the_unit_of_a_map_follows_from_what_it_is_of(explanation, task, scale, against, unit):
    unit_of_scale = "" if scale == "relative" else "logit"
    changed = replace(
        explanation, card=explanation.card.model_copy(update={"task": task}), scale=scale, unit=unit_of_scale
    )
    assert changed.unit_of(0, against) == unit
