"""Colour maps for evidence: colour-blind safe, diverging for signed maps and sequential for unsigned ones.

In the first of each kind low values are dark, so that what matters is bright on a dark film; others are well known
from papers. Tables have 256 entries.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class ColorMap:
    """A named colour map.

    Attributes
    ----------
    name, title : str
        Key, and what people read.
    kind : {"diverging", "sequential"}
        Diverging maps have zero in the middle.
    anchors : tuple of str, or str
        Colours ("rrggbb") at equal distances, from the lowest to the highest value; or a name in cmap's catalogue.
    """

    name: str
    title: str
    kind: Literal["diverging", "sequential"]
    anchors: tuple[str, ...] | str

    def table(self) -> npt.NDArray[np.uint8]:
        """Colours, (256, 3) uint8 RGB."""
        if isinstance(self.anchors, str):
            import cmap  # not above: it takes a tenth of a second, and the window does not wait for it

            colors = np.asarray(cmap.Colormap(self.anchors)(np.linspace(0, 1, 256)))[:, :3]
            return np.rint(colors * 255).astype(np.uint8)
        rgb = np.array([[int(a[i : i + 2], 16) for i in (0, 2, 4)] for a in self.anchors], dtype=np.float64)
        at = np.linspace(0, len(rgb) - 1, 256)
        channels = [np.interp(at, np.arange(len(rgb)), rgb[:, channel]) for channel in range(3)]
        return np.stack(channels, axis=1).round().astype(np.uint8)


COLORMAPS: dict[str, ColorMap] = {
    m.name: m
    for m in (
        ColorMap(
            "blue-orange",
            "Blue–orange",
            "diverging",
            ("b9ddff", "7cbcff", "4aa3ff", "245a9c", "14181f", "9a5a1c", "ff9a3c", "ffbf73", "ffe2a8"),
        ),
        ColorMap(
            "teal-magenta",
            "Teal–magenta",
            "diverging",
            ("c3f3e6", "7fdcc6", "35b89c", "17604f", "14181f", "7d2466", "d24fae", "ea8fd0", "fbcdee"),
        ),
        ColorMap("berlin", "Berlin (blue–red, dark middle)", "diverging", "crameri:berlin"),
        ColorMap("vik", "Vik (blue–red, light middle)", "diverging", "crameri:vik"),
        ColorMap(
            "amber", "Amber", "sequential", ("14181f", "4a2a10", "9a5a1c", "d97f2b", "ff9a3c", "ffbf73", "ffe2a8")
        ),
        ColorMap(
            "violet-gold",
            "Violet–gold",
            "sequential",
            ("12141f", "2c2a66", "58408f", "8f5597", "c9727f", "f29f62", "ffe08a"),
        ),
        ColorMap("viridis", "Viridis", "sequential", "matplotlib:viridis"),
        ColorMap("magma", "Magma", "sequential", "matplotlib:magma"),
        ColorMap("batlow", "Batlow", "sequential", "crameri:batlow"),
    )
}

DEFAULT_DIVERGING = "blue-orange"
DEFAULT_SEQUENTIAL = "violet-gold"
