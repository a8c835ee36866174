"""What reading images costs a training run: its loop on files, on a warm cache, and on tensors in memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning_fabric import Fabric

from softcam_core.data.cache import ImageCache
from softcam_core.data.dataset import Draw, ImageDataset
from softcam_core.data.manifest import Manifest
from softcam_core.data.source import read_source
from softcam_core.errors import ManifestError, OutOfMemoryError
from softcam_core.models.softcam import SoftCAM
from softcam_core.training.config import TrainingConfig
from softcam_core.training.loop import Loop
from softcam_core.training.memory import is_out_of_memory
from softcam_core.training.preparation import check_input, check_settings, make_card, make_objective
from softcam_core.training.processes import make_fabric
from softcam_core.training.run_folder import RunFolder
from softcam_core.training.state import Progress

Source = Literal["tensors", "cache", "files"]

SOURCES: tuple[Source, ...] = ("tensors", "cache", "files")
_WARM_UP = 1


@dataclass(frozen=True, slots=True)
class Throughput:
    """Speed of the training loop with images from one source.

    Attributes
    ----------
    images_per_second : float
        Median over the rounds.
    ratio : float
        Median over the rounds of this speed by that on tensors.
    ratio_quartiles : (float, float)
    """

    images_per_second: float
    ratio: float
    ratio_quartiles: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, and on what.

    Attributes
    ----------
    throughput : dict of str to Throughput
        For each of `SOURCES`: finished batches of normalised tensors in memory, so that reading, augmentation,
        normalisation and collation cost nothing; a warm cache on disk; image files, decoded each time.
    device : torch.device
    input_size : (int, int)
        Height and width of the model input.
    images, steps : int
        Of each turn.
    """

    throughput: dict[Source, Throughput]
    device: torch.device
    input_size: tuple[int, int]
    images: int
    steps: int


def training_throughput(
    config: TrainingConfig, rounds: int, steps: int | None = None, on_round: Callable[[], object] = lambda: None
) -> Measured:
    """Time the training loop on the three sources of images, in turns, in one process.

    Each source has a loop of its own, with the same weights, the same images and the same draws, so that all compute
    the same and what else the machine does falls on all alike. A round is an epoch of the first images of the training
    split.

    Parameters
    ----------
    config : TrainingConfig
        `hardware.cache` may name a folder on the disk in question; the system's temporary folder by default.
    rounds : int
        How often each source has its turn; which comes first changes from round to round.
    steps : int, optional
        Of each turn; fewer where there are not enough images. By default 2 on the CPU and 64 elsewhere, where reading
        processes are ahead of the network, and filling them up anew for each turn must not count much.
    on_round : callable
        Called after each round.

    Raises
    ------
    ManifestError
        When there are no training images, or images cannot be read.
    SettingsError
        When images, network and settings do not fit each other, or the memory is too small (then `OutOfMemoryError`).
    """
    config = _steady(config, rounds)
    fabric = make_fabric(config.hardware, {})
    if steps is None:
        steps = 2 if fabric.device.type == "cpu" else 64
    devices = [fabric.device] if fabric.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), tempfile.TemporaryDirectory(prefix="softcam-") as temporary:
        loops = _make_loops(config, fabric, steps, Path(temporary))
        try:
            seconds = measure_in_turns(
                {source: partial(_turn, loop) for source, loop in loops.items()}, rounds, on_round
            )
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = f"the memory of {fabric.device} is too small for batches of {config.training.batch_size}"
            raise OutOfMemoryError(
                config.data.path, reason, "Give a smaller --batch-size or --shorter-side."
            ) from error
        loop = loops["tensors"]
        height, width = loop.datasets["train"][Draw(0, None)].image.shape[1:]
        sizes = loop.steps(0).sizes()
    return Measured(summarise(seconds, sum(sizes)), fabric.device, (height, width), sum(sizes), len(sizes))


def measure_in_turns(
    turns: Mapping[Source, Callable[[int], float]], rounds: int, on_round: Callable[[], object] = lambda: None
) -> dict[Source, list[float]]:
    """Seconds of each turn of each round, after one that does not count.

    Parameters
    ----------
    turns : mapping to callable
        Does a round's work, given its number from 0, and says how long that took.
    rounds : int
    on_round : callable
        Called after each round that counts.
    """
    seconds: dict[Source, list[float]] = {source: [] for source in turns}
    order = list(turns)
    for number in range(_WARM_UP + rounds):
        for source in order:
            took = turns[source](number)
            if number >= _WARM_UP:
                seconds[source].append(took)
        if number >= _WARM_UP:
            on_round()
        order.append(order.pop(0))
    return seconds


