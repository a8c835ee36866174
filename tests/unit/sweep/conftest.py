"""Spots with masks, and the settings of trials that take a second."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from softcam_core.training.config import TrainingConfig
from softcam_core.training.config_files import make_config, merged

QUICK = {
    "model": {"architecture": "compact"},
    "preprocessing": {"shorter_side": 32},
    "training": {"epochs": 1, "batch_size": 8, "lr": 3e-3},
    "hardware": {"device": "cpu"},
}
PIXELS = 32
COUNTS = {"train": 32, "val": 8, "test": 4}


@pytest.fixture(scope="session")
def marked_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CSV of noisy grey PNGs, half of them with a bright spot and its mask: columns image, label, split, mask.

    Whoever reads a test image fails.
    """
    folder = tmp_path_factory.mktemp("marked")
    rng = np.random.default_rng(0)
    rows = ["image,label,split,mask"]
    for split, count in COUNTS.items():
        for i in range(count):
            values = rng.normal(90, 12, (PIXELS, PIXELS))
            name, mask_name = f"{split}{i:02d}.png", ""
            if i % 2:
                row, column = rng.integers(2, PIXELS - 12, 2)
                inside = np.zeros((PIXELS, PIXELS), bool)
                inside[row : row + 10, column : column + 10] = True
                values[inside] += 110
                mask_name = f"{split}{i:02d}_mask.png"
                Image.fromarray(inside.astype(np.uint8) * 255).save(folder / mask_name)
            if split == "test":
                (folder / name).write_text("no image: nobody may look at it")
            else:
                Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / name)
            rows.append(f"{name},{('plain', 'spot')[i % 2]},{split},{mask_name}")
    table = folder / "labels.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


@pytest.fixture(scope="session")
def quick(marked_table: Path) -> Callable[..., TrainingConfig]:
    """Make the configuration of the trials, with other settings on top."""

    def make(*settings: dict) -> TrainingConfig:
        return make_config(merged([{"data": {"path": marked_table}}, QUICK, *settings]))

    return make
