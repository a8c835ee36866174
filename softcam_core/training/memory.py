"""Running out of memory: how it shows, and how large a batch fits."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import Tensor

from softcam_core.models.softcam import SoftCAM
from softcam_core.training.dropout import ImageSeeds
from softcam_core.training.processes import anyone


def is_out_of_memory(error: BaseException) -> bool:
    """True where torch had too little memory, on the GPU or on the CPU."""
    # The CPU's allocator raises a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def largest_batch(fabric: Fabric, model: SoftCAM, seeds: ImageSeeds, image: Tensor, batch_size: int) -> int:
    """Halve a batch until it goes forward and back in the memory of every process.

    Parameters
    ----------
    fabric : Fabric
    model : SoftCAM
        On the device; is as before afterwards.
    seeds : ImageSeeds
        Of its dropout.
    image : Tensor, (1, 3, h, w)
        On the device.
    batch_size : int
        To begin with.

    Returns
    -------
    int
        At least 1, whether that fits or not.
    """
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    was_training = model.training
    model.train()
    try:
        while batch_size > 1 and anyone(fabric, not _fits(fabric, model, seeds, image, batch_size)):
            batch_size = -(-batch_size // 2)
    finally:
        model.train(was_training)
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
    return batch_size


def _fits(fabric: Fabric, model: SoftCAM, seeds: ImageSeeds, image: Tensor, batch_size: int) -> bool:
    seeds.seeds = range(batch_size)
    try:
        with fabric.autocast():
            logits, maps = model(image.expand(batch_size, -1, -1, -1))
        (logits.float().sum() + maps.float().abs().sum()).backward()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        model.zero_grad(set_to_none=True)
    return True
