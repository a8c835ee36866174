import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from softcam_core.training.metrics import METRICS, better, measure

SEEDS = [0, 1, 2]
COMMON = {"loss", "accuracy", "auc", "auprc", "sensitivity", "specificity", "precision", "f1", "calibration_error"}


def single_label(classes: int, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that know something about labels, every class in the labels; with ties for two classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.arange(classes), torch.randint(classes, (count - classes,), generator=generator)])
    logits = torch.randn(count, classes, generator=generator)
    logits += 1.5 * torch.nn.functional.one_hot(labels, classes)
    return logits.mul(4).round().div(4) if classes == 2 else logits, labels


def multi_label(classes: int, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(count, classes, generator=generator) < 0.3).long()
    labels[0], labels[1] = 0, 1
    return torch.randn(count, classes, generator=generator) + 2 * labels - 1, labels


def slow_calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Guo et al., ICML 2017, equation 3, sample by sample."""
    bins: dict[int, list[tuple[float, float]]] = {}
    for c, r in zip(confidence.tolist(), right.tolist(), strict=True):
        bins.setdefault(min(int(c * 15), 14), []).append((c, float(r)))
    total = 0.0
    for members in bins.values():
        mean_confidence = sum(c for c, _ in members) / len(members)
        hits = sum(r for _, r in members) / len(members)
        total += len(members) / len(confidence) * abs(hits - mean_confidence)
    return total


@pytest.mark.parametrize("seed", SEEDS)
def test_two_classes_agree_with_scikit_learn(seed: int) -> None:
    logits, labels = single_label(2, 120, seed)
    y, p = labels.numpy(), logits.double().softmax(1).numpy()
    # Ties of float32 logits stay ties in the logits' difference.
    ranking = (logits[:, 1] - logits[:, 0]).numpy()
    hard = (p[:, 1] > 0.5).astype(int)
    expected = {
        "loss": sk.log_loss(y, p),
        "accuracy": sk.accuracy_score(y, hard),
        "auc": sk.roc_auc_score(y, ranking),
        "auprc": sk.average_precision_score(y, ranking),
        "sensitivity": sk.recall_score(y, hard),
        "specificity": sk.recall_score(y, hard, pos_label=0),
        "precision": sk.precision_score(y, hard),
        "f1": sk.f1_score(y, hard),
        "kappa": sk.cohen_kappa_score(y, hard, weights="quadratic"),
        "calibration_error": slow_calibration_error(p.max(1), p.argmax(1) == y),
    }
    measured = measure(logits, labels, "single_label")
    assert measured.values == pytest.approx(expected, abs=2e-6)
    np.testing.assert_array_equal(measured.confusion, sk.confusion_matrix(y, hard))
    assert measured.per_class["specificity"][0] == pytest.approx(measured.values["sensitivity"])


@pytest.mark.parametrize("seed", SEEDS)
def test_more_classes_agree_with_scikit_learn(seed: int) -> None:
    logits, labels = single_label(5, 200, seed)
    y, p = labels.numpy(), logits.double().softmax(1).numpy()
    hard, one_hot = p.argmax(1), np.eye(5)[labels]
    expected = {
        "loss": sk.log_loss(y, p),
        "accuracy": sk.accuracy_score(y, hard),
        "auc": sk.roc_auc_score(y, p, multi_class="ovr", average="macro"),
        "auprc": sk.average_precision_score(one_hot, p, average="macro"),
        "sensitivity": sk.recall_score(y, hard, average="macro"),
        "specificity": np.mean([sk.recall_score(y == k, hard == k, pos_label=False) for k in range(5)]),
        "precision": sk.precision_score(y, hard, average="macro"),
        "f1": sk.f1_score(y, hard, average="macro"),
        "kappa": sk.cohen_kappa_score(y, hard, weights="quadratic"),
        "calibration_error": slow_calibration_error(p.max(1), hard == y),
    }
    measured = measure(logits, labels, "single_label")
    assert measured.values == pytest.approx(expected, abs=2e-6)
    assert measured.per_class["f1"] == pytest.approx(sk.f1_score(y, hard, average=None))
    np.testing.assert_array_equal(measured.confusion, sk.confusion_matrix(y, hard))


@pytest.mark.parametrize("classes", [1, 2, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_multi_label_agrees_with_scikit_learn(classes: int, seed: int) -> None:
    logits, labels = multi_label(classes, 150, seed)
    y, p = labels.numpy(), logits.double().sigmoid().numpy()
    hard = (p > 0.5).astype(int)
    columns = range(classes)
    expected = {
        "loss": np.mean([sk.log_loss(y[:, k], p[:, k]) for k in columns]),
        "accuracy": (hard == y).mean(),
        "auc": np.mean([sk.roc_auc_score(y[:, k], p[:, k]) for k in columns]),
        "auprc": np.mean([sk.average_precision_score(y[:, k], p[:, k]) for k in columns]),
        "sensitivity": np.mean([sk.recall_score(y[:, k], hard[:, k]) for k in columns]),
        "specificity": np.mean([sk.recall_score(y[:, k], hard[:, k], pos_label=0) for k in columns]),
        "precision": np.mean([sk.precision_score(y[:, k], hard[:, k]) for k in columns]),
        "f1": np.mean([sk.f1_score(y[:, k], hard[:, k]) for k in columns]),
        "calibration_error": np.mean([slow_calibration_error(p[:, k], y[:, k]) for k in columns]),
    }
    measured = measure(logits, labels, "multi_label")
    assert measured.values == pytest.approx(expected, abs=2e-6)
    for k in columns:
        np.testing.assert_array_equal(measured.confusion[k], sk.confusion_matrix(y[:, k], hard[:, k]))


def test_every_metric_is_measured_for_its_tasks() -> None:
    for task, (logits, labels) in {
        "single_label": single_label(3, 60, 0),
        "multi_label": multi_label(3, 60, 0),
    }.items():
        expected = [name for name, info in METRICS.items() if task in info.tasks]
        assert list(measure(logits, labels, task).values) == expected


@settings(max_examples=40)
@given(classes=st.integers(2, 4), count=st.integers(1, 12), seed=st.integers(0, 10_000), multi=st.booleans())
def test_any_small_set_gives_figures_in_their_range_without_a_warning(classes, count, seed, multi) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randint(-2, 3, (count, classes), generator=generator).float() * 50
    labels = torch.randint(2 if multi else classes, (count, classes) if multi else (count,), generator=generator)
    measured = measure(logits, labels, "multi_label" if multi else "single_label")
    assert measured.values["loss"] >= 0
    assert measured.values.keys() <= METRICS.keys()
    for name, value in measured.values.items():
        assert math.isfinite(value)
        assert name == "loss" or -1 <= value <= 1
    for figures in measured.per_class.values():
        assert len(figures) == classes
        assert all(figure is None or 0 <= figure <= 1 for figure in figures)


def test_an_absent_class_leaves_out_what_needs_it() -> None:
    logits, labels = single_label(3, 60, 0)
    kept = labels != 2
    measured = measure(logits[kept], labels[kept], "single_label")
    assert measured.values.keys() == {"loss", "accuracy", "specificity", "kappa", "calibration_error"}
    assert measured.per_class["auc"][2] is None
    assert measured.per_class["auc"][0] is not None


@pytest.mark.parametrize(("label", "left"), [(0, {"specificity"}), (1, {"sensitivity", "precision", "f1"})])
def test_one_class_alone(label: int, left: set[str]) -> None:
    logits, labels = single_label(2, 60, 0)
    kept = labels == label
    measured = measure(logits[kept], labels[kept], "single_label")
    assert measured.values.keys() == {"loss", "accuracy", "calibration_error"} | left


def test_a_class_never_predicted_has_no_precision() -> None:
    logits = torch.tensor([[2.0, 0.0], [1.0, 0.5], [1.0, 0.0]])
    measured = measure(logits, torch.tensor([0, 1, 1]), "single_label")
    assert "precision" not in measured.values
    assert measured.values["sensitivity"] == measured.values["f1"] == 0


@pytest.mark.parametrize("value", [0.0, -3.5])
def test_equal_logits_decide_nothing(value: float) -> None:
    labels = torch.tensor([0, 0, 0, 1])
    measured = measure(torch.full((4, 2), value), labels, "single_label")
    assert measured.values == pytest.approx({"loss": math.log(2)})
    assert int(measured.confusion.sum()) == 0
    assert measured.per_class["sensitivity"] == [None, None]


def test_a_constant_network_ranks_nothing() -> None:
    measured = measure(torch.tensor([[1.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1]), "single_label")
    assert not {"auc", "auprc"} & measured.values.keys()
    assert measured.values["accuracy"] == 0.75


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers(task: str, value: float) -> None:
    logits, labels = (single_label if task == "single_label" else multi_label)(3, 30, 0)
    logits[7, 1] = value
    measured = measure(logits, labels, task)
    assert measured.values.keys() == {"loss"}
    assert math.isnan(measured.values["loss"])
    assert int(measured.confusion.sum()) == 0


def test_logits_whose_probabilities_round_to_one_keep_their_order() -> None:
    logits = torch.tensor([[0.0, 100.0], [0.0, 200.0], [0.0, 300.0], [0.0, 400.0]])
    assert measure(logits, torch.tensor([0, 0, 1, 1]), "single_label").values["auc"] == 1
    assert measure(logits[:, 1:], torch.tensor([[1], [1], [0], [0]]), "multi_label").values["auc"] == 0


def test_confidence_of_exactly_one_shares_the_last_bin() -> None:
    logits = torch.tensor([[0.0, 800.0], [0.0, 3.0]])
    confidence = logits.double().softmax(1).amax(1)
    assert float(confidence[0]) == 1
    measured = measure(logits, torch.tensor([0, 1]), "single_label")
    expected = slow_calibration_error(confidence.numpy(), np.array([0, 1]))
    assert measured.values["calibration_error"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("logits", "labels", "task"),
    [
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), "single_label"),
        (torch.zeros(3, 2), torch.zeros(2, dtype=torch.int64), "single_label"),
        (torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64), "multi_label"),
        (torch.zeros(3, 2), torch.tensor([0, 1, 2]), "single_label"),
        (torch.zeros(1, 2), torch.tensor([[0, -1]]), "multi_label"),
    ],
)
def test_sets_that_cannot_be_measured(logits, labels, task) -> None:
    with pytest.raises(ValueError, match=r"must (be|have|lie)"):
        measure(logits, labels, task)


def test_better_knows_the_direction_and_what_is_missing() -> None:
    assert better("auc", 0.9, 0.8)
    assert not better("auc", 0.8, 0.9)
    assert better("loss", 0.1, 0.2)
    assert better("calibration_error", 0.1, 0.2)
    assert not better("accuracy", 0.5, 0.5)
    assert better("kappa", -0.3, None)
    assert better("loss", 3.0, math.nan)
    assert not better("loss", math.nan, 3.0)
    assert not better("auc", None, None)
    with pytest.raises(KeyError, match=r"no metric 'aucc'; there are loss, accuracy"):
        better("aucc", 1, 0)


def test_importing_the_module_does_not_import_torchmetrics() -> None:
    code = "import sys, softcam_core.training.metrics; sys.exit('torchmetrics' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
