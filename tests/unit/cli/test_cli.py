import csv
import pickle
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

import softcam_core
from softcam_core.cli import main
from softcam_core.data.manifest import read_manifest
from softcam_core.explainers.methods import explain
from softcam_core.export.case_files import output_names
from softcam_core.imaging.readers import read_image
from softcam_core.models.checkpoint import CARD_KEY, load_model, save_model
from softcam_core.models.softcam import SoftCAM
from softcam_core.notice import NOTICE


@pytest.fixture
def model_file(compact_model: SoftCAM, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(compact_model, path)
    return path


# --- the command line itself


def test_help_needs_no_torch() -> None:
    code = "import sys; from softcam_core.cli import main; main(['--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout
    assert softcam_core.notice.NOTICE in done.stdout


def test_module_runs_as_softcam() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "softcam_core", "info", "--model", "none"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "softcam: error: none: there is no such file. Check the path.\n"


def test_version(capsys: pytest.CaptureFixture[str], accepted) -> None:
    accepted("--version")
    assert capsys.readouterr().out == f"softcam {softcam_core.__version__}\n"


@pytest.mark.parametrize("argv", [[], ["fly"], ["bench"], ["explain", "x.png"], ["info", "--surprise"]])
def test_usage_errors(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert "usage: softcam" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "convert", "explain", "export", "bench", "info", "phantoms"])
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str], accepted) -> None:
    accepted(command, "--help")
    assert f"usage: softcam {command}" in capsys.readouterr().out


# --- info


def test_info(capsys: pytest.CaptureFixture[str], accepted) -> None:
    accepted("info")
    out = capsys.readouterr().out
    for word in ("softcam", softcam_core.__version__, torch.__version__.split("+")[0], "devices", "cpu threads"):
        assert word in out


def test_info_of_a_model(model_file: Path, capsys: pytest.CaptureFixture[str], accepted) -> None:
    accepted("info", "--model", model_file)
    out = capsys.readouterr().out
    for words in ("fresh", "compact", "plain, spot", "one class an image (softmax)", "shorter side 48 px"):
        assert words in out


# --- explain


def test_explain_writes_what_the_library_gives(
    model_file: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], accepted
) -> None:
    out = tmp_path / "out"
    accepted("explain", picture, "--model", model_file, "--out", out, "--device", "cpu")
    assert sorted(p.name for p in out.iterdir()) == ["picture_evidence.npz", "picture_overlay.png", "scores.csv"]
    expected = explain(load_model(model_file), read_image(picture))
    with np.load(out / "picture_evidence.npz", allow_pickle=False) as saved:
        np.testing.assert_array_equal(saved["grid"], expected.grid)
        np.testing.assert_allclose(saved["grid"].mean((1, 2)), saved["logits"], atol=1e-5)
        assert list(saved["class_names"]) == ["plain", "spot"]
        assert saved["probabilities"].sum() == pytest.approx(1)
        for name, field in (("extent", "field"), *((n, n) for n in ("image_size", "resized", "origin", "input_size"))):
            assert tuple(saved[field]) == getattr(expected.geometry, name)
    with (out / "scores.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["image"] == "picture.png"
    assert row["predicted"] == expected.class_names[expected.predicted]
    assert row["notice"] == NOTICE
    assert float(row["logit[spot]"]) == pytest.approx(float(expected.logits[1]), rel=1e-6)
    assert float(row["probability[plain]"]) == pytest.approx(float(expected.probabilities[0]), rel=1e-6)
    with Image.open(out / "picture_overlay.png") as overlay:
        assert overlay.mode == "RGB"
    assert f"picture.png: {row['predicted']}" in capsys.readouterr().out


def test_explain_takes_folders_and_each_image_once(model_file: Path, picture: Path, tmp_path: Path, accepted) -> None:
    folder = tmp_path / "case"
    (folder / "deeper").mkdir(parents=True)
    for name in ("a.png", "deeper/a.png", "deeper/A.jpg"):
        (folder / name).write_bytes(picture.read_bytes())
    accepted("explain", folder, folder / "a.png", "--model", model_file, "--out", tmp_path / "out")
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
    names = {p.name.casefold() for p in (tmp_path / "out").iterdir()}
    assert {"a_overlay.png", "a-2_overlay.png", "a-3_overlay.png"} <= names


def test_output_names() -> None:
    paths = [Path(p) for p in ("x/a.png", "y/a.png", "y/A.dcm", "a-2.png", "1.2.840.7", "1.2.840.8", "a.b.dcm")]
    assert output_names(paths) == ["a", "a-2", "A-3", "a-2-2", "1.2.840.7", "1.2.840.8", "a.b"]


def test_explain_options_change_the_picture(model_file: Path, picture: Path, tmp_path: Path, accepted) -> None:
    def overlay(*options: str) -> bytes:
        accepted("explain", picture, "--model", model_file, "--out", tmp_path / "o", *options)
        return (tmp_path / "o" / "picture_overlay.png").read_bytes()

    pictures = [
        overlay(),
        overlay("--class", "plain"),
        overlay("--class", "spot"),
        overlay("--class", "spot", "--against", "plain"),
        overlay("--class", "plain", "--against", "spot"),
        overlay("--class", "spot", "--threshold", "0.001"),
        overlay("--class", "spot", "--opacity", "0.9"),
        overlay("--class", "spot", "--colormap", "teal-magenta"),
    ]
    assert len(set(pictures)) == len(pictures) - 1  # the default is one of the two differences
    assert pictures[0] in pictures[3:5]
    assert overlay("--against", "spot") == pictures[4]


def test_explain_goes_on_after_an_unreadable_image(model_file: Path, picture: Path, tmp_path: Path, refused) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n truncated")
    message = refused("explain", bad, picture, "--model", model_file, "--out", tmp_path / "out")
    assert str(bad) in message
    assert (tmp_path / "out" / "picture_overlay.png").exists()
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == ["picture.png"]


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("hello")


def _half_a_png(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])


