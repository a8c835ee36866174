"""Which images a step sees: a function of seed, epoch and position alone.

Nothing here has a state, so a run that was interrupted goes on with the very images it would have seen, and any number
of processes shares the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from softcam_core.data.dataset import Draw

Sampler = Literal["shuffle", "balanced", "progressive"]
Indexes = npt.NDArray[np.int64]

_ORDER, _AUGMENTATION, _NETWORK, _FLAGGED = range(4)
"""Streams of random numbers, so that one draw never repeats another's."""


def derived_seed(seed: int, stream: int, *place: int) -> int:
    """Seed (63 bits) for one place of one stream of random numbers."""
    return int(np.random.SeedSequence((seed, stream, *place)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def network_seed(seed: int, step: int, rank: int) -> int:
    """Seed of what the network itself draws in a step (dropout), in a process."""
    return derived_seed(seed, _NETWORK, step, rank)


def epoch_order(labels: Sequence[int], sampler: Sampler, seed: int, epoch: int, epochs: int) -> Indexes:
    """Order of the images of one epoch.

    Parameters
    ----------
    labels : sequence of int
        Class of each image, from 0.
    sampler : {"shuffle", "balanced", "progressive"}
        "shuffle" has each image once. "balanced" has each class equally often and, within a class, each image as often
        as any other, to one. "progressive" moves from the one to the other: in epoch t of T, class j has the share
        :math:`(1 - t/T) n_j / N + (t/T) / K` (Kang et al., ICLR 2020, section 4.1).
    seed : int
    epoch, epochs : int
        Epoch from 0, and how many there are.

    Returns
    -------
    ndarray, (N,) int64
        Indexes of images; as many as there are.
    """
    rng = np.random.default_rng(derived_seed(seed, _ORDER, epoch))
    count = len(labels)
    if sampler == "shuffle":
        return rng.permutation(count)
    classes, sizes = np.unique(np.asarray(labels), return_counts=True)
    natural, even = sizes / count, np.full(len(classes), 1 / len(classes))
    balance = 1.0 if sampler == "balanced" else epoch / max(1, epochs - 1)
    wanted = _whole((1 - balance) * natural + balance * even, count)
    drawn = []
    for label, number in zip(classes, wanted, strict=True):
        members = np.flatnonzero(np.asarray(labels) == label)
        rounds = -(-int(number) // len(members))
        drawn.append(np.concatenate([rng.permutation(members) for _ in range(rounds)] or [members[:0]])[:number])
    return rng.permutation(np.concatenate(drawn))


def with_flagged(order: Indexes, flagged: Indexes, share: float, seed: int, epoch: int) -> Indexes:
    """Put flagged images among the others, evenly, so that each stretch of an epoch has its share of them.

    Parameters
    ----------
    order : ndarray, (N,)
        Of the epoch without it; the others keep it, and its last ones may not come in this epoch.
    flagged : ndarray, (M,)
        Indexes of flagged images, at least one.
    share : float
        Part of the epoch that they are, in (0, 1).
    seed : int
    epoch : int
        From 0.

    Returns
    -------
    ndarray, (N,) int64
    """
    count = len(order)
    places = np.floor((np.arange(count) + 1) * share + 1e-9) > np.floor(np.arange(count) * share + 1e-9)
    wanted = int(places.sum())
    rng = np.random.default_rng(derived_seed(seed, _FLAGGED, epoch))
    rounds = -(-wanted // len(flagged))
    drawn = np.concatenate([rng.permutation(flagged) for _ in range(rounds)] or [flagged[:0]])[:wanted]
    others = order[~np.isin(order, flagged)]
    if not len(others):
        return order
    mixed = np.empty(count, dtype=np.int64)
    mixed[places], mixed[~places] = drawn, np.resize(others, count - wanted)
    return mixed


def _whole(shares: npt.NDArray[np.float64], total: int) -> Indexes:
    """Whole numbers that add up to `total`, in these shares (largest remainders)."""
    exact = shares * total
    numbers = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(numbers - exact, kind="stable")
    numbers[order[: total - int(numbers.sum())]] += 1
    return numbers


class Steps:
    """The steps of one epoch, as one process sees them.

    Parameters
    ----------
    order : ndarray, (N,)
        Indexes of the images.
    batch_size, accumulate, processes, rank : int
        A step has ``batch_size * accumulate * processes`` images, in `order`; each process gets a part of them that
        lies together, in `accumulate` batches. A last step too small to give each process two images (where batches
        have more than one) is left out, unless it is the only one: batch normalisation could not measure a spread.
    seed, epoch : int
    start : int
        Position in `order` that a resumed epoch goes on from.
    """

    def __init__(
        self,
        order: Indexes,
        *,
        batch_size: int,
        accumulate: int,
        processes: int,
        rank: int,
        seed: int,
        epoch: int,
        start: int = 0,
    ) -> None:
        self.order, self.start = order, start
        self._batch_size, self._processes, self._rank = batch_size, processes, rank
        self._seed, self._epoch = seed, epoch
        self.size = batch_size * accumulate * processes
        least = processes * (2 if batch_size > 1 else 1)
        rest = len(order) % self.size
        self.stop = len(order) - (rest if rest < least and len(order) > self.size else 0)

    def __len__(self) -> int:
        """How many steps are left from `start` on."""
        return max(0, -(-(self.stop - self.start) // self.size))

    def sizes(self) -> list[int]:
        """Images of each step, over all processes."""
        return [min(self.size, self.stop - begin) for begin in range(self.start, self.stop, self.size)]

    def batches(self) -> Iterator[list[list[Draw]]]:
        """For each step this process's batches; `Draw.seed` follows from seed, epoch and position alone."""
        for begin in range(self.start, self.stop, self.size):
            positions = np.arange(begin, min(begin + self.size, self.stop))
            own = np.array_split(positions, self._processes)[self._rank]
            pieces = np.array_split(own, -(-len(own) // self._batch_size))
            yield [[self._draw(int(position)) for position in piece] for piece in pieces]

    def _draw(self, position: int) -> Draw:
        return Draw(int(self.order[position]), derived_seed(self._seed, _AUGMENTATION, self._epoch, position))
