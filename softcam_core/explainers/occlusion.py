"""Occlusion: how the target changes when a patch is covered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from softcam_core.errors import SettingsError
from softcam_core.explainers.base import About, Explainer, Maps, contrasted, option
from softcam_core.explainers.baselines import BASELINES, baseline_colour
from softcam_core.explainers.passes import forward_pixels, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Occlusion(Explainer):
    r"""Occlusion (Zeiler & Fergus, ECCV 2014, section 4.2).

    .. math:: M_{ij} = \frac{1}{|P_{ij}|} \sum_{p \in P_{ij}} t(x) - t(x_p)

    with :math:`x_p` the image whose patch p is covered, and :math:`P_{ij}` the patches that cover a pixel. Patches
    begin every `stride` pixels; the last ones end with the image, and all patches have the same size.
    """

    patch: int = option(32, "pixels a side of what is covered", least=1)
    stride: int = option(16, "pixels from one patch to the next, at most the patch", least=1)
    fill: str = option("mean", "what it is covered with: the mean colour, or black", choices=BASELINES)

    in_place: ClassVar[bool] = True

    about: ClassVar[About] = About(
        name="occlusion",
        title="Occlusion",
        reference="Zeiler & Fergus, ECCV 2014, section 4.2",
        family="perturbation",
        cost="hundreds",
        signed=True,
        valid="For findings of about the patch's size; what two places show alike, covering one does not take away.",
    )

    def __post_init__(self) -> None:
        """See `Explainer`; patches must leave no gaps."""
        Explainer.__post_init__(self)
        if self.stride > self.patch:
            reason = f"{self.stride} pixels are more than the patch's {self.patch}, and some pixels are never covered"
            raise SettingsError("occlusion:stride", reason, "Take at most the patch.")

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        height, width = images.shape[2:]
        if self.patch > min(height, width):
            reason = f"a patch of {self.patch} pixels does not fit into an input of {height} x {width}"
            raise SettingsError("occlusion:patch", reason, "Take a smaller one.")
        fill = baseline_colour(self.fill, model.card.preprocessing).to(images)
        maps = [
            self._map(model, image, rows, fill, watch.part(number, len(images)))
            for number, (image, rows) in enumerate(zip(images, weights, strict=True))
        ]
        return Maps(torch.stack(maps), "change", "logit")

    def _windows(self, size: int) -> Tensor:
        """Which pixels along an axis each patch covers, (n, size) bool."""
        starts = [*range(0, size - self.patch, self.stride), size - self.patch]
        away = torch.arange(size) - torch.tensor(starts)[:, None]
        return (away >= 0) & (away < self.patch)

    def _map(self, model: Classifier, image: Tensor, weights: Tensor, fill: Tensor, watch: Watch) -> Tensor:
        """Maps (T, H, W) of an image (3, H, W) for its targets (T, K)."""
        rows, columns = (self._windows(size).to(image.device) for size in image.shape[1:])
        down, across = len(rows), len(columns)

        def run(patches: slice) -> Tensor:
            # The first input has no patch.
            number = torch.arange(patches.start - 1, patches.stop - 1, device=image.device)
            covered = rows[number // across, :, None] & columns[number % across, None, :] & (number >= 0)[:, None, None]
            logits = model.logits(torch.where(covered[:, None], fill, image))
            return contrasted(logits, weights.expand(len(number), -1, -1))

        with torch.no_grad():
            targets = in_passes(
                run, 1 + down * across, image[0].numel(), limit=forward_pixels(image.device), watch=watch
            )
        changes = (targets[0] - targets[1:]).T.unflatten(1, (down, across))
        over_rows, over_columns = rows.to(image), columns.to(image)
        total: Tensor = over_rows.T @ changes @ over_columns
        return total / torch.outer(over_rows.sum(0), over_columns.sum(0))
