"""Labelled images as a torch data set: surveyed once, decoded once where a cache keeps them, changed at random."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from softcam_core.data.augmentation import Augmentation, Change
from softcam_core.data.cache import ImageCache, entry_name
from softcam_core.data.manifest import Sample
from softcam_core.data.prepared import WHITE, Prepared, Stored, Summary, box_region, prepare, prepare_mask
from softcam_core.errors import ImageReadError, ManifestError, SettingsError
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.preprocessing import Preprocessing, Triple

_MAX_SHOWN = 20
_SMALLEST_STD = 1e-3


class Draw(NamedTuple):
    """What a sampler asks for.

    Attributes
    ----------
    index : int
        Of the sample.
    seed : int or None
        At least 0; decides the augmentation. None for none, as in validation.
    """

    index: int  # type: ignore[assignment] # hides a method of tuples that nobody needs here
    seed: int | None


class Item(NamedTuple):
    """One image as the network sees it; `torch.utils.data.default_collate` makes a batch of them.

    Attributes
    ----------
    image : Tensor, (3, h, w) float32
        Normalised.
    label : Tensor, () int64 or (K,) float32
        Index of the class; for multi-label samples 0 or 1 for each class.
    index : Tensor, () int64
        Of the sample.
    """

    image: Tensor
    label: Tensor
    index: Tensor  # type: ignore[assignment]


class AnnotatedItem(NamedTuple):
    """An `Item` and what was annotated in it.

    Attributes
    ----------
    image, label, index : Tensor
        See `Item`.
    mask : Tensor, (1, h, w) float32 in [0, 1]
        The sample's mask, else the union of its boxes, else 0; it moved with the image.
    """

    image: Tensor
    label: Tensor
    index: Tensor  # type: ignore[assignment]
    mask: Tensor


class FlaggedItem(NamedTuple):
    """An `Item` and places in it that something was said about.

    Attributes
    ----------
    image, label, index : Tensor
        See `Item`.
    places : Tensor, (R, h, w) float32 in [0, 1]
        Coverage of the pixels; they moved with the image. Of a batch, those of all its images.
    owners : Tensor, (R,) int64
        Number of the image in the batch that each place is in.
    numbers : Tensor, (R,) int64
        Number of each place within its image.
    """

    image: Tensor
    label: Tensor
    index: Tensor  # type: ignore[assignment]
    places: Tensor
    owners: Tensor
    numbers: Tensor


AnyItem = Item | AnnotatedItem | FlaggedItem
Places = Callable[[Sample, Geometry], npt.NDArray[np.float32]]
"""Places in a sample, (R, H', W') in [0, 1] on the stored pixels; R may be 0."""


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Mean and standard deviation over all pixels, on a scale where black is 0 and white is 1."""

    mean: Triple
    std: Triple


@dataclass(frozen=True, slots=True)
class _Known:
    """What the survey found out about a sample; the names are empty where nothing is kept."""

    summary: Summary
    image: str
    mask: str


_Result = _Known | ImageReadError


