from collections.abc import Callable

import pytest
import torch

from softcam_core.data.dataset import Draw, ImageDataset
from softcam_core.data.source import read_source
from softcam_core.training.config import HardwareConfig, TrainingConfig
from softcam_core.training.loading import TrainingBatches
from softcam_core.training.processes import make_fabric


@pytest.mark.parametrize("workers", [0, 1])
def test_each_pass_gives_what_it_is_asked_for(workers: int, quick: Callable[..., TrainingConfig]) -> None:
    config = quick()
    manifest = read_source(config.data)
    dataset = ImageDataset(manifest.split("val"), config.preprocessing, manifest=manifest.path)
    hardware = HardwareConfig(device="cpu", workers=workers)
    read = TrainingBatches(dataset, make_fabric(hardware, {}), hardware)
    for asked in ([[3, 1], [2]], [[0, 2], [1, 4], [5, 3]], []):
        batches = list(read([Draw(index, None) for index in batch] for batch in asked))
        assert [batch.index.tolist() for batch in batches] == asked
        for batch in batches:
            assert torch.equal(batch.image, torch.stack([dataset[int(index)].image for index in batch.index]))
