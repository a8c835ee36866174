import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from softcam_core.data import dataset
from softcam_core.errors import ManifestError, OutOfMemoryError
from softcam_core.models.softcam import SoftCAM
from softcam_core.training import throughput
from softcam_core.training.config import TrainingConfig
from softcam_core.training.loop import Loop
from softcam_core.training.throughput import SOURCES, measure_in_turns, summarise, training_throughput

Make = Callable[..., TrainingConfig]


def test_each_source_has_its_turn_in_each_round_and_none_is_always_the_first() -> None:
    called: list[tuple[str, int]] = []
    rounds: list[int] = []

    def turn(source: str) -> Callable[[int], float]:
        def run(number: int) -> float:
            called.append((source, number))
            return 10.0 * number + SOURCES.index(source)

        return run

    seconds = measure_in_turns({s: turn(s) for s in SOURCES}, 3, lambda: rounds.append(len(called)))
    assert [sorted(s for s, n in called if n == number) for number in range(4)] == [sorted(SOURCES)] * 4
    assert {source for source, _ in called[::3]} == set(SOURCES)
    # The first round warms up.
    assert seconds == {"tensors": [10, 20, 30], "cache": [11, 21, 31], "files": [12, 22, 32]}
    assert rounds == [6, 9, 12]


def test_ratios_are_taken_round_by_round() -> None:
    # The machine was ten times slower in the last round, for all alike.
    seconds = {"tensors": [1.0, 1.0, 1.0, 10.0, 10.0], "cache": [2.0, 2.0, 2.0, 20.0, 20.0], "files": [4, 5, 8, 40, 80]}
    found = summarise(seconds, 8)
    assert found["tensors"].ratio == 1
    assert found["tensors"].images_per_second == 8
    assert found["cache"].ratio == 0.5
    assert found["cache"].ratio_quartiles == (0.5, 0.5)
    assert found["files"].ratio == 0.2
    assert found["files"].ratio_quartiles == (0.125, 0.25)
    assert found["files"].images_per_second == 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only steps and reading move: 16 s a step, 1 s an image, and 3 s more for each file."""
    now = [0.0]

    def costs(real: Callable, seconds: float) -> Callable:
        def run(*args, **kwargs):
            now[0] += seconds
            return real(*args, **kwargs)

        return run

    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(Loop, "_step", costs(Loop._step, 16))
    monkeypatch.setattr(dataset.ImageDataset, "_item", costs(dataset.ImageDataset._item, 1))
    monkeypatch.setattr(dataset, "prepare", costs(dataset.prepare, 3))
    return now


@pytest.mark.usefixtures("clock")
def test_reading_counts_where_there_is_some(quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = training_throughput(quick(), rounds=3, steps=2)
    assert (found.images, found.steps, found.input_size, found.device.type) == (16, 2, (32, 32), "cpu")
    # Two steps of eight images: 32 s, with reading 48 s, with decoding 96 s.
    assert [found.throughput[source].images_per_second for source in SOURCES] == pytest.approx([1 / 2, 1 / 3, 1 / 6])
    assert [found.throughput[source].ratio for source in SOURCES] == pytest.approx([1, 2 / 3, 1 / 3])
    assert not list(tmp_path.iterdir())


def test_all_sources_train_the_same(quick: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_rng_state()
    real = throughput._turn
    sums: dict[int, list[tuple[int, dict[str, float]]]] = {}

    def turn(loop: Loop, number: int) -> float:
        seconds = real(loop, number)
        sums.setdefault(number, []).append((loop.progress.step, loop.progress.sums))
        return seconds

    monkeypatch.setattr(throughput, "_turn", turn)
    augmented = {"augmentation": {"rotation": 20, "brightness": [0.8, 1.2]}}
    training_throughput(quick(augmented, {"training": {"accumulate": 2}}), rounds=2, steps=3)
    assert sorted(sums) == [0, 1, 2]
    for number, (first, *others) in sums.items():
        assert first[0] == 3
        assert others == [first, first]
        assert number == 0 or first[1] != sums[number - 1][0][1]
    assert torch.equal(before, torch.get_rng_state())


def test_a_cache_of_ones_own_is_used_and_stays(quick: Make, tmp_path: Path) -> None:
    training_throughput(quick({"hardware": {"cache": tmp_path / "cache"}}), rounds=1, steps=1)
    assert len(list((tmp_path / "cache").iterdir())) == 8


def test_steps_end_with_the_images(quick: Make) -> None:
    found = training_throughput(quick({"training": {"batch_size": 40}}), rounds=1, steps=9)
    assert (found.images, found.steps) == (64, 2)


def test_training_images_are_needed(quick: Make, table) -> None:
    rows = table(lambda split, label, i: split != "train")
    with pytest.raises(ManifestError, match="no training images"):
        training_throughput(quick({"data": {"path": rows, "val_share": 0}}), rounds=1, steps=1)


def test_memory_too_small_is_reported_with_the_batch(quick: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: SoftCAM, x: torch.Tensor):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(throughput, "check_input", lambda model, image: None)
    monkeypatch.setattr(SoftCAM, "forward", forward)
    with pytest.raises(OutOfMemoryError, match="too small for batches of 8"):
        training_throughput(quick(), rounds=1, steps=1)
