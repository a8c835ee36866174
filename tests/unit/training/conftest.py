"""Quick runs on the CPU."""

from collections.abc import Callable
from pathlib import Path

import pytest

from softcam_core.training.config import TrainingConfig
from softcam_core.training.config_files import make_config, merged

QUICK = {
    "model": {"architecture": "compact"},
    "preprocessing": {"shorter_side": 32},
    "training": {"epochs": 1, "batch_size": 8, "lr": 1e-3},
    "hardware": {"device": "cpu"},
}


@pytest.fixture(scope="session")
def quick(spot_table: Path) -> Callable[..., TrainingConfig]:
    """Make the configuration of a run that takes a second, with other settings on top."""

    def make(*settings: dict) -> TrainingConfig:
        return make_config(merged([{"data": {"path": spot_table}}, QUICK, *settings]))

    return make


@pytest.fixture
def table(spot_table: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write a table of some rows of the spots' table; `keep` decides by the split, the label and the row's number."""

    def write(keep: Callable[[str, str, int], bool], *more: str) -> Path:
        header, *rows = spot_table.read_text().splitlines()
        kept = [row for i, row in enumerate(rows) if keep(row.split(",")[2], row.split(",")[1], i)]
        path = tmp_path / "some.csv"
        lines = [f"{spot_table.parent}/{row}" for row in kept]
        path.write_text("\n".join([header, *lines, *more]) + "\n", encoding="utf-8")
        return path

    return write
