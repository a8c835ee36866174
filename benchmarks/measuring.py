"""What the studies share: intervals, the machine's name, and how figures are written."""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RESAMPLES = 2000


def interval(values: np.ndarray, statistic: Callable[[np.ndarray], float] = np.mean) -> list[float]:
    """95 % bootstrap interval over cases; `values` may be a column of rows."""
    rng = np.random.default_rng(0)
    samples = [statistic(values[rng.integers(0, len(values), len(values))]) for _ in range(RESAMPLES)]
    return [round(float(v), 4) for v in np.percentile(samples, [2.5, 97.5])]


def machine() -> str:
    """What the study ran on, without names."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def write_study(name: str, report: dict[str, Any]) -> None:
    """Write build/studies/NAME.json."""
    out = Path("build/studies") / f"{name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2) + "\n")
