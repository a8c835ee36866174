import csv
import math
from pathlib import Path

import pytest
import torch

from softcam_core.errors import SettingsError
from softcam_core.training.predictions import read_predictions, write_predictions

NAMES = ('a, "b"', "p: c", "Straße")


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_table_gives_back_what_was_written(tmp_path: Path, task: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 3, generator=generator) * 30
    logits[1, 0], logits[2, 1] = math.inf, 1e-30
    labels = torch.tensor([0, 1, 2, 2, 0])
    if task == "multi_label":
        labels = torch.randint(2, (5, 3), generator=generator)
    write_predictions(tmp_path / "p.csv", [f"/some/where/{i}.png" for i in range(5)], labels, logits, NAMES, task)
    table = read_predictions(tmp_path / "p.csv")
    assert table.images == tuple(f"{i}.png" for i in range(5))
    assert table.class_names == NAMES
    assert table.task == task
    assert torch.equal(table.labels, labels)
    assert torch.equal(table.logits, logits)
    assert [file.name for file in tmp_path.iterdir()] == ["p.csv"]


def test_columns_of_a_single_label(tmp_path: Path) -> None:
    logits = torch.tensor([[0.0, math.log(3)], [math.nan, 0.0]])
    write_predictions(
        tmp_path / "p.csv", ["x/a.png", "b.png"], torch.tensor([1, 0]), logits, ("no", "yes"), "single_label"
    )
    first, second = csv.DictReader((tmp_path / "p.csv").read_text().splitlines())
    assert list(first) == ["image", "label", "p: no", "p: yes", "logit: no", "logit: yes"]
    assert (first["image"], first["label"], float(first["p: yes"])) == ("a.png", "yes", pytest.approx(0.75))
    assert second["p: no"] == second["logit: no"] == "nan"


def test_columns_of_several_labels(tmp_path: Path) -> None:
    write_predictions(
        tmp_path / "p.csv", ["a.png"], torch.tensor([[0, 1]]), torch.zeros(1, 2), ("x", "y"), "multi_label"
    )
    (row,) = csv.DictReader((tmp_path / "p.csv").read_text().splitlines())
    assert list(row) == ["image", "label: x", "label: y", "p: x", "p: y", "logit: x", "logit: y"]
    assert (row["label: x"], row["label: y"], row["p: x"]) == ("0", "1", "0.5")


def test_a_name_that_is_no_utf_8(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", ["a\udcff.png"], torch.tensor([0]), torch.zeros(1, 2), "ab", "single_label")
    assert read_predictions(tmp_path / "p.csv").images == ("a\\udcff.png",)


def test_a_table_without_rows(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", [], torch.zeros(0, 2), torch.zeros(0, 2), ("x", "y"), "multi_label")
    table = read_predictions(tmp_path / "p.csv")
    assert table.labels.shape == table.logits.shape == (0, 2)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"p\.csv: cannot be written"):
        write_predictions(tmp_path / "no" / "p.csv", [], torch.zeros(0), torch.zeros(0, 2), ("x", "y"), "single_label")


@pytest.mark.parametrize(
    "text",
    ["", "image,label\na,b\n", "image,label,logit: a,logit: b\nx.png,c,1,2\n", "image,label,logit: a\nx.png,a,one\n",
     "image,label,logit: a\nx.png\n", "image,logit: a\nx.png,1\n"],
)  # fmt: skip
def test_other_tables_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(SettingsError, match="is not a table of predictions"):
        read_predictions(tmp_path / "p.csv")
