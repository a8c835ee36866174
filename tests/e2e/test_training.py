"""Training as people run it: processes that are stopped, killed, and share the work."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from PIL import Image

from softcam_core.cli import main
from softcam_core.models.checkpoint import load_model
from softcam_core.training.events import EndEvent, EpochEvent, ErrorEvent, Event, StartEvent, StepEvent, read_events
from softcam_core.training.state import load_state

ROOT = Path(__file__).parents[2]
SIDE = 48
E = TypeVar("E", bound=Event)
IMAGES = {"train": 37, "val": 9, "test": 7}  # odd numbers, so that two processes have unequal shares
EPOCHS = 3
SETTINGS = (
    *("--shorter-side", str(SIDE), "--device", "cpu", "--epochs", str(EPOCHS), "--l1", "1e-5", "--flip-vertical"),
    *("--set", "augmentation.rotation=15", "--set", "augmentation.brightness=[0.8, 1.2]"),
)
ALONE = ("--arch", "compact", "--batch-size", "2", "--lr", "1e-3", "--set", "training.ema=0.9")
#: Without batch normalisation, so that a batch is no more than its images; with dropout.
SHARED = ("--arch", "squeezenet1_1", "--optimizer", "sgd", "--lr", "5e-4")
#: A state after each step, so that the last one is within an epoch nearly always.
ALWAYS_SAVING = ("--set", "hardware.checkpoint_minutes=0")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """As in the processes below: sums over threads would differ in their last bits."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, every second image with a bright spot."""
    folder = tmp_path_factory.mktemp("spots")
    rng = np.random.default_rng(0)
    rows = ["image,label,split"]
    for split, count in IMAGES.items():
        for i in range(count):
            values = rng.normal(90, 12, (SIDE, SIDE))
            if i % 2:
                row, column = rng.integers(4, SIDE - 14, 2)
                values[row : row + 10, column : column + 10] += 110
            Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / f"{split}{i}.png")
            rows.append(f"{split}{i}.png,{('plain', 'spot')[i % 2]},{split}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def whole(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folder of a run that nothing disturbed, in this process; each is made once."""
    made: dict[tuple[str, ...], Path] = {}

    def make(*settings: str) -> Path:
        if settings not in made:
            made[settings] = tmp_path_factory.mktemp("whole") / "run"
            assert main(["train", str(table), "--out", str(made[settings]), *SETTINGS, *settings]) == 0
        return made[settings]

    return make


class Process:
    """``python ...`` with what it says."""

    def __init__(self, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def children(self) -> set[int]:
        return set(map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()))

    def wait_for_step(self, run: Path, step: int) -> None:
        """Wait until the run's events tell of a step."""
        end = time.monotonic() + 120
        while time.monotonic() < end and self._process.poll() is None:
            if any(isinstance(event, StepEvent) and event.step >= step for event in read_events(run / "events.jsonl")):
                return
            time.sleep(0.005)
        self._process.kill()
        raise AssertionError(f"step {step} was not seen: {self._process.communicate()}")

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def result(self) -> tuple[int, str, str]:
        """Exit status, standard output and standard error, once it has ended by itself."""
        try:
            out, error = self._process.communicate(timeout=90)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        return self._process.returncode, out, error


def of_type(kind: type[E], run: Path) -> list[E]:
    return [event for event in read_events(run / "events.jsonl") if isinstance(event, kind)]


def losses(run: Path) -> dict[int, float | None]:
    """Step -> loss; where a step was made twice, that of the second time."""
    return {event.step: event.loss for event in of_type(StepEvent, run)}


def assert_same_weights(run: Path, other: Path) -> None:
    for name in ("best.safetensors", "last.safetensors"):
        first, second = (load_model(folder / name).state_dict() for folder in (run, other))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first), name


def assert_same_figures(run: Path, other: Path) -> None:
    """The same loss curve, and the same figures on the whole of each split, to 1e-5."""
    assert losses(run) == pytest.approx(losses(other), abs=1e-5)
    first, second = of_type(EpochEvent, run), of_type(EpochEvent, other)
    assert len(first) == len(second) == EPOCHS
    for one, two in zip(first, second, strict=True):
        figures = [{k: v for k, v in event.metrics.items() if k != "seconds"} for event in (one, two)]
        assert figures[0] == pytest.approx(figures[1], abs=1e-5)
    ends = [of_type(EndEvent, folder)[-1] for folder in (run, other)]
    assert ends[0].metrics.keys() >= {"val_auc", "test_auc", "test_loss"}
    assert ends[0].metrics == pytest.approx(ends[1].metrics, abs=1e-5)
    for split in ("val", "test"):
        tables = [
            np.genfromtxt(folder / f"predictions_{split}.csv", delimiter=",", skip_header=1) for folder in (run, other)
        ]
        assert len(tables[0]) == IMAGES[split]
        np.testing.assert_allclose(tables[0], tables[1], atol=1e-5)


