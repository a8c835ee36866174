"""Many inputs through a network, as many at once as memory is meant for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from softcam_core.errors import OutOfMemoryError
from softcam_core.explainers.watch import UNWATCHED, Watch

_CPU_PIXELS = 2**18  # of larger passes an image takes up to 1.6 times as long there (2 cores, 3 networks)
_GPU_PIXELS = 2**21


def forward_pixels(device: torch.device) -> int:
    """Input pixels of a pass without gradients: 8 images of 512 x 512 on a GPU, one on a CPU."""
    return _CPU_PIXELS if device.type == "cpu" else _GPU_PIXELS


def backward_pixels(device: torch.device) -> int:
    """Input pixels of a pass with gradients, which keeps all activations."""
    return _CPU_PIXELS if device.type == "cpu" else _GPU_PIXELS // 2


def in_passes(
    run: Callable[[slice], Tensor], count: int, pixels: int, *, limit: int, watch: Watch = UNWATCHED
) -> Tensor:
    """Do something for many inputs, some at a time.

    Where a GPU's memory is too small for so many at once, half as many are tried.

    Parameters
    ----------
    run : callable
        Slice of the inputs -> result for these, (n, ...).
    count : int
        Of all inputs, at least 1.
    pixels : int
        Of one input, height by width.
    limit : int
        Input pixels at once (`forward_pixels`, `backward_pixels`); one input is never split.
    watch : Watch

    Returns
    -------
    Tensor, (count, ...)

    Raises
    ------
    OutOfMemoryError
        When there is not enough memory for one input.
    CancelledError
        See `Watch`.
    """
    return torch.cat(list(_passes(run, count, pixels, limit, watch)))


def sum_of_passes(
    run: Callable[[slice], Tensor], count: int, pixels: int, *, limit: int, watch: Watch = UNWATCHED
) -> Tensor:
    """Add up what many inputs give, some at a time, where keeping it for each would take too much memory.

    As `in_passes`, but `run` gives the sum over its inputs, a tensor of its own and of the same shape in all passes.
    """
    passes = _passes(run, count, pixels, limit, watch)
    total = next(passes)
    for part in passes:
        total += part
    return total


def _passes(run: Callable[[slice], Tensor], count: int, pixels: int, limit: int, watch: Watch) -> Iterator[Tensor]:
    size = max(1, min(count, limit // max(1, pixels)))
    done = 0
    while done < count:
        watch.report(done, count)
        try:
            result = run(slice(done, min(done + size, count)))
        except torch.OutOfMemoryError as error:
            if size == 1:
                reason = "its memory is too small to explain one image"
                raise OutOfMemoryError("device", reason, "Use the CPU, or a model with a smaller input.") from error
            torch.cuda.empty_cache()
            size //= 2
            continue
        done = min(done + size, count)
        yield result
    watch.report(count, count)
