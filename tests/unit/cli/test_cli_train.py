import signal
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision.models as tv
import yaml

from softcam_core.cli import main
from softcam_core.cli.progress import TrainingProgress
from softcam_core.models.checkpoint import load_model
from softcam_core.models.softcam import SoftCAM
from softcam_core.training.config_files import preset_names
from softcam_core.training.events import EndEvent, StartEvent, read_events
from softcam_core.training.loop import Loop

QUICK = (
    *("--arch", "compact", "--shorter-side", "32", "--epochs", "1", "--batch-size", "8", "--lr", "1e-3"),
    *("--device", "cpu"),
)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs end without their report, whose plots take longer than they do."""
    monkeypatch.setattr("softcam_core.training.trainer.write_report", lambda folder: None)


def test_train_then_explain(spot_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], accepted) -> None:
    run = tmp_path / "run"
    accepted("train", spot_table, "--out", run, *QUICK, "--name", "Spots", "--l1", "1e-6", "--flip-vertical")
    captured = capsys.readouterr()
    assert captured.out.startswith(f"best epoch 1 of 1: {run / 'best.safetensors'}\n")
    assert "test auc" in captured.out
    lines = captured.err.splitlines()
    assert lines[:2] == ["read 96 of 96 images", "Spots: 64 train, 16 val, 16 test images, cpu"]
    assert [line[:9] for line in lines[2:]] == ["epoch 1/1"]
    card = load_model(run / "best.safetensors").card
    assert card.name == "Spots"
    assert card.provenance["settings"]["augmentation"]["flip_vertical"] == 0.5
    images = spot_table.parent / "images"
    accepted("explain", images / "test00.png", "--model", run / "best.safetensors", "--out", tmp_path / "out")
    accepted("info", "--model", run / "best.safetensors")


@pytest.mark.usefixtures("no_report")
def test_train_maps_columns(spot_table: Path, tmp_path: Path, accepted) -> None:
    rows = spot_table.read_text().replace("plain,", "0,").replace("spot,", "1,").replace("image,label,split", "f;y;s")
    table = tmp_path / "other.csv"
    table.write_text(rows.replace(",", ";"))
    columns = ("--image-column", "f", "--label-column", "y", "--split-column", "s", "--root", spot_table.parent)
    accepted("train", table, "--out", tmp_path / "run", *QUICK, *columns, "--classes", "no, yes", "--crop", "24", "28")
    card = load_model(tmp_path / "run" / "best.safetensors").card
    assert card.class_names == ("no", "yes")
    assert card.preprocessing.crop == (24, 28)


# --- settings


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], accepted) -> Callable[..., str]:
    """What ``--show-config`` prints with other options."""

    def show(*options: object) -> str:
        accepted("train", "--show-config", *options)
        return capsys.readouterr().out

    return show


def test_settings_come_from_preset_file_options_and_set_in_this_order(shown, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("training: {lr: 0.1, epochs: 7, batch_size: 3}\nseed: 5\n")
    printed = shown("--preset", "fundus", "--config", file, "--lr", "0.2", "--epochs", "8", "--set", "training.lr=0.3")
    config = yaml.safe_load(printed)
    assert config["training"]["momentum"] == 0.9
    assert config["training"]["optimizer"] == "sgd"
    assert (config["seed"], config["training"]["batch_size"]) == (5, 3)
    assert config["training"]["epochs"] == 8
    assert config["training"]["lr"] == 0.3


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_shown_and_named_in_the_help(preset: str, shown, capsys: pytest.CaptureFixture[str]) -> None:
    config = yaml.safe_load(shown("--preset", preset))
    assert config["model"]["init"] == "imagenet"
    main(["train", "--help"])
    assert preset in capsys.readouterr().out.partition("--preset NAME  ")[2].partition("--config FILE")[0]


def test_shown_settings_are_explained_and_can_be_given_again(shown, tmp_path: Path) -> None:
    printed = shown("--preset", "oct", "--crop", "96", "96")
    assert "# float. Learning rate at its height." in printed
    file = tmp_path / "all.yaml"
    file.write_text(printed)
    assert shown("--config", file) == printed


def test_shorter_side_0_keeps_the_size(shown) -> None:
    assert yaml.safe_load(shown("--shorter-side", "0"))["preprocessing"]["shorter_side"] is None


def test_unknown_settings_are_named(spot_table: Path, tmp_path: Path, refused) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("training: {learning_rate: 1}\nmodle: {}\n")
    message = refused("train", spot_table, "--out", tmp_path / "run", *QUICK, "--config", file)
    assert "training.learning_rate: there is no such setting" in message
    assert "modle: there is no such setting" in message
    assert "`softcam train --show-config` lists all settings" in message


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--arch", "resnet19"), "squeezenet1_1"),
        (("--epochs", "0"), "greater than or equal to 1"),
        (("--lr", "nan"), "training.lr: input should be"),
        (("--lr", "-1"), "greater than 0"),
        (("--crop", "64", "64"), "crop must fit"),
        (("--shorter-side", "3"), "shorter_side"),
        (("--classes", "plain,plain"), "must differ"),
        (("--label-column", "finding"), "no column 'finding'; its columns are image, label, split"),
        (("--init", "none.pth"), "no such file"),
        (("--device", "toaster"), "is not a device"),
        (("--name", "n" * 300), "at most 200"),
        (("--preset", "brain"), "no preset is called 'brain'"),
        (("--config", "none.yaml"), "none.yaml: cannot be read"),
        (("--set", "training.lr"), "--set training.lr: is not NAME=VALUE"),
        (("--set", "training.select=luck"), "no figure is called 'luck'"),
        (("--set", "hardware.cache=/dev/null/cache"), "/dev/null/cache"),
    ],
)
def test_train_refuses_settings(options, reason: str, spot_table: Path, tmp_path: Path, refused) -> None:
    assert reason in refused("train", spot_table, "--out", tmp_path / "run", *QUICK, *options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ((), "DATA: is missing"),
        (("--out", "run"), "DATA: is missing"),
        (("table.csv",), "--out: is missing"),
        (("--resume", "nothing"), "nothing: holds no run to resume"),
        (("table.csv", "--resume", "run"), "Give no DATA, --out or --overwrite with --resume"),
        (("--resume", "run", "--overwrite"), "Give no DATA, --out or --overwrite with --resume"),
        (("none.csv", "--out", "run"), "none.csv"),
    ],
)
def test_train_says_what_is_missing(
    argv: tuple[str, ...], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused
) -> None:
    monkeypatch.chdir(tmp_path)
    assert reason in refused("train", *argv)
    assert not list(tmp_path.iterdir())


# --- data


def test_train_refuses_a_second_run(spot_table: Path, tmp_path: Path, refused) -> None:
    (tmp_path / "metrics.csv").touch()
    message = refused("train", spot_table, "--out", tmp_path, *QUICK)
    assert "--overwrite" in message
    assert "--resume" in message


@pytest.fixture
def rows(spot_table: Path, tmp_path: Path) -> Callable[..., Path]:
    """The spots' table with other rows, images in place."""

    def write(header: str, *lines: str) -> Path:
        table = tmp_path / "rows.csv"
        table.write_text("\n".join([header, *(f"{spot_table.parent}/images/{line}" for line in lines)]) + "\n")
        return table

    return write


