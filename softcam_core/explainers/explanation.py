"""Explanation: why a model gave its logits for one image, ready to be laid over the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from softcam_core.imaging.geometry import Geometry

if TYPE_CHECKING:
    from softcam_core.explainers.base import About, Scale
    from softcam_core.explainers.targets import Target
    from softcam_core.models.card import ModelCard

Class = str | int
Sign = Literal["both", "positive", "negative"]
"""Which values of a map are shown or counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why a model gave its logits for one image.

    Attributes
    ----------
    about : About
        The method.
    method : str
        The method with its options, as commands take it.
    card : ModelCard
        Of the model explained.
    logits, probabilities : ndarray, (K,) float32
    targets : tuple of Target
        What the maps are of.
    grid : ndarray, (T, h, w) float32
        One signed map a target. For SoftCAM's evidence there is one a class, and its mean over (h, w) is the logit.
    scale : {"mean", "sum", "change", "relative"}
    unit : str
        See `softcam_core.explainers.base.Maps`.
    geometry : Geometry
        From the image to the model input the grid lies on.
    seconds : float
        Time the method took on the model input.
    device : str
        Where it ran.
    warnings : tuple of str
        One for each target, what is wrong with its map; empty for nothing.
    notes : tuple of str
        What should be known of all maps, sentences.
    offset : ndarray, (K,) float32
        For SoftCAM's evidence what the model says of each class where its features are zero, part of every value of
        its map (`softcam_core.models.softcam.SoftCAM.offset`); 0 for other methods, and where it is not given.
    """

    about: About
    method: str
    card: ModelCard
    logits: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    targets: tuple[Target, ...]
    grid: npt.NDArray[np.float32]
    scale: Scale
    unit: str
    geometry: Geometry
    seconds: float
    device: str
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    offset: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def __post_init__(self) -> None:
        """Give each class an offset."""
        if not self.offset.size:
            object.__setattr__(self, "offset", np.zeros(len(self.logits), dtype=np.float32))

    @property
    def is_evidence(self) -> bool:
        """True for the model's own evidence, whose maps have the logits as their means and can be subtracted."""
        return self.scale == "mean"

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names, in the order of the logits."""
        return self.card.class_names

    @property
    def predicted(self) -> int:
        """Index of the class with the highest logit."""
        return int(np.argmax(self.logits))

    def index(self, target: Class) -> int:
        """Index of a class given by name or index; raises KeyError or IndexError naming what there is."""
        if isinstance(target, str):
            return self.card.class_index(target)
        if not 0 <= target < len(self.class_names):
            raise IndexError(f"class {target} of {len(self.class_names)}")
        return int(target)

    def default_view(self) -> tuple[int, int | None]:
        """Class to show, and class to take away from it, when nobody asked for others.

        The predicted class by itself; of two exclusive classes the second against the first, because only their
        difference matters. By custom the second is the finding, so evidence for it has one colour in all images.
        """
        if self.card.task == "single_label" and len(self.class_names) == 2:
            return 1, 0
        return self.predicted, None

    def target(self, of: Class, against: Class | None = None) -> Target:
        """The target of a class given by name or index, by itself, against another class or against "rest".

        Raises
        ------
        KeyError, IndexError
            See `index`.
        """
        from softcam_core.explainers.targets import Target

        other: int | Literal["rest"] | None
        if against is None or (against == "rest" and "rest" not in self.class_names):
            other = None if against is None else "rest"
        else:
            other = self.index(against)
        return Target(self.index(of), other)

    def map_of(self, target: Class, against: Class | None = None) -> npt.NDArray[np.float32]:
        """Map of a class, of one class against another, or against "rest", (h, w).

        The evidence of one class less that of another has the log-odds of the two under softmax as its mean, and the
        offset that softmax ignores is gone.

        Raises
        ------
        KeyError
            When the method was not asked for this map, and it is not the difference of those it was asked for.
        """
        wanted = self.target(target, against)
        if wanted in self.targets:
            return np.asarray(self.grid[self.targets.index(wanted)], dtype=np.float32)
        if not self.is_evidence:
            raise KeyError(f"{self.about.title} was not asked for {wanted.title(self.class_names)}")
        grid = self.grid[wanted.of]
        if wanted.against == "rest":
            rest = (self.grid.sum(0) - grid) / (len(self.class_names) - 1)
            return np.asarray(grid - rest, dtype=np.float32)
        assert wanted.against is not None
        return np.asarray(grid - self.grid[wanted.against], dtype=np.float32)

    def offset_of(self, target: Class, against: Class | None = None) -> float:
        """The part of `map_of` that is the same at every place and owed to none, in the map's unit.

        Raises
        ------
        KeyError, IndexError
            See `index`.
        """
        wanted = self.target(target, against)
        offsets = self.offset.astype(np.float64)
        own = offsets[wanted.of]
        if wanted.against is None:
            return float(own)
        if wanted.against == "rest":
            return float(own - (offsets.sum() - own) / (len(offsets) - 1))
        return float(own - offsets[wanted.against])

    def unit_of(self, target: Class, against: Class | None = None) -> str:
        """What the numbers of a map are, in words; empty where they mean something within the map alone.

        One class against another has log-odds where classes exclude each other, and a difference of logits elsewhere.
        What changes when a place is covered begins with a delta.

        Raises
        ------
        KeyError, IndexError
            See `index`.
        """
        wanted = self.target(target, against)
        if not self.unit:
            return ""
        unit = self.unit
        if wanted.against is not None:
            is_exact = self.card.task == "single_label" and wanted.against != "rest"
            unit = "log-odds" if is_exact else f"{unit} difference"
        return f"Δ {unit}" if self.scale == "change" else unit

    def warning(self, target: Class, against: Class | None = None) -> str:
        """What is wrong with the map of a target, a sentence; empty for nothing."""
        wanted = self.target(target, against)
        return self.warnings[self.targets.index(wanted)] if self.warnings and wanted in self.targets else ""

    def on_image(self, target: Class, against: Class | None = None) -> npt.NDArray[np.float32]:
        """Map spread over the original pixels.

        Returns
        -------
        ndarray, (H, W) float32
            NaN outside the analysed area.
        """
        return self.geometry.on_image(self.map_of(target, against))

    def shares(self, target: Class, against: Class | None = None) -> npt.NDArray[np.float64]:
        """Exact share of each original pixel in the mean of the map.

        Returns
        -------
        ndarray, (H, W) float64
            For evidence it sums to the logit (with `against`: to the log-odds); 0 outside the analysed area.
        """
        return self.geometry.shares(self.map_of(target, against))
