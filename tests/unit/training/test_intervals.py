import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from softcam_core.training.intervals import _weighted_auc, bootstrap_intervals
from softcam_core.training.metrics import measure
from softcam_core.training.predictions import Predictions


def predictions(
    classes: int, count: int, task: str = "single_label", signal: float = 1.0, seed: int = 0
) -> Predictions:
    generator = torch.Generator().manual_seed(seed)
    if task == "single_label":
        labels = torch.arange(count) % classes
        one_hot = torch.nn.functional.one_hot(labels, classes)
    else:
        labels = one_hot = (torch.rand(count, classes, generator=generator) < 0.3).long()
    logits = torch.randn(count, classes, generator=generator) + signal * one_hot
    names = tuple(f"class {k}" for k in range(classes))
    return Predictions(tuple(f"{i}.png" for i in range(count)), labels, logits, names, task)


@pytest.mark.parametrize("seed", range(5))
def test_a_weighted_auc_is_that_of_repeated_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, marked = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.4
    weights = rng.multinomial(40, np.full(40, 1 / 40), size=7)
    for row, auc in zip(weights, _weighted_auc(scores, marked, weights.astype(float)), strict=True):
        assert auc == pytest.approx(roc_auc_score(np.repeat(marked, row), np.repeat(scores, row)), abs=1e-12)


@pytest.mark.parametrize(("classes", "task"), [(2, "single_label"), (4, "single_label"), (3, "multi_label")])
def test_an_interval_holds_its_figure(classes: int, task: str) -> None:
    table = predictions(classes, 200, task)
    intervals = bootstrap_intervals(table, resamples=300)
    values = measure(table.logits, table.labels, table.task).values
    assert intervals.keys() == {"auc", "accuracy"}
    for name, (lower, upper) in intervals.items():
        assert 0 < lower < values[name] < upper < 1


def test_the_interval_of_the_accuracy_is_the_binomial_one() -> None:
    table = predictions(2, 1000)
    accuracy = measure(table.logits, table.labels, "single_label").values["accuracy"]
    lower, upper = bootstrap_intervals(table, resamples=4000)["accuracy"]
    half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / 1000)
    assert (lower, upper) == pytest.approx((accuracy - half, accuracy + half), abs=0.003)


def test_the_interval_of_the_auc_covers_the_truth_as_often_as_it_says() -> None:
    truth = 0.5 * (1 + math.erf(1 / math.sqrt(2)))  # two normals one apart on each of two logits: difference 2, sd 2
    hits = 0
    for seed in range(60):
        lower, upper = bootstrap_intervals(predictions(2, 150, seed=seed), resamples=200)["auc"]
        hits += lower <= truth <= upper
    assert 51 <= hits <= 60


def test_the_same_seed_gives_the_same_interval() -> None:
    table = predictions(2, 50)
    assert bootstrap_intervals(table, 100, seed=1) == bootstrap_intervals(table, 100, seed=1)
    assert bootstrap_intervals(table, 100, seed=1) != bootstrap_intervals(table, 100, seed=2)


def test_what_is_undefined_has_no_interval() -> None:
    table = predictions(2, 50)
    one_class = Predictions(
        table.images, torch.zeros(50, dtype=torch.int64), table.logits, table.class_names, table.task
    )
    assert bootstrap_intervals(one_class, 50).keys() == {"accuracy"}
    broken = Predictions(table.images, table.labels, table.logits * math.nan, table.class_names, table.task)
    assert bootstrap_intervals(broken, 50) == {}


def test_resamples_in_parts_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    table = predictions(2, 50)
    whole = bootstrap_intervals(table, 300)
    monkeypatch.setattr("softcam_core.training.intervals._AT_ONCE", 50 * 7)
    assert bootstrap_intervals(table, 300) == whole
