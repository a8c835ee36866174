"""Guidance: what training does with flags, step by step, and what of it can be measured after each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from softcam_core.data.dataset import Draw, FlaggedItem, ImageDataset
from softcam_core.errors import AnnotationError
from softcam_core.imaging.geometry import Lattice
from softcam_core.models.modes import evaluating
from softcam_core.models.softcam import SoftCAM
from softcam_core.training.config import TrainingConfig
from softcam_core.training.evidence_shares import Surface, mean_of, share_within
from softcam_core.training.feedback import FeedbackLoss, FeedbackTerms, GridWeights, Places, make_places
from softcam_core.training.flags import USED, Flag, Flags
from softcam_core.training.loading import make_loader
from softcam_core.training.sampling import Indexes

_LEAST_SCALE = 1e-3  # logits


@dataclass(frozen=True, slots=True)
class FlagShare:
    """How much of the positive evidence that a flag is about lies in it.

    Attributes
    ----------
    index : int
        Of the sample.
    verdict : str
    share : float
        0 to 1; NaN where no evidence is positive.
    """

    index: int
    verdict: str
    share: float


class Guidance:
    """Flags of the training images at work.

    Parameters
    ----------
    config : TrainingConfig
    flags : Flags
    dataset : ImageDataset
        Training images; gives `FlaggedItem` from now on.
    model : SoftCAM
        On the device.
    start : SoftCAM or None
        What the model started from, on the device.
    fabric : Fabric

    Attributes
    ----------
    flagged : ndarray, (M,) int64
        Training images with flags.
    loss : FeedbackLoss

    Raises
    ------
    AnnotationError
        When no training image has flags.
    """

    def __init__(
        self,
        config: TrainingConfig,
        flags: Flags,
        dataset: ImageDataset,
        model: SoftCAM,
        start: SoftCAM | None,
        fabric: Fabric,
    ) -> None:
        self.flags, self._config, self._fabric = flags, config, fabric
        self._dataset = dataset
        self.flagged: Indexes = np.array(flags.indexes(dataset.samples), dtype=np.int64)
        if not len(self.flagged):
            source = config.feedback.store or "feedback"
            reason = "all flagged images are in the validation or test split, which are not trained on"
            raise AnnotationError(source, reason, "Flag some of the training images.")
        dataset.places = flags
        self._classes = len(model.card.class_names)
        self._start = start
        if start is not None:
            start.eval().requires_grad_(False)
        field = model.receptive_field
        self._lattice = Lattice(first=field.centre, stride=field.stride)
        self._grids: dict[tuple[int, ...], tuple[GridWeights, Surface]] = {}
        self.loss = FeedbackLoss(config.feedback, *self._scales(start))

    def __call__(
        self, batch: FlaggedItem, images: Tensor, logits: Tensor, maps: Tensor, offset: Tensor
    ) -> FeedbackTerms:
        """What a batch's flags cost.

        Parameters
        ----------
        batch : FlaggedItem
        images : Tensor, (B, 3, H, W)
            Its images on the device.
        logits : Tensor, (B, K)
        maps : Tensor, (B, K, h, w)
        offset : Tensor, (K,)
        """
        flags = self._flags_of(batch)
        places = self._places(batch, flags, maps)
        reference = None
        if self._start is not None and any(flag.verdict == "correct" for flag in flags):
            with torch.no_grad(), self._fabric.autocast():
                reference = self._start(images).maps.float()
            reference = reference - self._start.offset.float()[:, None, None]
        terms: FeedbackTerms = self.loss(logits, maps, offset, places, reference)
        return terms

    # What can be measured

    def measure(self, model: SoftCAM) -> dict[str, float]:
        """Mean share of the positive evidence in the flags of each verdict, over flagged training images."""
        found = self.shares(model, self._dataset, self.flagged.tolist())
        means = {verdict: mean_of([s.share for s in found if s.verdict == verdict]) for verdict in USED}
        return {verdict: mean for verdict, mean in means.items() if mean is not None}

    def shares(self, model: SoftCAM, dataset: ImageDataset, indexes: Sequence[int]) -> list[FlagShare]:
        """Share of the positive evidence that each flag is about and that lies in it, images as they are.

        Parameters
        ----------
        model : SoftCAM
        dataset : ImageDataset
            That gives flags.
        indexes : sequence of int
            Of its samples.
        """
        found = []
        for batch, places, shown in self._seen_by(model, dataset, indexes):
            _, surface = self._grid(batch.image.shape[2:], shown.shape[1:])
            values = share_within(surface(shown), batch.places.to(shown.device)).tolist()
            owners = batch.index[batch.owners].tolist()
            verdicts = [USED[verdict] for verdict in places.verdicts.tolist()]
            found += [FlagShare(*row) for row in zip(owners, verdicts, values, strict=True)]
        return found

    def _scales(self, start: SoftCAM | None) -> tuple[float, float]:
        """Root mean squares of the evidence that flags are about: over their images, and within wrong evidence."""
        given = self._config.feedback.scale
        if given is not None or start is None:
            return given or 1.0, given or 1.0
        whole, inside = np.zeros(2), np.zeros(2)  # sums of squares, and of what they are weighed by
        for _, places, shown in self._seen_by(start, self._dataset, self.flagged.tolist()):
            squares = shown.double().square()
            whole += float(squares.sum()), shown.numel()
            weights = places.weights * (places.verdicts == USED.index("wrong"))[:, None, None]
            inside += float((weights * squares).sum()), float(weights.sum())
        scale = max(float(np.sqrt(whole[0] / whole[1])), _LEAST_SCALE)
        if not inside[1]:
            return scale, scale
        return scale, max(min(scale, float(np.sqrt(inside[0] / inside[1]))), _LEAST_SCALE)

    def _seen_by(
        self, model: SoftCAM, dataset: ImageDataset, indexes: Sequence[int]
    ) -> Iterator[tuple[FlaggedItem, Places, Tensor]]:
        """Batches of images without augmentation, their flags, and the evidence that each is about, (R, h, w)."""
        size = self._config.training.batch_size
        draws = [[Draw(index, None) for index in indexes[i : i + size]] for i in range(0, len(indexes), size)]
        with evaluating(model), torch.inference_mode():
            offset = model.offset.float()[:, None, None]
            for batch in make_loader(dataset, draws, self._fabric, self._config.hardware):
                flags = self._flags_of(batch, dataset)
                maps = model(batch.image.to(self._fabric.device)).maps.float() - offset
                places = self._places(batch, flags, maps)
                yield batch, places, torch.einsum("rk,rkij->rij", places.contrasts, maps[places.owners])

    def _flags_of(self, batch: FlaggedItem, dataset: ImageDataset | None = None) -> list[Flag]:
        samples, indexes = (dataset or self._dataset).samples, batch.index.tolist()
        pairs = zip(batch.owners.tolist(), batch.numbers.tolist(), strict=True)
        return [self.flags.of(samples[indexes[owner]])[number] for owner, number in pairs]

    def _places(self, batch: FlaggedItem, flags: list[Flag], maps: Tensor) -> Places:
        grid, _ = self._grid(batch.image.shape[2:], maps.shape[2:])
        device = maps.device
        return make_places(batch.places.to(device), batch.owners.to(device), flags, grid, self._classes)

    def _grid(self, input_size: Sequence[int], grid_size: Sequence[int]) -> tuple[GridWeights, Surface]:
        key = (*input_size, *grid_size)
        if key not in self._grids:
            (height, width), (rows, columns) = input_size, grid_size
            sizes = (height, width), (rows, columns)
            weights = GridWeights(*sizes, self._lattice, self._config.feedback.grow)
            made = weights.to(self._fabric.device), Surface(*sizes, self._lattice).to(self._fabric.device)
            self._grids[key] = made
        return self._grids[key]
