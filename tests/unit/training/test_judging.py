from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from softcam_core.data.dataset import ImageDataset
from softcam_core.data.source import read_source
from softcam_core.models.softcam import SoftCAM
from softcam_core.training import judging
from softcam_core.training.config import TrainingConfig


@pytest.mark.parametrize(("batch_size", "calls"), [(1, 8), (2, 4), (4, 2), (7, 2), (8, 1)])
def test_all_processes_pause_equally_often(
    batch_size: int,
    calls: int,
    quick: Callable[..., TrainingConfig],
    compact_model: SoftCAM,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = quick({"training": {"batch_size": batch_size}})
    manifest = read_source(config.data)
    samples = manifest.split("val")[:15]  # shares of 8 and 7
    dataset = ImageDataset(samples, config.preprocessing, manifest=manifest.path)
    found = torch.zeros(2, 15, 2)
    for rank in range(2):
        fabric = SimpleNamespace(world_size=2, global_rank=rank, device=torch.device("cpu"))
        fabric.all_reduce = lambda rows, reduce_op, rank=rank: found[rank].copy_(rows)
        pauses: list[None] = []
        judging.evaluate(compact_model, dataset, fabric, config, lambda pauses=pauses: pauses.append(None))
        assert len(pauses) == calls
    # Each image in one process, and none twice.
    alone = SimpleNamespace(world_size=1, global_rank=0, device=torch.device("cpu"))
    whole = judging.evaluate(compact_model, dataset, alone, config)
    torch.testing.assert_close(found.sum(0), whole.logits)
    assert ((found != 0).any(-1).sum(0) == 1).all()
