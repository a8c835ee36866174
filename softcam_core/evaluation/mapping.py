"""One method's maps of a few images, of the classes that figures are about, with what they took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from softcam_core.evaluation.plan import Contender
from softcam_core.explainers.base import Maps
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import Watch

_THUMBNAIL = 128  # pixels a side, at most


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which maps an image needs.

    Attributes
    ----------
    finding : Target or None
        Of what is annotated in it.
    label : Target or None
        Of the class that says what the image is.
    predicted : Target or None
        Of the class that the model predicts.
    """

    finding: Target | None
    label: Target | None
    predicted: Target | None

    @property
    def targets(self) -> tuple[Target, ...]:
        """Each once."""
        asked = (self.finding, self.label, self.predicted)
        return tuple(dict.fromkeys(target for target in asked if target is not None))


@dataclass(slots=True)
class Mapped:
    """Maps of some images, by the image's place among them.

    Attributes
    ----------
    grids : dict
        (image, target) -> the map on its own grid, (h, w).
    on_input : dict
        (image, target) -> the map on the model input, (H, W); NaN throughout where the method gave no numbers.
    seconds : dict
        Image -> time of a map.
    peak_memory : dict
        Image -> MiB on the device beyond what was taken before, of all images explained with it; empty on the CPU.
    errors : dict
        (image, target) -> conservation error, for methods that have one.
    lost : int
        Maps in which there were values that are no numbers.
    notes : tuple of str
        Of the method, sentences.
    """

    grids: dict[tuple[int, Target], Tensor] = field(default_factory=dict)
    on_input: dict[tuple[int, Target], Tensor] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    peak_memory: dict[int, float] = field(default_factory=dict)
    errors: dict[tuple[int, Target], float] = field(default_factory=dict)
    lost: int = 0
    notes: tuple[str, ...] = ()


def make_maps(contender: Contender, images: Tensor, wanted: Sequence[Wanted], watch: Watch) -> Mapped:
    """Explain images, those that need the same number of maps together.

    Parameters
    ----------
    contender : Contender
    images : Tensor, (B, 3, H, W)
        On the network's device.
    wanted : sequence of Wanted, B
    watch : Watch

    Raises
    ------
    SettingsError, CancelledError
        As `Explainer.__call__`.
    """
    found = Mapped()
    counts = sorted({len(each.targets) for each in wanted} - {0})
    for number, count in enumerate(counts):
        places = [place for place, each in enumerate(wanted) if len(each.targets) == count]
        targets = [wanted[place].targets for place in places]
        maps, seconds, peak = _timed(contender, images[places], targets, watch.part(number, len(counts)))
        height, width = images.shape[2:]
        on_input = maps.on_input((height, width))
        finite = on_input.isfinite().all(-1, keepdim=True).all(-2, keepdim=True)
        on_input = on_input.where(finite, torch.nan)
        found.notes = tuple(dict.fromkeys((*found.notes, *maps.notes)))
        for row, place in enumerate(places):
            found.seconds[place] = seconds / (len(places) * count)
            if peak is not None:
                found.peak_memory[place] = peak
            for column, target in enumerate(targets[row]):
                found.grids[place, target] = maps.values[row, column]
                found.on_input[place, target] = on_input[row, column]
                if maps.errors is not None:
                    found.errors[place, target] = float(maps.errors[row, column])
                found.lost += not bool(finite[row, column])
    return found


def _timed(
    contender: Contender, images: Tensor, targets: Sequence[Sequence[Target]], watch: Watch
) -> tuple[Maps, float, float | None]:
    """Maps, the seconds they took and the MiB beyond what was taken before."""
    device = images.device
    before = 0
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    start = time.perf_counter()
    maps = contender.explainer(contender.network.model, images, targets, watch=watch)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - start
    peak = (torch.cuda.max_memory_allocated(device) - before) / 2**20 if device.type == "cuda" else None
    return maps, seconds, peak


def thumbnail_map(on_input: Tensor) -> Tensor:
    """A map small enough to be kept, (h, w) int8: 127 stands for its largest absolute value."""
    height, width = on_input.shape
    factor = max(1.0, max(height, width) / _THUMBNAIL)
    size = max(1, round(height / factor)), max(1, round(width / factor))
    small = functional.adaptive_avg_pool2d(on_input.nan_to_num()[None, None].double(), size)[0, 0]
    largest = float(small.abs().max())
    return (small * (127 / largest if largest > 0 else 0.0)).round().to(torch.int8).cpu()
