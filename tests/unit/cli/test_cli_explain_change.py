"""`softcam explain --before`."""

import csv
from pathlib import Path

import pytest
import torch

from softcam_core.explainers.methods import explain
from softcam_core.imaging.readers import read_image
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import load_model, save_model
from softcam_core.models.softcam import SoftCAM


def make_model(path: Path, seed: int, classes: tuple[str, ...] = ("plain", "spot")) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        card = ModelCard(
            name=path.stem, architecture="compact", class_names=classes, preprocessing={"shorter_side": 48}
        )
        save_model(SoftCAM.from_card(card).eval(), path)
    return path


def test_the_ledger_of_the_change_adds_up_to_its_log_odds(accepted, picture: Path, tmp_path: Path) -> None:
    before, after = (make_model(tmp_path / f"{name}.safetensors", seed) for seed, name in enumerate(("old", "new")))
    out = tmp_path / "out"
    accepted("explain", picture, "--model", after, "--before", before, "--out", out, "--format", "ledger")
    log_odds = []
    for path in (before, after):
        logits = explain(load_model(path), read_image(picture)).logits
        log_odds.append(float(logits[1] - logits[0]))
    with (out / "picture_change_ledger.csv").open(newline="") as file:
        rows = {row["region"]: row for row in csv.DictReader(file)}
    assert rows["Sum"]["unit"] == "Δ log-odds"
    assert float(rows["Sum"]["contribution"]) == pytest.approx(log_odds[1] - log_odds[0], abs=1e-6)
    parts = [float(row["contribution"]) for name, row in rows.items() if name != "Sum"]
    assert sum(parts) == pytest.approx(log_odds[1] - log_odds[0], abs=1e-6)
    assert (out / "picture_ledger.csv").exists()


def test_a_model_with_other_classes_is_no_model_before(refused, picture: Path, tmp_path: Path) -> None:
    before = make_model(tmp_path / "old.safetensors", 0, ("plain", "tumour"))
    after = make_model(tmp_path / "new.safetensors", 1)
    assert "classes" in refused("explain", picture, "--model", after, "--before", before, "--out", tmp_path / "out")
