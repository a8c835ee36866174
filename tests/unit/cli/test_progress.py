import io
from pathlib import Path

import pytest

from softcam_core.cli import progress
from softcam_core.cli.progress import TrainingProgress
from softcam_core.training.events import EndEvent, EpochEvent, StartEvent, StepEvent, WarningEvent

CHECKPOINT = Path("run/best.safetensors")


class Terminal(io.StringIO):
    """Keeps what a terminal would be sent."""

    def isatty(self) -> bool:
        return True


def start(**fields) -> StartEvent:
    counts = {"images": {"train": 8, "val": 4}}
    given = {"run": "spots", "config": counts, "epochs": 3, "steps_per_epoch": 2, "device": "cpu", "pid": 1}
    return StartEvent(**{**given, "version": "1", **fields})


def step(number: int, loss: float | None = 0.5, left: float | None = 184) -> StepEvent:
    epoch = (number + 1) // 2
    return StepEvent(
        epoch=epoch, step=number, steps=6, loss=loss, learning_rate=1e-3, images_per_second=12.3, seconds_left=left
    )


def epoch(number: int, *, is_best: bool = True, **figures: float | None) -> EpochEvent:
    known = {"train_loss": 0.5, "val_loss": 0.6, "val_auc": 0.91, "val_accuracy": 0.8, "val_kappa": 0.7}
    return EpochEvent(epoch=number, metrics={**known, **figures}, seconds=1.25, is_best=is_best)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that lines are timed with."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


# --- without a terminal


def test_lines_tell_the_run() -> None:
    stream = io.StringIO()
    show = TrainingProgress(CHECKPOINT, "auc", stream)
    for event in (start(), step(1), step(2), epoch(1), step(3), step(4), epoch(2, is_best=False)):
        show(event)
    show(WarningEvent(message="little space"))
    assert stream.getvalue().splitlines() == [
        "spots: 8 train, 4 val images, cpu",
        "epoch 1/3  train loss 0.5000  val loss 0.6000  val auc 0.9100  val accuracy 0.8000  1.2 s  best so far",
        "epoch 2/3  train loss 0.5000  val loss 0.6000  val auc 0.9100  val accuracy 0.8000  1.2 s",
        "warning: little space",
    ]


def test_steps_are_told_every_ten_seconds(clock: list[float]) -> None:
    stream = io.StringIO()
    show = TrainingProgress(CHECKPOINT, "auc", stream)
    show(start())
    for number in (1, 2):
        clock[0] += 6
        show(step(number))
    clock[0] += 10
    show(step(3, loss=None, left=None))
    assert stream.getvalue().splitlines()[1:] == [
        "epoch 1/3  step 2/6  loss 0.5000  12.3 images/s  3:04 left",
        "epoch 2/3  step 3/6  loss nan  12.3 images/s  ? left",
    ]


def test_reading_is_told_every_ten_seconds_and_at_its_end(clock: list[float]) -> None:
    stream = io.StringIO()
    show = TrainingProgress(CHECKPOINT, "auc", stream)
    for done, seconds in ((1, 0), (2, 11), (3, 1), (4, 0)):
        clock[0] += seconds
        show.read(done, 4)
    assert stream.getvalue().splitlines() == ["read 2 of 4 images", "read 4 of 4 images"]


def test_other_processes_are_silent_while_they_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    stream = io.StringIO()
    TrainingProgress(CHECKPOINT, "auc", stream).read(4, 4)
    assert stream.getvalue() == ""


def test_the_figure_that_decides_is_shown_where_it_is_known() -> None:
    stream = io.StringIO()
    show = TrainingProgress(CHECKPOINT, "kappa", stream)
    show(start(processes=2))
    show(epoch(1))
    show(epoch(2, val_kappa=None))
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("cpu, 2 processes")
    assert "val kappa 0.7000" in lines[1]
    assert "kappa" not in lines[2]


def test_the_end_is_told_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    show = TrainingProgress(CHECKPOINT, "auc", stream)
    assert not show.has_begun
    for event in (start(), epoch(1), epoch(2), EndEvent(status="finished", best_epoch=1, metrics={"val_auc": 0.91})):
        show(event)
    assert show.has_begun
    assert capsys.readouterr().out == f"best epoch 1 of 2: {CHECKPOINT}\n  val auc: 0.9100\n"
    show(EndEvent(status="interrupted", best_epoch=1))
    assert capsys.readouterr().out == ""


def test_a_resumed_run_that_was_finished_knows_its_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    show = TrainingProgress(CHECKPOINT, "auc", stream)
    show(start(resumed_from=6))
    show(EndEvent(status="finished", best_epoch=2, metrics={"val_auc": 1.0}))
    assert stream.getvalue().splitlines()[-1] == "going on from step 6"
    assert capsys.readouterr().out.startswith("best epoch 2 of 3: ")


# --- in a terminal


def frames(stream: io.StringIO) -> list[str]:
    return [part.strip() for part in stream.getvalue().replace("\n", "\r").split("\r") if part.strip()]


@pytest.fixture
def every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bar be drawn at each step, and wide enough."""
    real = progress.tqdm

    def tqdm(**options):
        return real(**{**options, "mininterval": 0, "miniters": 1, "dynamic_ncols": False, "ncols": 150})

    monkeypatch.setattr(progress, "tqdm", tqdm)


@pytest.mark.usefixtures("every_frame")
def test_a_bar_shows_time_left_and_figures_and_goes_away() -> None:
    stream = Terminal()
    show = TrainingProgress(CHECKPOINT, "auc", stream)
    for event in (start(), step(1), step(2), epoch(1), step(3, loss=0.25)):
        show(event)
    first, second, last = (next(f for f in frames(stream) if f"{n}/2 [" in f and e in f) for n, e in
                           ((1, "epoch 1/3"), (2, "epoch 1/3"), (1, "epoch 2/3")))  # fmt: skip
    assert "50%" in first
    assert "loss 0.5000, whole run 3:04 left" in second
    assert "loss 0.2500, val auc 0.9100, whole run 3:04 left" in last
    lines = [line.split("\r")[-1] for line in stream.getvalue().split("\n")]
    assert lines[0].startswith("spots: 8 train")
    # The bar was wiped before the line took its place.
    assert lines[1].startswith("epoch 1/3  train loss")
    show.close()
    assert stream.getvalue().endswith("\r")


@pytest.mark.usefixtures("every_frame")
def test_a_bar_begins_where_a_resumed_run_does() -> None:
    stream = Terminal()
    show = TrainingProgress(CHECKPOINT, "auc", stream)
    show(start(resumed_from=3))
    show(step(4))
    show.close()
    assert any("epoch 2/3" in frame and "2/2 [" in frame for frame in frames(stream))


@pytest.mark.usefixtures("every_frame")
def test_a_bar_shows_reading() -> None:
    stream = Terminal()
    show = TrainingProgress(CHECKPOINT, "auc", stream)
    show.read(1, 2)
    show.read(2, 2)
    assert any("reading images:  50%" in frame for frame in frames(stream))
    assert stream.getvalue().endswith("\r")
    assert "\n" not in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (184, "3:04"), (7384, "2:03:04"), (None, "?")]
)
def test_time_as_people_say_it(seconds: float | None, text: str) -> None:
    assert progress._duration(seconds) == text
