"""`softcam explain --method`."""

from pathlib import Path

import numpy as np
import pytest
import torch

from softcam_core.explainers.methods import METHODS, explain
from softcam_core.explainers.targets import Target
from softcam_core.imaging.readers import read_image
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import load_model, save_model
from softcam_core.models.softcam import SoftCAM

CLASSES = ("none", "some", "much")


def make_model(path: Path, architecture: str = "compact", classes: tuple[str, ...] = CLASSES, seed: int = 0) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        card = ModelCard(
            name=path.stem, architecture=architecture, class_names=classes, preprocessing={"shorter_side": 64}
        )
        save_model(SoftCAM.from_card(card).eval(), path)
    return path


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model.safetensors")


def test_other_methods_are_written_beside_the_evidence(model_file, picture, tmp_path, accepted) -> None:
    out = tmp_path / "out"
    methods = ("--method", "gradcam", "--method", "gradcam:relu=false")
    accepted("explain", picture, "--model", model_file, "--out", out, "--class", "some", *methods[:2])
    assert sorted(file.name for file in out.iterdir()) == [
        *("picture_evidence.npz", "picture_gradcam.npz", "picture_gradcam_overlay.png", "picture_overlay.png"),
        "scores.csv",
    ]
    twin = BlackBox.twin_of(load_model(model_file))
    expected = explain(twin, read_image(picture), "gradcam", [Target(1)])
    with np.load(out / "picture_gradcam.npz", allow_pickle=False) as saved:
        np.testing.assert_array_equal(saved["grid"], expected.grid)
        assert saved["targets"].tolist() == ["some"]
        assert (str(saved["scale"]), str(saved["unit"]), str(saved["method"])) == ("relative", "", "gradcam")


def test_options_of_a_method_reach_it(model_file, picture, tmp_path, accepted) -> None:
    grids = []
    for number, method in enumerate(("gradcam", "gradcam:relu=false")):
        out = tmp_path / str(number)
        accepted("explain", picture, "--model", model_file, "--out", out, "--class", "some", "--method", method)
        grids.append(np.load(out / "picture_gradcam.npz")["grid"])
    np.testing.assert_array_equal(grids[0], grids[1].clip(0))
    assert (grids[1] < 0).any()


def test_a_black_box_of_its_own_is_explained_instead_of_the_twin(model_file, picture, tmp_path, accepted) -> None:
    other = make_model(tmp_path / "other.safetensors", seed=1)
    arguments = ("explain", picture, "--model", model_file, "--class", "some", "--method", "gradcam")
    accepted(*arguments, "--out", tmp_path / "out", "--black-box", other)
    expected = explain(BlackBox.twin_of(load_model(other)), read_image(picture), "gradcam", [Target(1)])
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "picture_gradcam.npz")["grid"], expected.grid)


def test_a_network_without_twin_is_explained_itself(picture, tmp_path, accepted) -> None:
    model = make_model(tmp_path / "vgg.safetensors", "vgg11")
    out = tmp_path / "out"
    accepted("explain", picture, "--model", model, "--out", out, "--class", "some", "--method", "gradcam")
    expected = explain(load_model(model), read_image(picture), "gradcam", [Target(1)])
    np.testing.assert_array_equal(np.load(out / "picture_gradcam.npz")["grid"], expected.grid)


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("gradcamm", "Did you mean gradcam"),
        ("gradcam:colour=red", "gradcam:colour: is not an option of this method"),
        ("gradcam:relu=perhaps", "Give true or false"),
        ("gradcam:relu", "'relu' sets nothing"),
        ("gradcam:layer=features.convolution1", "has no layer of this name"),
    ],
)
def test_what_is_no_method_is_refused(model_file, picture, tmp_path, refused, method: str, reason: str) -> None:
    out = tmp_path / "out"
    assert reason in refused("explain", picture, "--model", model_file, "--out", out, "--method", method)


def test_a_black_box_with_other_classes_is_refused(model_file, picture, tmp_path, refused) -> None:
    other = make_model(tmp_path / "other.safetensors", classes=("a", "b", "c"))
    arguments = ("explain", picture, "--model", model_file, "--out", tmp_path / "out", "--method", "gradcam")
    message = refused(*arguments, "--black-box", other)
    assert "has the classes a, b, c, not none, some, much" in message


def test_the_methods_are_listed_with_their_options(capsys: pytest.CaptureFixture[str], accepted) -> None:
    accepted("explain", "--methods")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(METHODS)
    assert any(line.strip().startswith("relu=True") for line in lines)
