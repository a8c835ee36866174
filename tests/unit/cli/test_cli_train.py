from pathlib import Path
from urllib.error import URLError

import pytest
import torchvision.models as tv

from softcam_core.cli import main
from softcam_core.models.checkpoint import load_model

QUICK = ("--arch", "compact", "--shorter-side", "32", "--epochs", "1", "--lr", "1e-3", "--device", "cpu")


def test_train_then_explain(spot_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], accepted) -> None:
    run = tmp_path / "run"
    accepted("train", spot_table, "--out", run, *QUICK, "--name", "Spots", "--l1", "1e-6", "--flip-vertical")
    captured = capsys.readouterr()
    assert "best epoch 1 of 1" in captured.out
    assert "test auc" in captured.out
    assert "epoch 1/1" in captured.err
    card = load_model(run / "best.safetensors").card
    assert card.name == "Spots"
    assert card.provenance["settings"]["flip_vertical"] is True
    images = spot_table.parent / "images"
    accepted("explain", images / "test00.png", "--model", run / "best.safetensors", "--out", tmp_path / "out")
    accepted("info", "--model", run / "best.safetensors")


def test_train_maps_columns(spot_table: Path, tmp_path: Path, accepted) -> None:
    rows = spot_table.read_text().replace("plain,", "0,").replace("spot,", "1,").replace("image,label,split", "f;y;s")
    table = tmp_path / "other.csv"
    table.write_text(rows.replace(",", ";"))
    columns = ("--image-column", "f", "--label-column", "y", "--split-column", "s", "--root", spot_table.parent)
    accepted("train", table, "--out", tmp_path / "run", *QUICK, *columns, "--classes", "no, yes", "--crop", "24", "28")
    card = load_model(tmp_path / "run" / "best.safetensors").card
    assert card.class_names == ("no", "yes")
    assert card.preprocessing.crop == (24, 28)


def test_train_refuses_a_second_run(spot_table: Path, tmp_path: Path, refused) -> None:
    (tmp_path / "metrics.csv").touch()
    assert "--overwrite" in refused("train", spot_table, "--out", tmp_path, *QUICK)


def test_train_lists_all_bad_rows(spot_table: Path, tmp_path: Path, refused) -> None:
    table = spot_table.parent / "bad.csv"
    table.write_text(
        "image,label,split\nimages/train00.png,plain,train\nnone.png,plain,train\nimages/val01.png,odd,val\n"
    )
    try:
        message = refused("train", table, "--out", tmp_path / "run", *QUICK, "--classes", "plain,spot")
    finally:
        table.unlink()
    assert "row 3: no such image file none.png" in message
    assert "row 4: unknown label 'odd'" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--arch", "resnet19"), "squeezenet1_1"),
        (("--epochs", "0"), "greater than or equal to 1"),
        (("--lr", "nan"), "learning rate"),
        (("--lr", "-1"), "greater than 0"),
        (("--crop", "64", "64"), "crop must fit"),
        (("--shorter-side", "3"), "shorter side"),
        (("--classes", "plain,plain"), "must differ and not be empty"),
        (("--label-column", "finding"), "no column 'finding'; its columns are image, label, split"),
        (("--init", "none.pth"), "no such file"),
        (("--device", "toaster"), "is not a device"),
        (("--name", "n" * 300), "at most 200"),
    ],
)
def test_train_refuses_settings(options, reason: str, spot_table: Path, tmp_path: Path, refused) -> None:
    assert reason in refused("train", spot_table, "--out", tmp_path / "run", *QUICK, *options)
    assert not (tmp_path / "run").exists()


def test_train_stops_when_the_loss_is_not_finite(spot_table: Path, tmp_path: Path, refused) -> None:
    message = refused("train", spot_table, "--out", tmp_path / "run", *QUICK, "--lr", "1e30")
    assert "epoch 1" in message
    assert "lower learning rate" in message


@pytest.mark.parametrize("epoch", [1, 2])
def test_train_interrupted_keeps_the_best(
    epoch: int,
    spot_table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from softcam_core.training.trainer import _Run

    original = _Run._epoch

    def interrupted(self: _Run, number: int):
        if number == epoch:
            raise KeyboardInterrupt
        return original(self, number)

    monkeypatch.setattr(_Run, "_epoch", interrupted)
    run = tmp_path / "run"
    assert main(["train", str(spot_table), "--out", str(run), *QUICK, "--epochs", "3"]) == 130
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert (run / "best.safetensors").exists() == (epoch == 2)
    assert (str(run / "best.safetensors") in error) == (epoch == 2)


def test_train_from_published_weights_with_a_finer_grid(
    spot_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accepted
) -> None:
    state = tv.resnet18(num_classes=1000).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda url, *_, **__: state)
    options = ("--arch", "resnet18", "--init", "imagenet", "--output-stride", "16", "--shorter-side", "32")
    accepted("train", spot_table, "--out", tmp_path / "run", "--epochs", "1", "--device", "cpu", *options)
    card = load_model(tmp_path / "run" / "best.safetensors").card
    assert card.options.output_stride == 16
    assert card.preprocessing.mean == (0.485, 0.456, 0.406)
    assert card.provenance["settings"]["init"] == "imagenet"


def test_train_says_where_published_weights_are(
    spot_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused
) -> None:
    def no_network(url: str, *_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    message = refused("train", spot_table, "--out", tmp_path / "run", "--arch", "resnet18", "--init", "imagenet")
    assert tv.ResNet18_Weights.DEFAULT.url in message
    assert not (tmp_path / "run").exists()
