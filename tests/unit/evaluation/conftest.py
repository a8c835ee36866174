"""A small evaluation: spots with boxes, networks with fresh weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import save_model
from softcam_core.models.softcam import SoftCAM

SIDE = 48


def write_spots(folder: Path, count: int = 6) -> Path:
    """Noisy PNGs, every second with a bright spot and its box; columns image, label, split, boxes, patient."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = ["image,label,split,boxes,patient"]
    for number in range(count):
        values = rng.normal(90, 12, (SIDE, SIDE))
        box = ""
        if number % 2:
            row, column = rng.integers(4, SIDE - 16, 2)
            values[row : row + 12, column : column + 12] += 110
            box = f"{column} {row} 12 12"
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / f"spot{number}.png")
        rows.append(f"spot{number}.png,{('plain', 'spot')[number % 2]},test,{box},Doe{number // 2}")
    table = folder / "spots.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


def fresh_model(seed: int, name: str = "fresh", **changes: object) -> SoftCAM:
    """A SoftCAM that has learnt nothing."""
    fields = {
        "name": name,
        "architecture": "compact",
        "class_names": ("plain", "spot"),
        "preprocessing": {"shorter_side": SIDE, "mean": (0.4,) * 3, "std": (0.2,) * 3},
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SoftCAM.from_card(ModelCard.model_validate(fields | changes)).eval()


@pytest.fixture(scope="session")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Table of 6 images of 3 patients, of which 3 have a box."""
    return write_spots(tmp_path_factory.mktemp("private") / "data")


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a model that has learnt nothing; the same arguments give the same file."""
    folder = tmp_path_factory.mktemp("models")

    def make(seed: int = 0, name: str = "fresh", **changes: object) -> Path:
        path = folder / f"{abs(hash((seed, name, str(sorted(changes.items())))))}.safetensors"
        if not path.exists():
            save_model(fresh_model(seed, name, **changes), path)
        return path

    return make
