from collections.abc import Callable
from pathlib import Path

import pytest

from softcam_core.errors import SettingsError
from softcam_core.evaluation.plan import distinct_names, make_contenders, make_networks
from softcam_core.explainers.methods import parse_method
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import load_model
from softcam_core.models.softcam import SoftCAM


@pytest.fixture(scope="module")
def model(model_file: Callable[..., Path]) -> SoftCAM:
    return load_model(model_file(0))


def test_evidence_is_that_of_each_softcam_and_others_explain_the_black_box(
    model: SoftCAM, model_file: Callable[..., Path]
) -> None:
    black_box = BlackBox.twin_of(load_model(model_file(5)))
    softcams, explained, notes = make_networks({"a": model, "b": load_model(model_file(1))}, ("other", black_box))
    methods = [parse_method(text) for text in ("evidence", "gradcam", "random", "gradcam")]
    contenders = make_contenders(softcams, explained, methods)
    assert [c.key for c in contenders] == [
        ("a", "evidence"),
        ("b", "evidence"),
        ("other", "gradcam"),
        ("other", "random"),
    ]
    assert notes == ()
    assert explained.judge is black_box
    assert [c.is_floor for c in contenders] == [False, False, False, True]


def test_without_a_black_box_of_the_same_function_methods_explain_the_softcam() -> None:
    card = ModelCard(name="vgg", architecture="alexnet", class_names=("a", "b"))
    softcam = SoftCAM.from_card(card).eval()
    softcams, explained, (note,) = make_networks({"vgg": softcam}, None)
    assert explained is softcams[0]
    assert "vgg has no black box of the same function" in note


def test_networks_of_other_classes_are_refused(model: SoftCAM, model_file: Callable[..., Path]) -> None:
    other = load_model(model_file(0, class_names=("plain", "line")))
    with pytest.raises(SettingsError, match=r"other: has the classes plain, line \(single_label\), not plain, spot"):
        make_networks({"a": model, "other": other}, None)
    with pytest.raises(SettingsError, match="other: has the classes"):
        make_networks({"a": model}, ("other", BlackBox.twin_of(other)))


def test_methods_that_cannot_explain_are_refused_together_or_left_out(model: SoftCAM) -> None:
    softcams, explained, _ = make_networks({"a": model}, None)
    methods = [parse_method(text) for text in ("gradcam", "gradcam:layer=nowhere")]
    with pytest.raises(SettingsError, match=r"(?s)gradcam:layer=nowhere on a, black box: nowhere: .* Near names|layer"):
        make_contenders(softcams, explained, methods)
    told: list[str] = []
    contenders = make_contenders(softcams, explained, methods, leave_out=True, report=told.append)
    assert [str(c.explainer) for c in contenders] == ["gradcam"]
    assert len(told) == 1
    assert told[0].startswith("Left out: gradcam:layer=nowhere")
    with pytest.raises(SettingsError, match="none is left"):
        make_contenders(softcams, explained, methods[1:], leave_out=True)


def test_models_of_the_same_name_are_told_apart_by_their_weights(model: SoftCAM) -> None:
    cards = [
        model.card,
        model.card.model_copy(update={"sha256": "ab" * 32}),
        model.card.model_copy(update={"name": "x"}),
    ]
    assert distinct_names(cards) == [f"fresh ({model.card.sha256[:6]})", "fresh (ababab)", "x"]
