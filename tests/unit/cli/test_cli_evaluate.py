import csv
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softcam_core.cli import main
from softcam_core.evaluation.judging import PartJudge
from softcam_core.evaluation.tables import read_table
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import save_model
from softcam_core.models.softcam import SoftCAM

QUICK = (
    *("--method", "evidence", "gradcam", "--metric", "relevance_mass", "patch_precision:patch=12", "gini"),
    *("deletion:block=16,steps=3", "insertion:block=16,steps=3", "seconds", "--device", "cpu"),
)


def fresh(path: Path, seed: int = 7, **changes: object) -> Path:
    """A file of a network that has learnt nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        fields = {
            "name": "Spots",
            "architecture": "compact",
            "class_names": ("plain", "spot"),
            "preprocessing": {"shorter_side": 48},
            "provenance": {"samples": {"train": {"plain": 30, "spot": 12}}, "settings": {"loss": {"l1": 1e-4}}},
        }
        save_model(SoftCAM.from_card(ModelCard.model_validate(fields | changes)), path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fresh(tmp_path_factory.mktemp("models") / "model.safetensors")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images in a folder of their own, every second with a box; all but one of the test split."""
    folder = tmp_path_factory.mktemp("Jane_Doe")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = ["image,label,split,boxes,patient"]
    for number in range(6):
        pixels = rng.integers(60, 120, (48, 48), dtype=np.uint8)
        box = ""
        if number % 2:
            pixels[8:20, 5 * number : 5 * number + 12] = 220
            box = f"{5 * number} 8 12 12"
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        split = "train" if number == 0 else "test"
        rows.append(f"{number}.png,{number % 2},{split},{box},Doe-{(number + 1) // 2}")
    path = folder / "spots.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def evaluate(table: Path, model: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Make the command line of an evaluation into ``out``."""

    def make(*options: object, data: Path = table, models: tuple[object, ...] = (model,)) -> list[str]:
        known = ("evaluate", data, "--root", table.parent / "images", "--model", *models, "--out", tmp_path / "out")
        return [str(each) for each in (*known, *QUICK, *options)]

    return make


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations end without their plots, which take longer than they do."""
    for name in ("_plot_curves", "_plot_cost"):
        monkeypatch.setattr(f"softcam_core.export.evaluation_pages.{name}", lambda *_: [])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_evaluate_then_look_and_evaluate_again(
    evaluate, table: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], accepted
) -> None:
    other = fresh(tmp_path / "other.safetensors", 1)
    command = evaluate(
        "--black-box", f"other={other}", "--set", "data.patient_column=patient", models=(f"one={model}", f"two={other}")
    )
    accepted(*command)
    out = tmp_path / "out"
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == "Relevance mass (higher is better), means with 95 % intervals"
    assert lines[1].startswith("  SoftCAM evidence, one")
    assert captured.out.endswith(f"{out / 'report.html'}\n{out / 'summary.csv'}\n")
    assert "5 explanations of 5 images" in captured.err
    rows = rows_of(out / "summary.csv")
    assert {(row["model"], row["method"]) for row in rows} == {
        ("one", "evidence"),
        ("two", "evidence"),
        *(("other", method) for method in ("gradcam", "random", "edges")),
    }
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Research use only. Not for diagnostic use." in page
    assert "5 images of 3 patients of the split &#39;test&#39; of spots.csv (2 plain, 3 spot)" in page
    assert "All other methods explain other, a separately trained black box." in page
    assert "42 images of" in page
    assert page.count("data:image/png;base64,") == 4  # deletion, insertion, precision at k, cost
    assert page.count("data:image/jpeg;base64,") == 5 * 3  # each annotated image once for each explanation
    text = re.sub(r"data:image/[^\"]*", "", page)
    private = ("Jane_Doe", "Doe-", str(tmp_path), table.parent.name, "/images")
    whole = text + (out / "summary.json").read_text() + (out / "evaluation.json").read_text()
    assert not [word for word in private if word in whole]
    assert json.loads((out / "summary.json").read_text())["asked"]["split"] == "test"
    before = (out / "summary.csv").read_bytes(), (out / "parts" / "00000.parquet").stat().st_mtime_ns
    accepted(*command)
    assert ((out / "summary.csv").read_bytes(), (out / "parts" / "00000.parquet").stat().st_mtime_ns) == before


@pytest.mark.usefixtures("no_plots")
def test_all_images_of_one_model_without_floors(evaluate, tmp_path: Path, accepted) -> None:
    accepted(*evaluate("--split", "all", "--no-floor", "--target", "class", "--class", "spot", "--seed", "3"))
    table = read_table(tmp_path / "out" / "per_image.parquet")
    assert set(table["split"].to_pylist()) == {"train", "test"}
    assert set(table["method"].to_pylist()) == {"evidence", "gradcam"}
    assert {"spot", "plain"} >= set(table["target"].to_pylist()) - {""}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "because its classifier is linear" in page
    assert "There may be images among these that the networks were trained on." in page


@pytest.mark.usefixtures("no_plots")
def test_without_annotations_there_is_no_localisation(
    evaluate, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], accepted
) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text(re.sub(r"\d+ 8 12 12", "", table.read_text()))
    accepted(*evaluate(data=bare))
    note = "No image has a box or a mask that the networks see, so there is no relevance mass, patch precision."
    assert f"softcam: {note}" in capsys.readouterr().err
    assert note in (tmp_path / "out" / "report.html").read_text()
    assert {row["metric"] for row in rows_of(tmp_path / "out" / "summary.csv")} == {
        *("deletion", "insertion", "gini", "seconds")
    }


@pytest.mark.usefixtures("no_plots")
def test_ctrl_c_leaves_a_folder_to_go_on_in(
    evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], accepted
) -> None:
    monkeypatch.setattr("softcam_core.evaluation.evaluator.PART", 2)
    monkeypatch.setattr("softcam_core.export.evaluation_pages.PART", 2)
    judge, judged = PartJudge.judge, []

    def interrupted(self: PartJudge) -> None:
        judged.append(self)
        if len(judged) == 2:
            signal.raise_signal(signal.SIGTERM)
        judge(self)

    monkeypatch.setattr(PartJudge, "judge", interrupted)
    assert main(evaluate()) == 130
    error = capsys.readouterr().err
    assert f"softcam: stopped. The same command goes on in {tmp_path / 'out'}." in error
    assert "Traceback" not in error
    assert [path.name for path in sorted((tmp_path / "out" / "parts").glob("*.parquet"))] == ["00000.parquet"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    accepted(*evaluate())
    assert len(judged) == 4
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--method", "gradcma"), "gradcma: is not a method. Did you mean gradcam"),
        (("--method", "gradcam:layer=nowhere"), "has no layer of this name"),
        (("--metric", "deletoin"), "deletoin: is not a figure of explanations. Did you mean deletion"),
        (("--class", "line"), "line: is not a class of the model. Its classes are plain, spot."),
        (("--split", "val"), "has no image in the split 'val'. It has train, test"),
        (("--limit", "0"), "--limit: 0 is too small"),
        (("--seed", "-1"), "--seed: -1 is too small"),
        (("--set", "training.lr=1"), "is no setting of the data"),
        (("--classes", "plain,line"), "has the classes plain, line, and the model plain, spot"),
        (("--label-column", "kind"), "has no column 'kind'"),
        (("--black-box", "missing.pth"), "missing.pth"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_by_name(options, reason: str, evaluate, tmp_path: Path, refused) -> None:
    assert reason in refused(*evaluate(*options))
    assert not (tmp_path / "out").exists()


def test_networks_that_do_not_fit_are_refused(evaluate, model: Path, tmp_path: Path, refused) -> None:
    other = fresh(tmp_path / "lines.safetensors", 1, class_names=("plain", "line"))
    assert "has the classes plain, line" in refused(*evaluate("--black-box", other))
    assert "has the classes plain, line" in refused(*evaluate(models=(model, other)))
    assert "two are called Spots" in refused(*evaluate(models=(model, model)))
    assert "two are called a" in refused(*evaluate(models=(f"a={model}", f"a={other}")))
    assert "a model is called a too" in refused(*evaluate("--black-box", f"a={model}", models=(f"a={model}",)))


@pytest.mark.usefixtures("no_plots")
def test_damaged_images_and_masks_of_another_size_are_listed_or_left_out(
    evaluate, table: Path, tmp_path: Path, refused, accepted
) -> None:
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(np.zeros((40, 48), np.uint8)).save(tmp_path / "mask.png")
    lines = table.read_text().splitlines()
    bad = tmp_path / "bad.csv"
    rows = [f"{lines[0]},mask", *(f"{line}," for line in lines[1:5]), f"{tmp_path / 'text.png'},0,test,,x,"]
    rows.append(f"{lines[6]},{tmp_path / 'mask.png'}")
    bad.write_text("\n".join(rows) + "\n")
    message = refused(*evaluate(data=bad))
    assert "row 6" in message
    assert "row 7" in message
    assert "this mask has 40 x 48 pixels and its image 48 x 48" in message
    accepted(*evaluate("--skip-bad", data=bad))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "text.png" in page
    assert str(tmp_path) not in page


def test_boxes_outside_of_the_image_are_refused(evaluate, table: Path, tmp_path: Path, refused) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(table.read_text().replace("5 8 12 12", "40 8 12 12"))
    assert "row 3: the box 40 8 12 12 reaches beyond the image of 48 x 48 pixels" in refused(*evaluate(data=bad))


@pytest.mark.usefixtures("no_plots")
def test_a_folder_of_another_evaluation_is_refused_or_replaced(evaluate, tmp_path: Path, refused, accepted) -> None:
    accepted(*evaluate("--limit", "2"))
    assert "holds another evaluation: it differs in images" in refused(*evaluate("--limit", "3"))
    accepted(*evaluate("--limit", "3", "--overwrite"))
    assert len(set(read_table(tmp_path / "out" / "per_image.parquet")["image"].to_pylist())) == 3
