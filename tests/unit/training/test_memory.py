from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from softcam_core.errors import OutOfMemoryError
from softcam_core.models.softcam import SoftCAM
from softcam_core.training.config import TrainingConfig
from softcam_core.training.events import ErrorEvent, WarningEvent, read_events
from softcam_core.training.trainer import train

Make = Callable[..., TrainingConfig]


def training(**fields) -> dict:
    return {"training": fields}


def limit_memory(monkeypatch: pytest.MonkeyPatch, images: int) -> None:
    """Let the network run out of memory with more images at a time."""
    real = SoftCAM.forward

    def forward(self: SoftCAM, x: torch.Tensor):
        if len(x) > images and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, x)

    monkeypatch.setattr(SoftCAM, "forward", forward)


def test_memory_too_small_is_reported_with_the_batch(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, 4)
    with pytest.raises(OutOfMemoryError, match=r"too small for batches of 8.*--auto-batch"):
        train(quick(), tmp_path / "run")
    errors = [e for e in read_events(tmp_path / "run" / "events.jsonl") if isinstance(e, ErrorEvent)]
    assert [error.kind for error in errors] == ["out_of_memory"]


def test_smaller_batches_are_found_and_steps_stay_as_large(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, 3)
    result = train(quick({"hardware": {"auto_batch": True}}), tmp_path / "run")
    assert result.history[0].step == 8
    warnings = [e.message for e in read_events(tmp_path / "run" / "events.jsonl") if isinstance(e, WarningEvent)]
    assert warnings == ["the memory is too small for batches of 8: 2, 4 to a step"]
