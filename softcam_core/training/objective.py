"""Objective: all that training minimises, taken together for a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from softcam_core.data.dataset import AnyItem, FlaggedItem
from softcam_core.training.flags import USED
from softcam_core.training.guidance import Guidance
from softcam_core.training.losses import ClassificationLoss, ElasticNet


@dataclass(frozen=True)
class Objective:
    """How well labels are met, what evidence costs, and what people said about it: their sum, averaged over images.

    Attributes
    ----------
    classification : ClassificationLoss
    elastic_net : ElasticNet
    guidance : Guidance or None
    """

    classification: ClassificationLoss
    elastic_net: ElasticNet
    guidance: Guidance | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the terms, the whole first."""
        return ("loss", "classification", "l1", "l2", *(USED if self.guidance is not None else ()))

    def to(self, device: torch.device) -> Objective:
        """The same on a device."""
        return Objective(self.classification.to(device), self.elastic_net.to(device), self.guidance)

    def __call__(
        self,
        batch: AnyItem,
        images: Tensor,
        logits: Tensor,
        maps: Tensor,
        offset: Callable[[], Tensor],
        penalty_share: float,
    ) -> Tensor:
        """Terms of each image, (T, B), in the order of `names`.

        Parameters
        ----------
        batch : AnyItem
        images : Tensor, (B, 3, H, W)
            Its images on the device.
        logits : Tensor, (B, K)
        maps : Tensor, (B, K, h, w)
        offset : callable
            Gives the evidence of features that are zero, (K,).
        penalty_share : float
            Of the elastic net's weights, 0 to 1.
        """
        labels = batch.label.to(images.device, non_blocking=True)
        said: list[Tensor] = []
        if self.guidance is not None and isinstance(batch, FlaggedItem):
            logits, feedback = self.guidance(batch, images, logits, maps, offset())
            said = list(feedback.values())
        penalties = (penalty_share * term for term in self.elastic_net(maps))
        terms = [self.classification(logits, labels), *penalties, *said]
        return torch.stack([torch.stack(terms).sum(0), *terms])
