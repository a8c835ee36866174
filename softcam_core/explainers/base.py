"""Explanation, what every method gives, and Explainer, what every method is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from softcam_core.imaging.geometry import Geometry

if TYPE_CHECKING:
    from softcam_core.imaging.image import MedicalImage
    from softcam_core.models.card import ModelCard
    from softcam_core.models.softcam import SoftCAM

Class = str | int


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why a model gave its logits for one image.

    Attributes
    ----------
    method : str
        Name of the explainer.
    card : ModelCard
        Of the model explained.
    logits, probabilities : ndarray, (K,) float32
    grid : ndarray, (K, h, w) float32
        One signed map a class. For ``method="evidence"`` its mean over (h, w) is the logit.
    geometry : Geometry
        From the image to the model input the grid lies on.
    seconds : float
        Time the method took on the model input.
    device : str
        Where it ran.
    """

    method: str
    card: ModelCard
    logits: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    grid: npt.NDArray[np.float32]
    geometry: Geometry
    seconds: float
    device: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names, in the order of the maps."""
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

    def map_of(self, target: Class, against: Class | None = None) -> npt.NDArray[np.float32]:
        """Map of a class, or the map of one class minus that of another, (h, w).

        With `against`, the mean of an evidence map is the log-odds of the two classes under softmax, and the
        offset that softmax ignores is gone.
        """
        grid = self.grid[self.index(target)]
        return np.asarray(grid if against is None else grid - self.grid[self.index(against)], dtype=np.float32)

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
            Sums to the logit (with `against`: to the log-odds); 0 outside the analysed area.
        """
        return self.geometry.shares(self.map_of(target, against))


class Explainer(Protocol):
    """Explains a model's logits on an image and leaves the model as it was."""

    def __call__(self, model: SoftCAM, image: MedicalImage) -> Explanation:
        """Explain one image."""
        ...
