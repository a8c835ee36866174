"""Explanations made of evidence that is given by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.explainers.explanation import Explanation
from softcam_core.explainers.targets import Target
from softcam_core.imaging.geometry import Geometry
from softcam_core.models.card import ModelCard


def evidence(grid, offset, geometry: Geometry, task: str = "single_label", scale: str = "mean") -> Explanation:
    grid, offset = np.asarray(grid, dtype=np.float32), np.asarray(offset, dtype=np.float32)
    names = tuple(f"class {k}" for k in range(len(grid)))
    logits = grid.mean((1, 2))
    return Explanation(
        about=SoftCAMEvidence.about,
        method="evidence",
        card=ModelCard(name="Test", architecture="compact", class_names=names, task=task),
        logits=logits,
        probabilities=np.zeros_like(logits),
        targets=tuple(Target(k) for k in range(len(grid))),
        grid=grid,
        scale=scale,
        unit="logit",
        geometry=geometry,
        seconds=0.0,
        device="cpu",
        offset=offset,
    )


@pytest.fixture(scope="session")
def make_evidence() -> Callable[..., Explanation]:
    """Make an explanation: grid (K, h, w), offset (K,), geometry, task and scale."""
    return evidence