class ImageDataset(Dataset[AnyItem]):
    """Images as the network sees them, with their labels.

    All images are surveyed when the data set is made, so that every one that cannot be used is known before training
    starts. What the cache holds is not decoded for that. An item depends on its sample, the settings and the draw's
    seed alone, bit for bit: not on the cache, the process or the order.

    Parameters
    ----------
    samples : sequence of Sample
    preprocessing : Preprocessing
        May be replaced later (`preprocessing`) by one that differs in `mean` and `std` alone.
    manifest : Path
        The table that lists the samples, for error messages.
    augmentation : Augmentation, optional
        What happens to images that are drawn with a seed.
    cache : ImageCache, optional
        Where decoded images are kept; without one they are decoded each time.
    regions : bool
        Give `AnnotatedItem`; masks are read, and kept, with their images.
    skip_bad : bool
        Leave samples out that cannot be read (`skipped`).
    on_read : callable, optional
        Called after each sample that was surveyed.

    Attributes
    ----------
    places : callable or None
        Where set, the data set gives `FlaggedItem`.
    samples : tuple of Sample
        Those that can be used.
    skipped : tuple of (Sample, str)
        Those that were left out, and why.
    statistics : ChannelStatistics or None
        Of the model inputs without augmentation; None where there are no samples.

    Raises
    ------
    ManifestError
        When images or masks cannot be read; all of them are listed with their rows. With `skip_bad` when no sample is
        left.
    SettingsError
        When the model inputs have different sizes.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        preprocessing: Preprocessing,
        *,
        manifest: Path,
        augmentation: Augmentation | None = None,
        cache: ImageCache | None = None,
        regions: bool = False,
        skip_bad: bool = False,
        on_read: Callable[[], object] | None = None,
    ) -> None:
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.regions = regions
        self.places: Places | None = None
        self._cache = cache
        found: list[tuple[Sample, _Known]] = []
        bad: list[tuple[Sample, ImageReadError]] = []
        for sample, result in zip(samples, self._survey(samples, on_read), strict=True):
            if isinstance(result, ImageReadError):
                bad.append((sample, result))
            else:
                found.append((sample, result))
        if bad and not (skip_bad and found):
            raise _unreadable(manifest, bad)
        _check_sizes(manifest, found)
        self.samples = tuple(sample for sample, _ in found)
        self.skipped = tuple((sample, str(error)) for sample, error in bad)
        self.statistics = _statistics([known.summary for _, known in found])
        self._names = [(known.image, known.mask) for _, known in found]
        self._input_size = found[0][1].summary.geometry.input_size if found else (0, 0)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, draw: Draw | int) -> AnyItem:
        """One sample, changed as the draw's seed decides; an index alone stands for a draw without seed."""
        image = torch.empty(3, *self._input_size)
        return self._item(draw, image)

    def batch(self, draws: Sequence[Draw | int]) -> AnyItem:
        """Several samples stacked, each image written to where it lies in the batch: (B, 3, h, w) and so on."""
        images = torch.empty(len(draws), 3, *self._input_size)
        items = [self._item(draw, image) for draw, image in zip(draws, images, strict=True)]
        if self.places is not None:
            return _flagged(images, [item for item in items if isinstance(item, FlaggedItem)])
        rest = [torch.stack(field) for field in list(zip(*items, strict=True))[1:]]
        return type(items[0])(images, *rest)

    def _item(self, draw: Draw | int, image: Tensor) -> AnyItem:
        """One sample, its image (3, h, w) written to where it is wanted."""
        index, seed = draw if isinstance(draw, tuple) else (draw, None)
        sample, (name, mask_name) = self.samples[index], self._names[index]
        prepared = self._kept(name) or self._keep(name, prepare(sample.path, self.preprocessing))
        geometry = prepared.summary.geometry
        change = None
        if self.augmentation is not None and seed is not None:
            change = self.augmentation.draw(seed, geometry)
        shown = _model_input(prepared.pixels, geometry, change)
        if change is not None:
            shown = change.recolour(shown)
        _normalise(shown, self.preprocessing, image)
        item = Item(image, _label(sample), torch.tensor(index))
        if self.places is not None:
            places = torch.from_numpy(self.places(sample, geometry))
            if len(places):
                places = _centre(places, geometry) if change is None else change.move(places)
            count = len(places)
            places = places.reshape(count, *geometry.input_size)
            return FlaggedItem(*item, places, torch.zeros(count, dtype=torch.int64), torch.arange(count))
        if not self.regions:
            return item
        return AnnotatedItem(*item, self._region(sample, mask_name, geometry, change))

    def _region(self, sample: Sample, name: str, geometry: Geometry, change: Change | None) -> Tensor:
        if sample.mask is None:
            region = torch.from_numpy(box_region(sample.boxes, geometry))
            return _centre(region, geometry) if change is None else change.move(region)
        mask = self._kept(name) or self._keep(name, prepare_mask(sample.mask, geometry, self.preprocessing))
        return _model_input(mask.pixels, geometry, change)

    def _kept(self, name: str) -> Prepared | None:
        return self._cache.get(name) if self._cache is not None and name else None

    def _keep(self, name: str, prepared: Prepared) -> Prepared:
        """Replace what the survey saw in the cache and is damaged or gone; what found no room then has no name."""
        if self._cache is not None and name:
            self._cache.add(name, prepared, make_room=False)
        return prepared

    def _survey(self, samples: Sequence[Sample], on_read: Callable[[], object] | None) -> Iterator[_Result]:
        """Look at every sample; what the cache does not hold is decoded, and kept where there is room."""
        pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))  # decoders release the interpreter's lock
        try:
            names = list(pool.map(self._name, samples))
            if self._cache is not None:
                self._cache.claim(name for pair in names if isinstance(pair, tuple) for name in pair if name)
            for result in pool.map(self._examine, samples, names):
                if on_read is not None:
                    on_read()
                yield result
        finally:
            pool.shutdown(cancel_futures=True)  # after an interruption nobody waits for the rest

    def _name(self, sample: Sample) -> tuple[str, str] | ImageReadError:
        """Names in the cache of an image and of its mask."""
        try:
            name = entry_name(sample.path, self.preprocessing)
            has_mask = self.regions and sample.mask is not None
            return name, entry_name(sample.mask, self.preprocessing, name) if has_mask and sample.mask else ""
        except ImageReadError as error:
            return error

    def _examine(self, sample: Sample, names: tuple[str, str] | ImageReadError) -> _Result:
        if isinstance(names, ImageReadError):
            return names
        name, mask_name = names
        try:
            summary, is_kept = self._looked_up(name, lambda: prepare(sample.path, self.preprocessing))
            geometry, mask, has_mask = summary.geometry, sample.mask, False
            if self.regions and mask is not None:
                _, has_mask = self._looked_up(mask_name, lambda: prepare_mask(mask, geometry, self.preprocessing))
        except ImageReadError as error:
            return error
        return _Known(summary, name if is_kept else "", mask_name if has_mask else "")

    def _looked_up(self, name: str, make: Callable[[], Prepared]) -> tuple[Summary, bool]:
        """Summary of an image, and whether the cache has it now."""
        if self._cache is not None and (known := self._cache.summary(name)) is not None:
            return known, True
        prepared = make()
        return prepared.summary, self._cache is not None and self._cache.add(name, prepared)