def summarise(seconds: Mapping[Source, Sequence[float]], images: int) -> dict[Source, Throughput]:
    """Medians of speeds and of their ratios, pair by pair, where each turn took `images` images."""
    found: dict[Source, Throughput] = {}
    for source, taken in seconds.items():
        low, ratio, high = np.percentile(np.divide(seconds["tensors"], taken), [25, 50, 75])
        found[source] = Throughput(images / float(np.median(taken)), float(ratio), (float(low), float(high)))
    return found


def _steady(config: TrainingConfig, rounds: int) -> TrainingConfig:
    """One process, an epoch for each round, all alike, without files to resume from in between."""
    training = config.training.model_copy(update={"epochs": _WARM_UP + rounds, "freeze_epochs": 0})
    hardware = config.hardware.model_copy(update={"devices": 1, "checkpoint_minutes": 1e9})
    return config.model_copy(update={"training": training, "hardware": hardware})


def _make_loops(config: TrainingConfig, fabric: Fabric, steps: int, temporary: Path) -> dict[Source, Loop]:
    manifest = read_source(config.data)
    check_settings(config, manifest)
    needed = steps * config.training.batch_size * config.training.accumulate
    samples = manifest.split("train")[:needed]
    if not samples:
        raise ManifestError(manifest.path, "there are no training images", "Give a table with a split called train.")
    cache = ImageCache(int(config.hardware.cache_gb * 1e9), config.hardware.cache or temporary / "cache")
    datasets: dict[Source, ImageDataset] = {}
    for source in SOURCES:
        datasets[source] = ImageDataset(
            samples,
            config.preprocessing,
            manifest=manifest.path,
            augmentation=config.augmentation,
            cache=None if source == "files" else cache,
            skip_bad=config.skip_bad,
        )
    loops = {source: _make_loop(config, fabric, manifest, dataset, temporary) for source, dataset in datasets.items()}
    loops["tensors"].read = _Ready(datasets["tensors"], pin=fabric.device.type == "cuda")
    return loops


def _make_loop(
    config: TrainingConfig, fabric: Fabric, manifest: Manifest, dataset: ImageDataset, temporary: Path
) -> Loop:
    statistics, preprocessing = dataset.statistics, config.preprocessing
    if config.measures_normalisation and statistics is not None:
        preprocessing = preprocessing.model_copy(update={"mean": statistics.mean, "std": statistics.std})
    dataset.preprocessing = preprocessing
    torch.manual_seed(config.seed)
    model = SoftCAM.from_card(make_card(config, manifest, preprocessing))
    check_input(model, dataset[Draw(0, None)].image)
    return Loop(
        config, fabric, model, {"train": dataset}, make_objective(config, manifest, dataset), RunFolder(temporary)
    )


class _Ready:
    """Batches that were finished before anybody asks for them."""

    def __init__(self, dataset: ImageDataset, *, pin: bool) -> None:
        self._dataset, self._pin = dataset, pin
        self._batches: list[Any] = []

    def prepare(self, draws: Iterable[list[Draw]]) -> None:
        """Read, change and normalise the images of the next pass."""
        self._batches = []
        for batch in draws:
            items = self._dataset.batch(batch)
            self._batches.append(type(items)(*(t.pin_memory() for t in items)) if self._pin else items)

    def __call__(self, draws: list[list[Draw]]) -> Iterator[Any]:
        return iter(self._batches)


def _turn(loop: Loop, number: int) -> float:
    """Seconds that a loop takes for an epoch."""
    loop.progress = Progress(epoch=number, step_size=loop.batch_size * loop.accumulate)
    if isinstance(loop.read, _Ready):
        loop.read.prepare(batch for step in loop.steps(number).batches() for batch in step)
    start = time.perf_counter()
    loop.train_epoch()
    if loop.fabric.device.type == "cuda":
        torch.cuda.synchronize(loop.fabric.device)
    return time.perf_counter() - start
