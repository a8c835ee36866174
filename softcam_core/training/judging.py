"""A model's scores on a split, the whole of it, whatever the number of processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor

from softcam_core.data.dataset import Draw, ImageDataset
from softcam_core.models.modes import evaluating
from softcam_core.models.softcam import SoftCAM
from softcam_core.training.config import TrainingConfig
from softcam_core.training.loading import make_loader
from softcam_core.training.metrics import Measurement, measure
from softcam_core.training.processes import gather_rows


@dataclass(frozen=True)
class Scored:
    """A split as a model sees it.

    Attributes
    ----------
    logits : Tensor, (N, K)
    labels : Tensor, (N,) int64 or (N, K)
    measured : Measurement
    """

    logits: Tensor
    labels: Tensor
    measured: Measurement


def evaluate(
    model: SoftCAM,
    dataset: ImageDataset,
    fabric: Fabric,
    config: TrainingConfig,
    between: Callable[[], object] | None = None,
) -> Scored:
    """Score a data set in float32, as the model will be used.

    Each process takes its part, and each gets the whole result. The model's mode is as before afterwards.

    Parameters
    ----------
    model : SoftCAM
        On the device.
    dataset : ImageDataset
    fabric : Fabric
    config : TrainingConfig
    between : callable, optional
        Called after each batch, in each process equally often, so that the processes may talk to each other there.
    """
    shares = [range(rank, len(dataset), fabric.world_size) for rank in range(fabric.world_size)]
    own, size = list(shares[fabric.global_rank]), config.training.batch_size
    batches = [[Draw(index, None) for index in own[i : i + size]] for i in range(0, len(own), size)]
    memory_format = torch.channels_last if config.hardware.channels_last else torch.contiguous_format
    found = [torch.zeros(0, len(model.card.class_names))]  # a small set may leave a process without images
    with evaluating(model), torch.inference_mode():
        for batch in make_loader(dataset, batches, fabric, config.hardware):
            images = batch.image.to(fabric.device, memory_format=memory_format, non_blocking=True)
            found.append(model(images).logits.float().cpu())
            if between is not None:
                between()
        # The first share is the longest, by one image.
        if between is not None and len(batches) < math.ceil(len(shares[0]) / size):
            between()
    logits = gather_rows(fabric, torch.cat(found), len(dataset), torch.tensor(own, dtype=torch.int64))
    labels = torch.tensor([sample.label for sample in dataset.samples])
    return Scored(logits, labels, measure(logits, labels, model.card.task))
