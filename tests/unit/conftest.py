"""Small inputs that the unit tests make for themselves."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.models import conversion
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM

SPOT_PIXELS = 48


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks this small gain nothing from threads, which wait for each other six times as long on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _small_noise() -> Iterator[None]:
    """A conversion is measured on small inputs: most tests are about something else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion, "_NOISE_SIDE", 96)
        yield


@pytest.fixture
def grey_image() -> Callable[[np.ndarray], MedicalImage]:
    """Make an image of float values that are shown as they are: black is 0 and white is 1."""

    def make(values: np.ndarray) -> MedicalImage:
        values = np.asarray(values, dtype=np.float32)
        return MedicalImage(Path("image.png"), values, values, values, Window.from_limits(0, 1))

    return make


@pytest.fixture
def compact_model() -> SoftCAM:
    """A tiny-input SoftCAM with fresh weights, always the same, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        card = ModelCard(
            name="fresh",
            architecture="compact",
            class_names=("plain", "spot"),
            preprocessing={"shorter_side": 48, "mean": (0.5,) * 3, "std": (0.25,) * 3},
        )
        return SoftCAM.from_card(card).eval()


@pytest.fixture(scope="session")
def spot_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CSV of noisy grey PNGs, half of them with a bright spot: columns image, label (plain or spot), split."""
    folder = tmp_path_factory.mktemp("spots")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = ["image,label,split"]
    for split, count in (("train", 64), ("val", 16), ("test", 16)):
        for i in range(count):
            values = rng.normal(90, 12, (SPOT_PIXELS, SPOT_PIXELS))
            label = ("plain", "spot")[i % 2]
            if label == "spot":
                row, column = rng.integers(4, SPOT_PIXELS - 14, 2)
                values[row : row + 10, column : column + 10] += 110
            name = f"images/{split}{i:02d}.png"
            Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / name)
            rows.append(f"{name},{label},{split}")
    table = folder / "labels.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.marker,)


@pytest.fixture
def bomb() -> type[Bomb]:
    """What a file of weights must never be able to do."""
    return Bomb
