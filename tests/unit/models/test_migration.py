import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from softcam_core.models.card import CARD_VERSION, ModelCard
from softcam_core.models.checkpoint import CARD_KEY, load_model, read_card, save_model
from softcam_core.models.softcam import SoftCAM

# As version 0.1 of this program wrote it.
CARD_1 = {
    "version": 1,
    "name": "old",
    "architecture": "squeezenet1_1",
    "class_names": ["a", "b"],
    "task": "single_label",
    "preprocessing": {"shorter_side": 320, "crop": None, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]},
    "provenance": {"epochs": 4},
    "metrics": {"val_auc": 0.9},
    "licence": "CC0",
}


@pytest.fixture
def old_file(tmp_path: Path) -> tuple[Path, SoftCAM]:
    torch.manual_seed(0)
    card = ModelCard(name="m", architecture="squeezenet1_1", class_names=("a", "b"))
    model = SoftCAM.from_card(card).eval()
    tensors = {name.replace("head.1.", "head.conv."): tensor for name, tensor in model.state_dict().items()}
    path = tmp_path / "old.safetensors"
    safetensors.torch.save_file(tensors, path, {CARD_KEY: json.dumps(CARD_1)})
    return path, model


def test_version_1_opens_and_computes_the_same(old_file) -> None:
    path, model = old_file
    loaded = load_model(path)
    assert loaded.card.version == CARD_VERSION == 2
    assert loaded.card.licence == "CC0"
    assert loaded.card.metrics == {"val_auc": 0.9}
    assert loaded.card.conversion is None
    assert loaded.card.options.output_stride is None
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded(x).maps, model(x).maps)


def test_saving_brings_a_file_up_to_date(old_file, tmp_path: Path) -> None:
    save_model(load_model(old_file[0]), tmp_path / "new.safetensors")
    with safetensors.safe_open(tmp_path / "new.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()[CARD_KEY])["version"] == 2
        assert "head.1.weight" in file.keys()  # noqa: SIM118  # not a dictionary
    assert read_card(tmp_path / "new.safetensors").sha256