def test_a_run_killed_within_an_epoch_goes_on_to_the_same_weights(
    table: Path, whole: Callable[..., Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = Process("-m", "softcam_core", "train", table, "--out", run, *SETTINGS, *ALONE, *ALWAYS_SAVING)
    # 18 steps an epoch: the last image alone makes none.
    process.wait_for_step(run, 18 + 5)
    process.signal(signal.SIGKILL)
    assert process.result()[0] == -signal.SIGKILL
    progress = load_state(run / "resume.pt").progress
    assert 0 < progress.position < IMAGES["train"] - 2
    assert progress.epoch == 1
    assert main(["train", "--resume", str(run)]) == 0
    assert of_type(StartEvent, run)[-1].resumed_from == progress.step
    assert_same_weights(run, whole(*ALONE))
    assert losses(run) == losses(whole(*ALONE))


def test_a_run_asked_to_end_says_how_to_go_on(table: Path, whole: Callable[..., Path], tmp_path: Path) -> None:
    run = tmp_path / "a run"
    arguments = ["train", str(table), "--out", str(run), *SETTINGS, *ALONE]
    for step, number in ((4, signal.SIGINT), (25, signal.SIGTERM)):
        process = Process("-m", "softcam_core", *arguments)
        process.wait_for_step(run, step)
        process.signal(number)
        status, out, error = process.result()
        assert (status, out) == (130, "")
        assert "Traceback" not in error
        last = error.splitlines()[-1]
        assert last == f"softcam: stopped. Go on with: softcam train --resume '{run}'"
        assert of_type(EndEvent, run)[-1].status == "interrupted"
        # What it said is what is done.
        arguments = shlex.split(last.partition("with: softcam ")[2])
    assert main(arguments) == 0
    assert_same_weights(run, whole(*ALONE))


@pytest.mark.skipif(not torch.distributed.is_available(), reason="needs torch.distributed")
def test_two_processes_train_as_one_with_batches_twice_as_large(
    table: Path, whole: Callable[..., Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = ("-m", "softcam_core", "train", table, "--out", run, *SETTINGS, *SHARED, "--batch-size", 4)
    process = Process(*TORCHRUN, *command)
    status, out, error = process.result()
    assert status == 0, error
    assert_same_figures(run, whole(*SHARED, "--batch-size", "8"))
    assert of_type(StartEvent, run)[0].processes == 2
    # Each line once, and nothing else.
    assert out.count("best epoch") == 1
    first, *epochs = (line for line in error.splitlines() if not line.startswith("read "))
    assert first == "squeezenet1_1: 37 train, 9 val, 7 test images, cpu, 2 processes"
    assert [line.split("  ")[0] for line in epochs] == [f"epoch {n}/{EPOCHS}" for n in range(1, EPOCHS + 1)]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the processes")
def test_a_process_that_dies_ends_the_run_which_goes_on_with_fewer(
    table: Path, whole: Callable[..., Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = ("-m", "softcam_core", "train", table, "--out", run, *SETTINGS, *SHARED, "--batch-size", 4)
    process = Process(*TORCHRUN, *command, *ALWAYS_SAVING)
    process.wait_for_step(run, 7)
    (other,) = process.children() - {of_type(StartEvent, run)[0].pid}
    os.kill(other, signal.SIGKILL)
    status, _, error = process.result()
    assert status != 0
    told = [line for line in error.splitlines() if line.startswith(("softcam:", "softcam ("))]
    advice = f"Go on from the last checkpoint: softcam train --resume {run}."
    assert told == [f"softcam: error: {run}: another process of this run has died. {advice}"]
    assert [event.kind for event in of_type(ErrorEvent, run)] == ["process"]
    assert of_type(EndEvent, run)[-1].status == "failed"
    assert max(losses(run)) < EPOCHS * 5
    assert main(["train", "--resume", str(run)]) == 0
    again = of_type(StartEvent, run)[-1]
    assert again.processes == 1
    assert again.config["batch_size"] * again.config["accumulate"] == 8
    assert_same_figures(run, whole(*SHARED, "--batch-size", "8"))
