"""Batches from a data set, read in this process or in others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader, Dataset

from softcam_core.data.dataset import AnyItem, Draw, ImageDataset
from softcam_core.training.config import HardwareConfig

_MOST_WORKERS = 8


def make_loader(
    dataset: ImageDataset,
    batches: Iterable[list[Draw]],
    fabric: Fabric,
    config: HardwareConfig,
    *,
    persistent: bool = False,
) -> DataLoader[Any]:
    """Batches of images (B, 3, h, w), labels (B,) or (B, K) and indexes (B,) on the CPU.

    Parameters
    ----------
    dataset : ImageDataset
    batches : iterable
        What to draw, batch by batch; asked anew for each pass.
    fabric : Fabric
    config : HardwareConfig
    persistent : bool
        Whether reading processes stay between passes.
    """
    workers = config.workers
    if workers is None:
        workers = default_workers(fabric.device, fabric.world_size)
    return DataLoader(
        _InBatches(dataset),
        batch_size=None,
        sampler=batches,
        num_workers=workers,
        persistent_workers=persistent and workers > 0,
        pin_memory=fabric.device.type == "cuda",
    )


class _InBatches(Dataset[AnyItem]):
    """A data set whose items are whole batches."""

    def __init__(self, dataset: ImageDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, draws: list[Draw]) -> AnyItem:
        return self._dataset.batch(draws)


def default_workers(device: torch.device, processes: int) -> int:
    """How many processes read images for one that trains: none on the CPU, where they would take its cores away."""
    if device.type != "cuda":
        return 0
    return min(_MOST_WORKERS, (os.cpu_count() or 1) // processes)


class TrainingBatches:
    """Batches of a data set, pass by pass, whose reading processes stay in between.

    Parameters
    ----------
    dataset : ImageDataset
    fabric : Fabric
    config : HardwareConfig
    """

    def __init__(self, dataset: ImageDataset, fabric: Fabric, config: HardwareConfig) -> None:
        self._draws: list[list[Draw]] = []  # the loader asks this very list anew for each pass
        self._loader = make_loader(dataset, self._draws, fabric, config, persistent=True)

    def __call__(self, draws: Iterable[list[Draw]]) -> Iterator[Any]:
        """One pass: a batch for each list of draws, see `make_loader`."""
        self._draws[:] = draws
        return iter(self._loader)
