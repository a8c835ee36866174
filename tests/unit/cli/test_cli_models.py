"""softcam convert and export."""

from pathlib import Path

import pytest
import torch
import torchvision.models as tv

from softcam_core.export.onnx import onnx_card
from softcam_core.models.checkpoint import load_model, save_model
from softcam_core.models.softcam import SoftCAM

CLASSES = "no finding,pneumonia"


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save({"state_dict": tv.resnet18(num_classes=2).state_dict(), "epoch": 3}, path)
    return path


def test_convert_then_explain(resnet: Path, picture: Path, tmp_path: Path, capsys, accepted) -> None:
    out = tmp_path / "m.safetensors"
    options = ("--arch", "resnet18", "--shorter-side", "96", "--mean", ".4", ".5", ".6", "--name", "Chest",
               "--licence", "CC0", "--multi-label")  # fmt: skip
    accepted("convert", resnet, "--classes", CLASSES, "--out", out, "--check", picture, *options)
    printed = capsys.readouterr().out
    assert "resnet18 with 2 classes" in printed
    assert "Same function as the black box" in printed
    assert "on 1 image" in printed
    card = load_model(out).card
    assert card.class_names == ("no finding", "pneumonia")
    assert card.task == "multi_label"
    assert card.preprocessing.shorter_side == 96
    assert card.preprocessing.mean == (0.4, 0.5, 0.6)
    assert (card.name, card.licence) == ("Chest", "CC0")
    assert card.conversion.source == "resnet18.pth"
    assert str(resnet.parent) not in card.model_dump_json()
    accepted("explain", picture, "--model", out, "--out", tmp_path / "ex")
    accepted("info", "--model", out)
    assert "largest logit difference" in capsys.readouterr().out


def test_convert_guesses_the_architecture(resnet: Path, tmp_path: Path, capsys, accepted) -> None:
    accepted("convert", resnet, "--classes", CLASSES, "--out", tmp_path / "m.safetensors")
    assert "on 2 noise inputs" in capsys.readouterr().out
    assert load_model(tmp_path / "m.safetensors").card.architecture == "resnet18"


def test_convert_with_a_finer_grid_or_a_fresh_head(resnet: Path, tmp_path: Path, capsys, accepted) -> None:
    fine, fresh = tmp_path / "fine.safetensors", tmp_path / "fresh.safetensors"
    accepted("convert", resnet, "--classes", CLASSES, "--out", fine, "--output-stride", "8")
    assert "Not the black box itself" in capsys.readouterr().out
    assert load_model(fine).receptive_field.stride == (8, 8)
    accepted("convert", resnet, "--classes", "a,b,c", "--out", fresh, "--retrain-head")
    assert "train the model before use" in capsys.readouterr().out


def test_convert_uses_the_familys_normalisation(tmp_path: Path, accepted) -> None:
    torch.manual_seed(0)
    torch.save(tv.googlenet(num_classes=2, aux_logits=True, init_weights=False).state_dict(), tmp_path / "g.pth")
    accepted("convert", tmp_path / "g.pth", "--classes", CLASSES, "--arch", "googlenet", "--out",
             tmp_path / "m.safetensors")  # fmt: skip
    assert load_model(tmp_path / "m.safetensors").card.preprocessing.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--classes", "a,b,c"), "has 2 outputs, but 3 class names were given"),
        (("--classes", "a,a"), "class names must differ"),
        (("--classes", CLASSES, "--arch", "resnet50"), "It fits resnet18: choose that."),
        (("--classes", CLASSES, "--arch", "resnett"), "no architecture 'resnett'"),
        (("--classes", CLASSES, "--out", "m.pth"), "End it in .safetensors."),
        (("--classes", CLASSES, "--shorter-side", "3"), "shorter_side"),
        (("--classes", CLASSES, "--std", "0", "1", "1"), "std must be above 0"),
        (("--classes", CLASSES, "--check", "none.png"), "none.png"),
    ],
)
def test_convert_refuses(options, reason: str, resnet: Path, tmp_path: Path, refused) -> None:
    out = tmp_path / "m.safetensors"
    assert reason in refused("convert", resnet, "--out", out, *options)
    assert not out.exists()


def test_convert_does_not_replace_a_file(resnet: Path, tmp_path: Path, refused, accepted) -> None:
    out = tmp_path / "m.safetensors"
    out.write_bytes(b"something")
    assert "--overwrite" in refused("convert", resnet, "--classes", CLASSES, "--out", out)
    assert out.read_bytes() == b"something"
    accepted("convert", resnet, "--classes", CLASSES, "--out", out, "--overwrite")


def test_convert_refuses_a_head_that_cannot_be_exact(tmp_path: Path, refused) -> None:
    torch.save(tv.mobilenet_v3_small(num_classes=2).state_dict(), tmp_path / "w.pth")
    message = refused("convert", tmp_path / "w.pth", "--classes", CLASSES, "--out", tmp_path / "m.safetensors")
    assert "hard swish" in message
    assert "--retrain-head" in message


def test_export(compact_model: SoftCAM, tmp_path: Path, capsys, accepted, refused) -> None:
    save_model(compact_model, tmp_path / "m.safetensors")
    accepted("export", tmp_path / "m.safetensors", "--to", "onnx")
    assert "largest difference from PyTorch" in capsys.readouterr().out
    assert onnx_card(tmp_path / "m.onnx")["name"] == "fresh"
    assert "--overwrite" in refused("export", tmp_path / "m.safetensors")
    accepted("export", tmp_path / "m.safetensors", "--out", tmp_path / "n.onnx")


def test_a_guessed_architecture_brings_its_normalisation(tmp_path: Path, accepted) -> None:
    torch.manual_seed(0)
    torch.save(tv.googlenet(num_classes=2, aux_logits=False, init_weights=False).state_dict(), tmp_path / "g.pth")
    out = tmp_path / "m.safetensors"
    accepted("convert", tmp_path / "g.pth", "--classes", CLASSES, "--shorter-side", "224", "--out", out)
    preprocessing = load_model(out).card.preprocessing
    assert (preprocessing.shorter_side, preprocessing.mean) == (224, (0.5, 0.5, 0.5))
