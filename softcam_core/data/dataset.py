"""Labelled images as a torch data set: decoded and resized once, kept in memory where they fit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from softcam_core.data.manifest import Sample
from softcam_core.errors import ImageReadError, ManifestError, SettingsError
from softcam_core.imaging.preprocessing import Preprocessing, Triple
from softcam_core.imaging.readers import read_image

DEFAULT_MEMORY_BUDGET = 4 * 2**30

_MAX_SHOWN = 20
_SMALLEST_STD = 1e-3


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Mean and standard deviation over all pixels, on a scale where black is 0 and white is 1."""

    mean: Triple
    std: Triple


class ImageDataset(Dataset[tuple[Tensor, int]]):
    """Images as the network sees them, with their labels.

    All images are read once when the data set is made, so that every one that cannot be read is known before
    training starts. Grey images are kept as one channel. The first ones that fit the budget stay in memory, the others
    are read again each time.

    Parameters
    ----------
    samples : sequence of Sample
    preprocessing : Preprocessing
        May be replaced later (`preprocessing`) by one that differs in `mean` and `std` alone.
    manifest : Path
        The table that lists the samples, for error messages.
    flip_horizontal, flip_vertical : bool
        Mirror half of the images at random, drawn from torch's generator.
    memory_budget : int
        Bytes that may be kept.
    on_read : callable, optional
        Called after each image that was read first.

    Raises
    ------
    ManifestError
        When images cannot be read; all of them are listed with their rows.
    SettingsError
        When the model inputs have different sizes.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        preprocessing: Preprocessing,
        *,
        manifest: Path,
        flip_horizontal: bool = False,
        flip_vertical: bool = False,
        memory_budget: int = DEFAULT_MEMORY_BUDGET,
        on_read: Callable[[], object] | None = None,
    ) -> None:
        self.samples = tuple(samples)
        self.preprocessing = preprocessing
        self.statistics: ChannelStatistics | None = None
        self._flips = flip_horizontal, flip_vertical
        self._kept: dict[int, npt.NDArray[np.float32]] = {}
        self._read_all(manifest, memory_budget, on_read)

    @property
    def is_in_memory(self) -> bool:
        """True where no image has to be read again."""
        return len(self._kept) == len(self.samples)

    @property
    def bytes_in_memory(self) -> int:
        """Size of the images kept."""
        return sum(image.nbytes for image in self._kept.values())

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Model input (3, h, w) float32 and the label."""
        kept = self._kept.get(index)
        resized = self._read(index) if kept is None else kept
        tensor = torch.from_numpy(self.preprocessing.normalised(resized))
        dims = [dim for dim, flips in zip((2, 1), self._flips, strict=True) if flips and torch.rand(()) < 0.5]
        return (tensor.flip(dims) if dims else tensor), self.samples[index].label

    def _read(self, index: int) -> npt.NDArray[np.float32]:
        return self.preprocessing.resized(read_image(self.samples[index].path))

    def _read_all(self, manifest: Path, budget: int, on_read: Callable[[], object] | None) -> None:
        unreadable: list[str] = []
        sizes: dict[tuple[int, ...], Sample] = {}
        sums, squares, pixels = np.zeros(3), np.zeros(3), 0

        def attempt(index: int) -> npt.NDArray[np.float32] | ImageReadError:
            try:
                return self._read(index)
            except ImageReadError as error:
                return error

        pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))  # decoders release the interpreter's lock
        try:
            for index, result in enumerate(pool.map(attempt, range(len(self)))):
                if on_read is not None:
                    on_read()
                if isinstance(result, ImageReadError):
                    unreadable.append(f"\n  row {self.samples[index].row}: {result}")
                    continue
                sizes.setdefault(result.shape[:2], self.samples[index])
                area = result.shape[0] * result.shape[1]
                sums += area * result.mean(axis=(0, 1), dtype=np.float64)
                squares += area * np.square(result).mean(axis=(0, 1), dtype=np.float64)
                pixels += area
                budget -= result.nbytes
                if budget >= 0:
                    self._kept[index] = np.ascontiguousarray(result)
        finally:
            pool.shutdown(cancel_futures=True)  # after an interruption nobody waits for the rest
        if unreadable:
            count = len(unreadable)
            lines = unreadable[:_MAX_SHOWN] + [f"\n  and {count - _MAX_SHOWN} more"] * (count > _MAX_SHOWN)
            reason = f"{count} image{'s' * (count > 1)} cannot be read:" + "".join(lines).rstrip(".")
            raise ManifestError(manifest, reason, "\nReplace these files or take their rows out.")
        if len(sizes) > 1:
            (a, first), (b, second) = list(sizes.items())[:2]
            raise SettingsError(
                manifest,
                f"the images have {len(sizes)} different sizes after resizing ({a[0]} x {a[1]} in row {first.row}, "
                f"{b[0]} x {b[1]} in row {second.row})",
                "Give --crop HEIGHT WIDTH, so that they can be trained on together.",
            )
        if pixels:
            mean = sums / pixels
            std = np.sqrt(np.maximum(squares / pixels - mean**2, _SMALLEST_STD**2))
            self.statistics = ChannelStatistics(_triple(mean), _triple(std))


def _triple(values: npt.NDArray[np.float64]) -> Triple:
    red, green, blue = (round(float(value), 5) for value in values)
    return red, green, blue
