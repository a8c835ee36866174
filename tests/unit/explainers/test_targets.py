import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.errors import SettingsError
from softcam_core.explainers.base import contrasted
from softcam_core.explainers.targets import Target, contrasts, default_target
from softcam_core.models.card import ModelCard

CARD = ModelCard(name="m", architecture="compact", class_names=("cat", "dog", "cow"))
PAIR = CARD.model_copy(update={"class_names": ("plain", "spot")})
ALONE = CARD.model_copy(update={"class_names": ("spot",), "task": "multi_label"})


def test_every_class_by_itself_where_nothing_is_asked() -> None:
    weights = contrasts(None, 2, CARD)
    assert weights.dtype == torch.float64
    assert torch.equal(weights, torch.eye(3, dtype=torch.float64).expand(2, 3, 3))


@pytest.mark.parametrize("targets", [1, Target(1), [1], [Target(1)], [[1], [Target(1)]], ((1,), (1,))])
def test_one_target_is_for_all_images(targets) -> None:
    assert contrasts(targets, 2, CARD).tolist() == [[[0, 1, 0]], [[0, 1, 0]]]


def test_images_may_have_targets_of_their_own() -> None:
    weights = contrasts([[0, Target(2, 1)], [Target(1, "rest"), 2]], 2, CARD)
    assert weights.tolist() == [[[1, 0, 0], [0, -1, 1]], [[-0.5, 1, -0.5], [0, 0, 1]]]


@given(of=st.integers(0, 2), logits=st.lists(st.floats(-50, 50), min_size=3, max_size=3))
def test_the_rest_is_the_mean_of_the_others(of: int, logits: list[float]) -> None:
    others = [logit for k, logit in enumerate(logits) if k != of]
    scores = torch.tensor([logits], dtype=torch.float64)
    (found,) = contrasted(scores, contrasts(Target(of, "rest"), 1, CARD))[0].tolist()
    assert found == pytest.approx(logits[of] - sum(others) / 2)


@given(logits=st.lists(st.floats(-20, 20), min_size=3, max_size=3))
def test_against_a_class_is_the_log_odds(logits: list[float]) -> None:
    scores = torch.tensor([logits], dtype=torch.float64)
    probabilities = scores.softmax(1)[0]
    (found,) = contrasted(scores, contrasts(Target(0, 2), 1, CARD))[0]
    torch.testing.assert_close(found, torch.log(probabilities[0] / probabilities[2]), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([], r"targets: there are none\. Name at least one class\."),
        ([[]], r"there are lists for 1 images, but 2 images"),
        ([[], []], r"different numbers of targets"),
        ([[0], [1], [2]], r"there are lists for 3 images, but 2 images\. Give one each\."),
        ([[0], [1, 2]], r"the images have different numbers of targets\. Give each the same number\."),
        ([[0], 1], r"some are for all images and some for one\. Give one list for each image\."),
        (3, r"the model has no class 3\. Its classes are 0 cat, 1 dog, 2 cow\."),
        (-1, r"the model has no class -1"),
        (Target(0, 3), r"the model has no class 3"),
        (Target(-2, "rest"), r"the model has no class -2"),
        (Target(1, 1), r"a class cannot be set against itself\. Name two different classes\."),
    ],
)
def test_targets_that_make_no_sense_are_refused(targets, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        contrasts(targets, 2, CARD)


def test_a_single_class_has_no_rest() -> None:
    assert contrasts(0, 1, ALONE).tolist() == [[[1]]]
    with pytest.raises(SettingsError, match="a model of one class has no rest"):
        contrasts(Target(0, "rest"), 1, ALONE)


def test_titles() -> None:
    assert Target(1).title(CARD.class_names) == "dog"
    assert Target(1, 0).title(CARD.class_names) == "dog against cat"
    assert Target(2, "rest").title(CARD.class_names) == "cow against the rest"


def test_of_two_exclusive_classes_only_the_difference_matters() -> None:
    assert default_target(PAIR, 1) == Target(1, 0)
    assert default_target(PAIR, 0) == Target(0, 1)
    assert default_target(CARD, 1) == Target(1)
    assert default_target(PAIR.model_copy(update={"task": "multi_label"}), 1) == Target(1)