def test_train_lists_all_bad_rows(rows, tmp_path: Path, refused) -> None:
    table = rows("image,label,split", "train00.png,plain,train", "none.png,plain,train", "val01.png,odd,val")
    message = refused("train", table, "--out", tmp_path / "run", *QUICK, "--classes", "plain,spot")
    assert "row 3: no such image file" in message
    assert "none.png" in message
    assert "row 4: unknown label 'odd'" in message
    assert not (tmp_path / "run").exists()


def test_train_refuses_patients_in_two_splits(rows, tmp_path: Path, refused) -> None:
    lines = ("train00.png,plain,train,7", "train01.png,spot,train,8", "val00.png,plain,val,7", "val01.png,spot,val,9")
    table = rows("image,label,split,patient", *lines)
    message = refused("train", table, "--out", tmp_path / "run", *QUICK, "--set", "data.patient_column=patient")
    assert "row 4: its patient is in val here and in train in row 2" in message
    assert message.count("row ") == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_report")
def test_unreadable_images_are_left_out_only_when_asked(
    rows, spot_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], refused, accepted
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    good = [f"{s}{i:02d}.png,{('plain', 'spot')[i % 2]},{s}" for s, n in (("train", 8), ("val", 4)) for i in range(n)]
    table = rows("image,label,split", *good)
    table.write_text(table.read_text() + f"{bad},spot,train\n")
    message = refused("train", table, "--out", tmp_path / "run", *QUICK)
    assert "1 image cannot be read" in message
    assert "row 14" in message
    assert str(bad) in message
    assert not (tmp_path / "run").exists()
    accepted("train", table, "--out", tmp_path / "run", *QUICK, "--skip-bad")
    (warning,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("warning"))
    assert warning.startswith("warning: left out of train: row 14")


