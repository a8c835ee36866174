"""Windows that are ready to use for an image: its file's, those made from its values, and those of its modality."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from softcam_core.imaging.image import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from softcam_core.imaging.image import MedicalImage

SAMPLES = 256
"""Pixels a side that percentiles are of: more would tell the same, and make the window wait."""
PERCENTILES = {"Middle 98 % of the values": (1.0, 99.0), "All values": (0.0, 100.0)}
# Centre and width in Hounsfield units, as radiology's textbooks and viewers have them.
CT_WINDOWS = {
    "Soft tissue": (40.0, 400.0),
    "Lung": (-600.0, 1500.0),
    "Bone": (400.0, 1800.0),
    "Brain": (40.0, 80.0),
}


@dataclass(frozen=True, slots=True)
class WindowPreset:
    """A window with its name; made when it is wanted."""

    title: str
    make: Callable[[], Window]


def window_presets(image: MedicalImage) -> tuple[WindowPreset, ...]:
    """All there are for an image, those of its file first, or the standard one; at least three."""
    named = image.window_presets
    found = [] if named else [WindowPreset("Standard", partial(_same, image.window))]
    for number, (name, window) in enumerate(named, 1):
        title = "File" if len(named) == 1 else f"File {number}"
        found.append(WindowPreset(f"{title}: {name}" if name else title, partial(_same, window)))
    down, across = (max(1, size // SAMPLES) for size in image.size)
    few = image.presentation[::down, ::across]
    found += [
        WindowPreset(title, partial(Window.from_percentiles, few, low, high))
        for title, (low, high) in PERCENTILES.items()
    ]
    if image.modality == "CT":
        found += [WindowPreset(title, partial(_centred, *window)) for title, window in CT_WINDOWS.items()]
    return tuple(found)


def _same(window: Window) -> Window:
    return window


def _centred(center: float, width: float) -> Window:
    return Window.from_limits(center - width / 2, center + width / 2)
