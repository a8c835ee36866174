"""Following a class's probability while parts of images disappear, without running any input twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from softcam_core.evaluation.maps import check_maps
from softcam_core.explainers.passes import forward_pixels, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier
from softcam_core.models.modes import evaluating

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Spent:
    """What curves took.

    Attributes
    ----------
    asked : int
        Inputs that the curves consist of.
    passes : int
        Inputs that were run through the network: each once, however many curves it is part of.
    network_seconds : float
        Time within the network's forward passes.
    seconds : float
        Time of the whole.
    """

    asked: int
    passes: int
    network_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Probabilities of B images' classes at n steps, for each method.

    Attributes
    ----------
    values : dict of str to Tensor
        Name of the method -> (B, n) float64, on the CPU.
    spent : Spent
    """

    values: dict[str, Tensor]
    spent: Spent

    @property
    def passes(self) -> int:
        """Inputs that were run through the network."""
        return self.spent.passes

    @property
    def network_seconds(self) -> float:
        """Time within the network's forward passes."""
        return self.spent.network_seconds

    @property
    def seconds(self) -> float:
        """Time of the whole."""
        return self.spent.seconds


@dataclass(frozen=True, slots=True, eq=False)
class Removal:
    """In which order the N parts of B images go, and how many have gone at each step.

    Attributes
    ----------
    place : Tensor, (B, N) int64
        0 for the part that goes first; on the CPU.
    counts : sequence of int
        Parts among the first.
    keeps_them : bool
        True where the first are all that is left of the image.
    """

    place: Tensor
    counts: Sequence[int]
    keeps_them: bool = False

    def removed(self, image: int, step: int) -> Tensor:
        """Which parts of an image are not there, (N,) bool."""
        return (self.place[image] < self.counts[step]) ^ self.keeps_them


Make = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Images (n, 3, H, W), which of their parts are not there (n, N) and their numbers (n,) -> inputs (n, 3, H, W)."""


def follow(
    model: Classifier, images: Tensor, classes: Tensor, removals: Mapping[Key, Removal], make: Make, watch: Watch
) -> tuple[dict[Key, Tensor], Spent]:
    """Probabilities of classes while parts of images disappear.

    The same parts of the same image are run once, whatever removals and steps they belong to; an image of which nothing
    is left is run once for all images.

    Parameters
    ----------
    model : Classifier
        Left as it was.
    images : Tensor, (B, 3, H, W)
    classes : Tensor, (B,) int
        Of each image, the class whose probability is followed.
    removals : mapping
        What goes when; each gets a curve.
    make : callable
        Called in inference mode, on the model's device; see `Make`.
    watch : Watch

    Returns
    -------
    curves : dict of Tensor
        (B, n) float64, on the CPU.
    spent : Spent
        Its seconds are those of this function.

    Raises
    ------
    ValueError
        When there is not one class for each image, or no such class.
    CancelledError
        See `Watch`.
    """
    start = time.perf_counter()
    if classes.shape != images.shape[:1]:
        raise ValueError(f"{len(images)} images need as many classes, not {tuple(classes.shape)}")
    count = len(model.card.class_names)
    if not bool(((classes >= 0) & (classes < count)).all()):
        raise ValueError(f"classes must be among the model's {count}")
    network = 0.0
    with evaluating(model), torch.inference_mode():
        images = images.to(model.device, model.dtype)
        inputs = _Inputs()
        rows = {key: inputs.rows(removal) for key, removal in removals.items()}

        def run(part: slice) -> Tensor:
            nonlocal network
            chosen, removed = inputs.chosen(part, images.device)
            batch = make(images[chosen], removed, chosen)
            before = _now(images.device)
            logits = model.logits(batch)
            after = _now(images.device)
            network += after - before
            return model.probabilities(logits.double())

        limit = forward_pixels(images.device)
        found = in_passes(run, len(inputs), images.shape[2] * images.shape[3], limit=limit, watch=watch).cpu()
    of = classes.cpu()[:, None]
    curves = {key: found[each, of] for key, each in rows.items()}
    asked = sum(each.numel() for each in rows.values())
    return curves, Spent(asked, len(inputs), network, time.perf_counter() - start)


class _Inputs:
    """Inputs that differ, each with the image it is made of and the parts that are not there."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, bytes], int] = {}
        self._sources: list[tuple[Removal, int, int]] = []

    def __len__(self) -> int:
        return len(self._sources)

    def rows(self, removal: Removal) -> Tensor:
        """Numbers of the inputs of a curve, (B, n)."""
        images, steps = len(removal.place), len(removal.counts)
        return torch.tensor([[self._number(removal, i, s) for s in range(steps)] for i in range(images)])

    def _number(self, removal: Removal, image: int, step: int) -> int:
        removed = removal.removed(image, step).numpy()
        # A digest, because sets of pixels are large.
        key = -1 if removed.all() else image, blake2b(np.packbits(removed).data, digest_size=16).digest()
        if key not in self._numbers:
            self._numbers[key] = len(self._sources)
            self._sources.append((removal, image, step))
        return self._numbers[key]

    def chosen(self, part: slice, device: torch.device) -> tuple[Tensor, Tensor]:
        """Of some inputs the images, (n,), and what is removed, (n, N)."""
        sources = self._sources[part]
        removed = torch.stack([removal.removed(image, step) for removal, image, step in sources])
        return torch.tensor([image for _, image, _ in sources], device=device), removed.to(device)


def check_maps_of(images: Tensor, maps: Mapping[str, Tensor]) -> None:
    """Refuse maps that are not of these images.

    Raises
    ------
    ValueError
        When there are none, or one's shape is not (B, H, W); see also `softcam_core.evaluation.maps.check_maps`.
    """
    if not maps:
        raise ValueError("there are no maps")
    for name, each in maps.items():
        check_maps(each)
        if each.shape != (len(images), *images.shape[2:]):
            raise ValueError(f"{name} has maps of {tuple(each.shape)} for images of {tuple(images.shape)}")


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def curve_area(values: Tensor) -> Tensor:
    """Area under curves by the trapezoid rule, as a share of what a curve of 1 has.

    Parameters
    ----------
    values : Tensor, (B, n)
        At least two steps.

    Returns
    -------
    Tensor, (B,)
        For probabilities in [0, 1].

    Raises
    ------
    ValueError
        For fewer than two steps.
    """
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"curves must be (B, n) with at least two steps, not {tuple(values.shape)}")
    return torch.trapezoid(values, dim=1) / (values.shape[1] - 1)
