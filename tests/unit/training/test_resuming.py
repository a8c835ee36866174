import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from softcam_core.errors import CheckpointError, ImageReadError, NotFiniteError, SettingsError
from softcam_core.models.checkpoint import load_model
from softcam_core.training import loop
from softcam_core.training.config import TrainingConfig
from softcam_core.training.events import ErrorEvent, StepEvent, WarningEvent, read_events
from softcam_core.training.loop import Stopped
from softcam_core.training.trainer import train

Make = Callable[..., TrainingConfig]


def training(**fields) -> dict:
    return {"training": fields}


def stop_after(steps: int) -> tuple[Callable[[object], None], Callable[[], bool]]:
    """Listener and question that end a run after some steps."""
    seen = []

    def listen(event: object) -> None:
        if isinstance(event, StepEvent):
            seen.append(event.step)

    return listen, lambda: bool(seen) and seen[-1] >= steps


@pytest.mark.parametrize("steps", [1, 8, 11])
def test_a_stopped_run_goes_on_exactly_where_it_was(quick: Make, tmp_path: Path, steps: int) -> None:
    config = quick(
        training(epochs=2, ema=0.9, sampler="balanced"),
        {"augmentation": {"rotation": 10}, "loss": {"l1": 1e-4, "penalty_warmup": 1}},
    )
    whole = train(config, tmp_path / "whole")
    listen, stop = stop_after(steps)
    with pytest.raises(Stopped):
        train(config, tmp_path / "parts", listeners=[listen], should_stop=stop)
    assert read_events(tmp_path / "parts" / "events.jsonl")[-1].status == "interrupted"
    again = train(config, tmp_path / "parts", resume=True)
    for name in ("best", "last"):
        first, second = (load_model(tmp_path / run / f"{name}.safetensors").state_dict() for run in ("whole", "parts"))
        assert all(torch.equal(first[key], second[key]) for key in first)
    for one, other in zip(whole.history, again.history, strict=True):
        assert (one.epoch, one.step, one.learning_rate, one.val) == (
            other.epoch,
            other.step,
            other.learning_rate,
            other.val,
        )
        assert one.train == pytest.approx(other.train, rel=1e-12)
    losses = [
        {e.step: e.loss for e in read_events(tmp_path / run / "events.jsonl") if isinstance(e, StepEvent)}
        for run in ("whole", "parts")
    ]
    assert losses[0] == losses[1]


def test_a_finished_run_has_nothing_to_go_on_with(quick: Make, tmp_path: Path) -> None:
    result = train(quick(), tmp_path)
    model = (tmp_path / "best.safetensors").read_bytes()
    again = train(quick(), tmp_path, resume=True)
    assert (again.best_epoch, again.metrics) == (result.best_epoch, result.metrics)
    assert (tmp_path / "best.safetensors").read_bytes() == model


def test_what_was_never_begun_cannot_go_on(quick: Make, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing to resume"):
        train(quick(), tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def test_a_run_that_goes_on_with_other_settings_says_so(quick: Make, tmp_path: Path) -> None:
    listen, stop = stop_after(3)
    with pytest.raises(Stopped):
        train(quick(training(epochs=2)), tmp_path, listeners=[listen], should_stop=stop)
    train(quick(training(epochs=2, lr=1e-4), {"hardware": {"workers": 0}}), tmp_path, resume=True)
    warnings = [e.message for e in read_events(tmp_path / "events.jsonl") if isinstance(e, WarningEvent)]
    assert warnings == ["the run goes on with other settings than it began with: training.lr"]


def test_a_run_cannot_go_on_with_other_data(quick: Make, table, tmp_path: Path) -> None:
    rows = table(lambda split, label, i: True)
    listen, stop = stop_after(3)
    with pytest.raises(Stopped):
        train(quick({"data": {"path": rows}}), tmp_path / "run", listeners=[listen], should_stop=stop)
    rows.write_text("\n".join(line for i, line in enumerate(rows.read_text().splitlines()) if i != 3))
    with pytest.raises(SettingsError, match="began with 64 training images, and there are 63 now"):
        train(quick({"data": {"path": rows}}), tmp_path / "run", resume=True)


def test_loss_that_is_not_finite_stops_at_once_and_keeps_what_was_good(quick: Make, tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match=r"not a finite number in epoch 1.*lower learning rate"):
        train(quick(training(lr=1e30, epochs=2)), tmp_path / "run")
    events = read_events(tmp_path / "run" / "events.jsonl")
    assert [event.kind for event in events if isinstance(event, ErrorEvent)] == ["not_finite"]
    assert events[-1].status == "failed"
    assert sum(isinstance(event, StepEvent) for event in events) <= 2


def test_a_loss_that_breaks_late_leaves_the_last_good_checkpoint(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.learning_rate_factor
    monkeypatch.setattr(loop, "learning_rate_factor", lambda c, t, p: 1e30 if t > 1.2 else real(c, t, p))
    with pytest.raises(NotFiniteError, match=r"in epoch 2.*The best model so far, of epoch 1, is kept"):
        train(quick(training(epochs=2), {"hardware": {"checkpoint_minutes": 0}}), tmp_path)
    assert all(bool(torch.isfinite(t).all()) for t in load_model(tmp_path / "best.safetensors").state_dict().values())
    monkeypatch.setattr(loop, "learning_rate_factor", lambda c, t, p: real(c, t, p))
    assert len(train(quick(training(epochs=2)), tmp_path, resume=True).history) == 2


def test_a_disk_that_fills_up_stops_the_run_and_loses_nothing(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.save_state
    calls = []

    def fills_up(state, path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise SettingsError(path, "cannot be written: No space left on device", "Check the free space.")
        real(state, path)

    monkeypatch.setattr(loop, "save_state", fills_up)
    with pytest.raises(SettingsError, match="No space left"):
        train(quick(training(epochs=3)), tmp_path)
    errors = [e for e in read_events(tmp_path / "events.jsonl") if isinstance(e, ErrorEvent)]
    assert [error.kind for error in errors] == ["disk"]
    assert len(train(quick(training(epochs=3)), tmp_path, resume=True).history) == 3


def test_images_that_vanish_while_it_trains_stop_the_run_and_lose_nothing(
    quick: Make, spot_table: Path, tmp_path: Path
) -> None:
    data, away = tmp_path / "data", tmp_path / "away"
    shutil.copytree(spot_table.parent, data)
    path = {"data": {"path": data / spot_table.name}}
    config = quick(training(epochs=3), path, {"hardware": {"cache_gb": 0, "checkpoint_minutes": 0}})

    def listen(event: object) -> None:
        if isinstance(event, StepEvent) and event.step == 10:
            data.rename(away)

    with pytest.raises(ImageReadError, match="there is no such file"):
        train(config, tmp_path / "run", listeners=[listen])
    away.rename(data)
    assert len(train(config, tmp_path / "run", resume=True).history) == 3