def _flagged(images: Tensor, items: Sequence[FlaggedItem]) -> FlaggedItem:
    """A batch of flagged items; the places of all its images come one after another."""
    return FlaggedItem(
        images,
        torch.stack([item.label for item in items]),
        torch.stack([item.index for item in items]),
        torch.cat([item.places for item in items]),
        torch.cat([item.owners + number for number, item in enumerate(items)]),
        torch.cat([item.numbers for item in items]),
    )


def _centre(pixels: Tensor, geometry: Geometry) -> Tensor:
    """(C, H', W') -> the model input's part (C, h, w)."""
    (top, left), (height, width) = geometry.origin, geometry.input_size
    return pixels[:, top : top + height, left : left + width]


def _model_input(stored: Stored, geometry: Geometry, change: Change | None) -> Tensor:
    """Stored pixels -> (C, h, w) float32 in [0, 1]."""
    # Here and below in numpy: torch's threads share even so little work, and on a busy machine they wait for each other
    # longer than it takes.
    pixels = torch.from_numpy(np.divide(stored, np.float32(WHITE), dtype=np.float32))
    return _centre(pixels, geometry) if change is None else change.move(pixels)


def _normalise(shown: Tensor, preprocessing: Preprocessing, image: Tensor) -> None:
    """(1 or 3, h, w) in [0, 1] -> (3, h, w), as the network sees it."""
    out = image.numpy()
    mean, std = (np.array(value, np.float32)[:, None, None] for value in (preprocessing.mean, preprocessing.std))
    np.divide(np.subtract(shown.numpy(), mean, out=out), std, out=out)


def _label(sample: Sample) -> Tensor:
    label = sample.label
    return torch.tensor(label) if isinstance(label, int) else torch.tensor(label, dtype=torch.float32)


def _unreadable(manifest: Path, bad: Sequence[tuple[Sample, ImageReadError]]) -> ManifestError:
    count = len(bad)
    lines = [f"\n  row {sample.row}: {error}" for sample, error in bad[:_MAX_SHOWN]]
    lines += [f"\n  and {count - _MAX_SHOWN} more"] * (count > _MAX_SHOWN)
    reason = f"{count} image{'s' * (count > 1)} cannot be read:" + "".join(lines).rstrip(".")
    return ManifestError(manifest, reason, "\nReplace these files or take their rows out.")


def _check_sizes(manifest: Path, found: Sequence[tuple[Sample, _Known]]) -> None:
    sizes: dict[tuple[int, int], Sample] = {}
    for sample, known in found:
        sizes.setdefault(known.summary.geometry.input_size, sample)
    if len(sizes) > 1:
        (a, first), (b, second) = list(sizes.items())[:2]
        raise SettingsError(
            manifest,
            f"the images have {len(sizes)} different sizes after resizing ({a[0]} x {a[1]} in row {first.row}, "
            f"{b[0]} x {b[1]} in row {second.row})",
            "Give --crop HEIGHT WIDTH, so that they can be trained on together.",
        )


def _statistics(summaries: Sequence[Summary]) -> ChannelStatistics | None:
    """Over all pixels of all images; a grey image counts the same for each channel."""
    pixels = sum(height * width for height, width in (s.geometry.input_size for s in summaries))
    if not pixels:
        return None
    means, stds = [], []
    for channel in range(3):
        # Whole numbers: the difference below would lose digits of sums of floats.
        total = sum(s.sums[channel % s.channels] for s in summaries)
        squares = sum(s.squares[channel % s.channels] for s in summaries)
        means.append(round(total / pixels / WHITE, 5))
        spread = math.sqrt((pixels * squares - total**2) / pixels**2) / WHITE
        stds.append(round(max(spread, _SMALLEST_STD), 5))
    return ChannelStatistics((means[0], means[1], means[2]), (stds[0], stds[1], stds[2]))
