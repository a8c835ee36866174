from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from softcam_core.models.checkpoint import load_model
from softcam_core.training import judging
from softcam_core.training.config import TrainingConfig
from softcam_core.training.events import WarningEvent, read_events
from softcam_core.training.metrics import Measurement
from softcam_core.training.trainer import train

Make = Callable[..., TrainingConfig]


def training(**fields) -> dict:
    return {"training": fields}


def script_scores(monkeypatch: pytest.MonkeyPatch, *values: dict[str, float]) -> None:
    """Let validation give these figures, one epoch after the other, and the last ones from then on."""
    remaining = iter(values)

    def scripted(logits, labels, task) -> Measurement:
        found = next(remaining, values[-1])
        return Measurement({"accuracy": 0.5, **found}, {}, torch.zeros(2, 2))

    monkeypatch.setattr(judging, "measure", scripted)


def scores(*pairs: tuple[float, float], name: str = "auc") -> list[dict[str, float]]:
    return [{"loss": loss, name: value} for loss, value in pairs]


@pytest.mark.parametrize(
    ("select", "validation", "best"),
    [
        ("auc", [(0.5, 0.7), (0.9, 0.9), (0.1, 0.8)], 2),
        ("auc", [(0.5, 0.9), (0.3, 0.9), (0.4, 0.9)], 2),
        ("auc", [(0.5, 0.9), (0.6, 0.9), (0.7, 0.8)], 1),
        ("kappa", [(0.5, 0.1), (0.6, 0.4), (0.7, 0.2)], 2),
        ("calibration_error", [(0.5, 0.1), (0.6, 0.05), (0.7, 0.2)], 2),
    ],
)
def test_best_epoch_is_selected_by_any_figure_then_the_lowest_loss(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, select: str, validation, best: int
) -> None:
    script_scores(monkeypatch, *scores(*validation, name=select))
    result = train(quick(training(epochs=3, select=select)), tmp_path / "run")
    assert result.best_epoch == best
    assert load_model(result.checkpoint).card.provenance["best_epoch"] == best


def test_the_best_epoch_is_sought_among_those_with_the_full_penalty(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_scores(monkeypatch, *scores((0.1, 1.0), (0.1, 1.0), (0.5, 0.8), (0.4, 0.9), (0.6, 0.9)))
    result = train(quick(training(epochs=5), {"loss": {"penalty_warmup": 2, "l1": 1e-5}}), tmp_path / "run")
    assert result.best_epoch == 4


def test_without_penalties_every_epoch_may_be_the_best(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_scores(monkeypatch, *scores((0.1, 1.0), (0.1, 0.9), (0.5, 0.8), (0.4, 0.9)))
    assert train(quick(training(epochs=3), {"loss": {"penalty_warmup": 2}}), tmp_path / "run").best_epoch == 1


def test_an_epoch_whose_figure_is_undefined_is_no_better_than_any(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_scores(monkeypatch, {"loss": 0.1}, {"loss": 0.9, "auc": 0.4}, {"loss": 0.1}, {"loss": 0.8, "auc": 0.3})
    assert train(quick(training(epochs=4)), tmp_path / "run").best_epoch == 2
    warnings = [e.message for e in read_events(tmp_path / "run" / "events.jsonl") if isinstance(e, WarningEvent)]
    assert [text.split(",")[0] for text in warnings] == [
        f"auc is undefined on the validation images in epoch {epoch}" for epoch in (1, 3)
    ]


def test_training_ends_early_when_nothing_improves(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_scores(monkeypatch, *scores((0.5, 0.7), (0.5, 0.8), (0.5, 0.8), (0.5, 0.7), (0.4, 0.9)))
    result = train(quick(training(epochs=9, early_stopping=2)), tmp_path / "run")
    assert len(result.history) == 4
    assert read_events(tmp_path / "run" / "events.jsonl")[-1].status == "stopped_early"


def test_a_plateau_lowers_the_learning_rate(quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script_scores(monkeypatch, *scores((0.5, 0.7)))
    settings = training(epochs=4, schedule="plateau", lr_patience=0, lr_gamma=0.5, lr_min=0)
    result = train(quick(settings), tmp_path / "run")
    assert [r.learning_rate for r in result.history] == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4])
