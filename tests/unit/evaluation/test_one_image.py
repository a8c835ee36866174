"""Figures of maps in memory: they are those of an evaluation, which reads files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from softcam_core.data.manifest import read_manifest
from softcam_core.data.samples import Sample
from softcam_core.evaluation.agreement import rank_correlation
from softcam_core.evaluation.cases import read_cases, see, see_annotation
from softcam_core.evaluation.curves import curve_area
from softcam_core.evaluation.judging import PartJudge
from softcam_core.evaluation.localization import pointing_game, relevance_mass
from softcam_core.evaluation.metrics import METRICS
from softcam_core.evaluation.one_image import ShownMap, agreement_of, curves_of, figures_of, shown_map
from softcam_core.evaluation.perturbation import perturbation_curves
from softcam_core.evaluation.plan import Plan, make_contenders, make_networks
from softcam_core.evaluation.sparsity import gini_index, near_zero_share
from softcam_core.explainers.base import Maps
from softcam_core.explainers.explanation import Explanation
from softcam_core.explainers.methods import explain, make_explainer
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import UNWATCHED, CancelledError, Watch
from softcam_core.imaging.image import MedicalImage
from softcam_core.imaging.readers import read_image
from softcam_core.models.checkpoint import load_model
from softcam_core.models.softcam import SoftCAM

ALL = [METRICS[name] for name in ("gini", "near_zero", "relevance_mass", "pointing_game", "deletion")]


@pytest.fixture(scope="module")
def model(model_file: Callable[..., Path]) -> SoftCAM:
    preprocessing = {"shorter_side": 96, "crop": (80, 72), "mean": (0.4,) * 3, "std": (0.2,) * 3}
    return load_model(model_file(1, preprocessing=preprocessing)).requires_grad_(False)


@pytest.fixture(scope="module")
def file(spots: Path) -> Path:
    return spots.parent / "spot1.png"


@pytest.fixture(scope="module")
def image(file: Path) -> MedicalImage:
    return read_image(file)


@pytest.fixture(scope="module")
def evidence(model: SoftCAM, image: MedicalImage) -> Explanation:
    return explain(model, image)


@pytest.fixture(scope="module")
def shown(evidence: Explanation) -> ShownMap:
    return shown_map(evidence, 1, 0)


def with_grid(explanation: Explanation, grid: np.ndarray) -> ShownMap:
    """Another map of the second class."""
    grids = np.stack([np.zeros_like(grid), grid]).astype(np.float32)
    return shown_map(replace(explanation, grid=grids), 1)


def test_a_map_lies_on_the_model_input_as_in_an_evaluation(model, image, evidence, shown):
    maps: Maps = make_explainer("evidence")(
        model, torch.from_numpy(model.card.preprocessing.apply(image).array)[None], [Target(1, 0)]
    )
    expected = maps.on_input(evidence.geometry.input_size)[0, 0]
    assert shown.on_input.shape == (80, 72)
    torch.testing.assert_close(shown.on_input, expected, rtol=1e-5, atol=1e-6)


def test_figures_are_those_of_the_core_on_grid_and_model_input(model, file, shown):
    region = see(Sample(file, 1, "test", 2, boxes=((20, 20, 12, 12),)), model.card.preprocessing).region
    found = figures_of(shown, ALL, region)
    on_input, marked = shown.on_input[None], region[None]
    assert found == {
        "gini": float(gini_index(shown.grid)),
        "near_zero": float(near_zero_share(shown.grid)),
        "relevance_mass": pytest.approx(float(relevance_mass(on_input, marked))),
        "pointing_game": float(pointing_game(on_input, marked)),
    }
    assert 0 < found["relevance_mass"] < 1


def test_without_an_annotation_nothing_is_said_of_places(shown):
    assert set(figures_of(shown, ALL)) == {"gini", "near_zero"}


def test_zeros_constants_and_no_numbers_have_the_figures_that_the_core_gives_them(evidence, shown):
    region = torch.zeros(shown.on_input.shape, dtype=torch.bool)
    region[:20, :36] = True
    blank = np.zeros(evidence.grid.shape[1:])
    broken = blank.copy()
    broken[0, 0] = np.nan
    zero, constant, lost = (figures_of(with_grid(evidence, grid), ALL, region) for grid in (blank, blank - 2, broken))
    assert (zero["gini"], zero["near_zero"], constant["gini"], constant["near_zero"]) == (0, 1, 0, 0)
    assert np.isnan(zero["relevance_mass"])
    assert np.isnan(constant["relevance_mass"])
    # All pixels are the highest: the share of them that hits.
    assert zero["pointing_game"] == constant["pointing_game"] == pytest.approx(20 * 36 / (80 * 72))
    assert all(np.isnan(value) for value in lost.values())


def test_maps_agree_by_the_order_of_their_pixels(evidence, shown):
    other = with_grid(evidence, -shown.grid.numpy())
    assert agreement_of(shown, shown) == pytest.approx(1)
    assert agreement_of(shown, other) == pytest.approx(-1)
    noise = with_grid(evidence, np.random.default_rng(0).normal(size=evidence.grid.shape[1:]))
    assert agreement_of(shown, noise) == float(rank_correlation(shown.on_input[None], noise.on_input[None]))
    assert np.isnan(agreement_of(shown, with_grid(evidence, np.ones(evidence.grid.shape[1:]))))


def test_maps_on_other_pixels_are_not_compared(evidence, shown):
    moved = replace(evidence, geometry=replace(evidence.geometry, origin=(0, 0)))
    with pytest.raises(ValueError, match="different model inputs"):
        agreement_of(shown, shown_map(moved, 1))


def test_curves_are_those_of_each_map_alone_and_follow_the_class_asked_for(model, image, evidence, shown):
    maps = {"one": shown, "other": with_grid(evidence, np.random.default_rng(1).normal(size=shown.grid.shape))}
    found = curves_of(model, image, maps, 0)
    batch = torch.from_numpy(model.card.preprocessing.apply(image).array)[None]
    for name, each in maps.items():
        for order in ("deletion", "insertion"):
            alone = perturbation_curves(model, batch, {"it": each.on_input[None]}, torch.tensor([0]), order=order)
            curve = found[name][order]
            np.testing.assert_allclose(curve.values, alone.values["it"][0], atol=1e-6)
            assert curve.area == pytest.approx(float(curve_area(alone.values["it"])), abs=1e-6)
    # 80 x 72 pixels are 3 x 3 blocks; with all of them gone there is nothing, and with all back the whole image.
    assert len(found["one"]["deletion"].values) == 10
    whole = float(model.probabilities(model.logits(batch).double())[0, 0])
    assert found["one"]["deletion"].values[0] == pytest.approx(whole, abs=1e-6)
    assert found["other"]["insertion"].values[-1] == pytest.approx(whole, abs=1e-6)


def test_a_map_with_no_numbers_has_no_curves_and_costs_no_passes(monkeypatch, model, image, evidence, shown):
    lost = with_grid(evidence, np.full(shown.grid.shape, np.inf))
    assert set(curves_of(model, image, {"lost": lost, "one": shown}, 1)) == {"one"}
    monkeypatch.setattr(model, "logits", lambda x: pytest.fail("the network was run"))
    assert curves_of(model, image, {"lost": lost}, 1) == {}


def test_a_viewer_and_an_evaluation_tell_the_same_of_an_image(spots, model_file):
    network = load_model(model_file(3)).requires_grad_(False)
    softcams, explained, _ = make_networks({"it": network}, None)
    contenders = make_contenders(softcams, explained, [make_explainer(name) for name in ("evidence", "gradcam")])
    manifest = read_manifest(spots)
    cases = read_cases(manifest, manifest.samples[1:2], [network.card.preprocessing])
    # The one thing that an evaluation knows beyond the image.
    surveys = {p: replace(survey, mean=(0.0, 0.0, 0.0)) for p, survey in cases.surveys.items()}
    plan = Plan(contenders, tuple(ALL), replace(cases, surveys=surveys), "test")
    judge = PartJudge(plan, plan.cases.chosen, UNWATCHED)
    judge.judge()
    rows = judge.rows.columns
    sample = manifest.samples[1]
    image = read_image(sample.path)
    for contender in contenders:
        name = contender.explainer.about.name
        explanation = explain(contender.network.model, image, name, [Target(1, 0)])
        found = {}
        for of in {1, explanation.predicted}:  # what is annotated, and what is predicted
            explanation = explain(contender.network.model, image, name, [Target(of, 1 - of)])
            shown = shown_map(explanation, of, 1 - of)
            region, _ = see_annotation(sample.boxes, None, explanation.geometry, network.card.preprocessing)
            figures = figures_of(shown, ALL, region)
            places = ("relevance_mass", "pointing_game")
            if of == 1:
                found |= {figure: figures[figure] for figure in places}
            if of == explanation.predicted:
                curves = curves_of(network, image, {"it": shown}, of)["it"]
                found |= {figure: figures[figure] for figure in ("gini", "near_zero")}
                found |= {"deletion": curves["deletion"].area}
        told = {
            metric: value
            for metric, method, value, step in zip(
                *(rows[c] for c in ("metric", "method", "value", "step")), strict=True
            )
            if method == name and step is None
        }
        assert found == {metric: pytest.approx(value, rel=1e-4, abs=1e-6) for metric, value in told.items()}


def test_curves_can_be_stopped(model, image, shown):
    with pytest.raises(CancelledError):
        curves_of(model, image, {"one": shown}, 1, watch=Watch(should_stop=lambda: True))