# --- trouble on the way


def test_train_stops_when_the_loss_is_not_finite(spot_table: Path, tmp_path: Path, refused) -> None:
    message = refused("train", spot_table, "--out", tmp_path / "run", *QUICK, "--lr", "1e30")
    assert "epoch 1" in message
    assert "lower learning rate" in message


@pytest.mark.usefixtures("no_report")
def test_memory_too_small_names_the_batch_and_auto_batch_finds_one(
    spot_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refused
) -> None:
    real = SoftCAM.forward

    def forward(self: SoftCAM, x: torch.Tensor):
        if len(x) > 5 and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, x)

    monkeypatch.setattr(SoftCAM, "forward", forward)
    run = tmp_path / "run"
    message = refused("train", spot_table, "--out", run, *QUICK)
    assert "too small for batches of 8" in message
    assert "--auto-batch" in message
    assert main(["train", str(spot_table), "--out", str(run), *QUICK, "--auto-batch", "--overwrite"]) == 0
    assert "warning: the memory is too small for batches of 8: 4, 2 to a step\n" in capsys.readouterr().err


@pytest.fixture
def interrupted(spot_table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run with signals before some step, however many at once; give what was said."""

    def run_with(run: Path, step: int, *numbers: int) -> str:
        real = Loop._step

        def signalled(self: Loop, *args):
            if self.progress.step == step:
                for number in numbers:
                    signal.raise_signal(number)
            return real(self, *args)

        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with monkeypatch.context() as patch:
            patch.setattr(Loop, "_step", signalled)
            assert main(["train", str(spot_table), "--out", str(run), *QUICK, "--epochs", "2"]) == 130
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        error = capsys.readouterr().err
        assert "Traceback" not in error
        return error.splitlines()[-1]

    return run_with


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("no_report")
def test_an_interrupted_run_says_how_to_go_on_and_does(
    number: int, interrupted, tmp_path: Path, capsys: pytest.CaptureFixture[str], accepted
) -> None:
    run = tmp_path / "my run"
    last = interrupted(run, 11, number)
    assert last == f"softcam: stopped. Go on with: softcam train --resume '{run}'"
    assert read_events(run / "events.jsonl")[-1].status == "interrupted"
    accepted("train", "--resume", run)
    captured = capsys.readouterr()
    assert "going on from step 12\n" in captured.err
    assert captured.out.startswith("best epoch")
    events = read_events(run / "events.jsonl")
    assert [event.resumed_from for event in events if isinstance(event, StartEvent)] == [None, 12]
    assert [event.status for event in events if isinstance(event, EndEvent)] == ["interrupted", "finished"]


@pytest.mark.parametrize(("step", "has_state"), [(3, False), (11, True)])
def test_a_second_signal_ends_at_once(step: int, has_state: bool, interrupted, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = f"softcam: stopped. Go on from the last checkpoint with: softcam train --resume {run}"
    assert interrupted(run, step, signal.SIGINT, signal.SIGINT) == (command if has_state else "softcam: interrupted")
    assert (run / "resume.pt").exists() == has_state


@pytest.mark.usefixtures("no_report")
def test_interrupted_while_reading_leaves_what_was_there(
    spot_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], accepted
) -> None:
    accepted("train", spot_table, "--out", tmp_path, *QUICK)
    before = (tmp_path / "best.safetensors").read_bytes()
    monkeypatch.setattr(TrainingProgress, "read", lambda self, done, total: signal.raise_signal(signal.SIGINT))
    assert main(["train", str(spot_table), "--out", str(tmp_path), *QUICK, "--overwrite", "--seed", "1"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "softcam: interrupted"
    assert (tmp_path / "best.safetensors").read_bytes() == before


@pytest.mark.usefixtures("no_report")
def test_a_finished_run_tells_its_figures_again(
    spot_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], accepted
) -> None:
    accepted("train", spot_table, "--out", tmp_path, *QUICK)
    first = capsys.readouterr().out
    accepted("train", "--resume", tmp_path)
    assert capsys.readouterr().out == first


# --- weights to start from


@pytest.mark.usefixtures("no_report")
def test_train_from_published_weights_with_a_finer_grid(
    spot_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accepted
) -> None:
    state = tv.resnet18(num_classes=1000).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda url, *_, **__: state)
    options = ("--arch", "resnet18", "--init", "imagenet", "--output-stride", "16", "--optimizer", "sgd")
    accepted("train", spot_table, "--out", tmp_path / "run", *QUICK, *options)
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
