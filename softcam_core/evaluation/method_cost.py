"""What a method costs beside a forward pass of the same network on the same input."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

Job = Callable[[], object]

# torch's profiler tells of itself on the standard error stream unless it is told not to, before it is first used.
_SILENT = {"KINETO_LOG_LEVEL": "6"}


@dataclass(frozen=True, slots=True)
class MethodCost:
    """What a job takes.

    Attributes
    ----------
    seconds : float
        Median.
    ratio : float
        Median over the rounds of its time by that of the forward pass beside it.
    ratio_quartiles : (float, float)
    memory : int
        Bytes, see `peak_memory`.
    memory_ratio : float
        By that of the forward pass.
    """

    seconds: float
    ratio: float
    ratio_quartiles: tuple[float, float]
    memory: int
    memory_ratio: float


def method_costs(
    jobs: Mapping[str, Job],
    forward: Job,
    device: torch.device,
    *,
    repeats: int = 5,
    on_round: Callable[[], object] | None = None,
) -> dict[str, MethodCost]:
    """Time jobs in turns, each beside a forward pass.

    What else the machine does falls on all jobs and on the forward pass alike. Which of the two comes first changes
    from round to round. All jobs have been run once before, for their memory.

    Parameters
    ----------
    jobs : mapping of str to callable
    forward : callable
        One forward pass.
    device : torch.device
        Where they run.
    repeats : int
        Rounds, at least 1.
    on_round : callable, optional
        Called after each round.
    """
    forward_memory = peak_memory(forward, device)
    memory = {name: peak_memory(job, device) for name, job in jobs.items()}
    seconds = {name: np.empty((repeats, 2)) for name in jobs}
    for number in range(repeats):
        for name, job in jobs.items():
            for which in (0, 1) if number % 2 == 0 else (1, 0):
                seconds[name][number, which] = _seconds((forward, job)[which], device)
        if on_round is not None:
            on_round()
    costs = {}
    for name, pairs in seconds.items():
        low, ratio, high = (float(value) for value in np.percentile(pairs[:, 1] / pairs[:, 0], [25, 50, 75]))
        costs[name] = MethodCost(
            seconds=float(np.median(pairs[:, 1])),
            ratio=ratio,
            ratio_quartiles=(low, high),
            memory=memory[name],
            memory_ratio=memory[name] / max(forward_memory, 1),
        )
    return costs


def peak_memory(job: Job, device: torch.device) -> int:
    """Bytes of tensors that a job holds at once, beyond those there before.

    On CUDA as its allocator counts. On the CPU torch's profiler writes down what torch allocates and frees while the
    job runs; arrays of other libraries and what the process keeps in reserve are not in it.

    Parameters
    ----------
    job : callable
        Run once, and slower than usual.
    device : torch.device
        Where it runs.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        job()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    for name, value in _SILENT.items():
        os.environ.setdefault(name, value)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        job()
    assert profiled.profiler is not None
    assert profiled.profiler.kineto_results is not None
    changes = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = np.cumsum([event.nbytes() for event in sorted(changes, key=lambda event: event.start_ns())], dtype=np.int64)
    return int(max(held.max(initial=0), 0))


def _seconds(job: Job, device: torch.device) -> float:
    start = time.perf_counter()
    job()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