def _folder(path: Path) -> None:
    path.mkdir()


def _nothing(path: Path) -> None:
    pass


def _nan_tiff(path: Path) -> None:
    Image.fromarray(np.full((32, 32), np.nan, dtype=np.float32)).save(path, format="TIFF")


def _huge_png(path: Path) -> None:
    Image.new("1", (1, 1)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)


@pytest.mark.parametrize("make", [_empty, _text, _half_a_png, _folder, _nothing, _nan_tiff, _huge_png])
def test_explain_refuses_what_is_no_image(make, model_file: Path, tmp_path: Path, refused) -> None:
    path = tmp_path / "input.png"
    make(path)
    message = refused("explain", path, "--model", model_file, "--out", tmp_path / "out")
    assert str(path) in message
    assert not (tmp_path / "out" / "scores.csv").exists()


def test_explain_refuses_a_frame_that_is_not_there(model_file: Path, picture: Path, tmp_path: Path, refused) -> None:
    assert "frame" in refused("explain", picture, "--model", model_file, "--out", tmp_path / "o", "--frame", "3")


def test_explain_refuses_an_image_too_thin_to_resize(model_file: Path, tmp_path: Path, refused) -> None:
    path = tmp_path / "thin.png"
    Image.new("L", (1, 60_000)).save(path)
    message = refused("explain", path, "--model", model_file, "--out", tmp_path / "o")
    assert "would become" in message


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--class", "pneumonia"), "is not a class of the model. Its classes are plain, spot."),
        (("--against", "pneumonia"), "is not a class of the model"),
        (("--class", "spot", "--against", "spot"), "two different classes"),
        (("--threshold", "-1"), "must be at least 0"),
        (("--threshold", "nan"), "must be at least 0"),
        (("--opacity", "2"), "must be from 0 to 1"),
        (("--colormap", "jet"), "blue-orange"),
        (("--device", "toaster"), "is not a device"),
        (("--device", "cuda:99"), "is not present"),
    ],
)
def test_explain_refuses_options(
    options, reason: str, model_file: Path, picture: Path, tmp_path: Path, refused
) -> None:
    assert reason in refused("explain", picture, "--model", model_file, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_explain_refuses_a_file_as_folder(model_file: Path, picture: Path, refused) -> None:
    assert "is a file" in refused("explain", picture, "--model", model_file, "--out", picture)


NO_MODELS = ("pickle", "zip", "empty", "truncated", "no card", "none", "folder")


@pytest.mark.parametrize(
    ("command", "kind"),
    [*((command, kind) for command in ("explain", "info") for kind in NO_MODELS), ("explain", "other classes")],
)
def test_refuses_what_is_no_model(
    bomb, command: str, kind: str, model_file: Path, picture: Path, tmp_path: Path, refused
) -> None:
    path, marker = tmp_path / "m.safetensors", tmp_path / "executed"
    content = model_file.read_bytes()
    if kind == "pickle":
        path.write_bytes(pickle.dumps(bomb(marker)))
    elif kind == "zip":
        torch.save({"weights": bomb(marker)}, path)
    elif kind in ("empty", "truncated"):
        path.write_bytes(content[: len(content) // 2] if kind == "truncated" else b"")
    elif kind == "no card":
        safetensors.torch.save_file(safetensors.torch.load_file(model_file), path)
    elif kind == "other classes":
        model = load_model(model_file)
        card = model.card.model_copy(update={"class_names": ("a", "b", "c")})
        safetensors.torch.save_file(model.state_dict(), path, metadata={CARD_KEY: card.model_dump_json()})
    elif kind == "folder":
        path.mkdir()
    target = (picture, "--out", tmp_path / "out") if command == "explain" else ()
    message = refused(command, *target, "--model", path)
    assert message.startswith(f"softcam: error: {path}")
    assert message.count("\n") == 1
    assert not marker.exists()


# --- from one command to the next


def test_phantoms_can_be_trained_on(tmp_path: Path, accepted) -> None:
    accepted("phantoms", "--out", tmp_path / "p", "--count", "4", "--size", "96")
    tables = list((tmp_path / "p").glob("*.csv"))
    assert tables
    assert len(read_manifest(tables[0]).samples) == 4


def test_explains_a_real_radiograph(model_file: Path, shared_data: Path, tmp_path: Path, accepted) -> None:
    accepted("explain", shared_data / "dicom" / "RG1_J2KI.dcm", "--model", model_file, "--out", tmp_path / "out")
    assert (tmp_path / "out" / "RG1_J2KI_overlay.png").exists()
