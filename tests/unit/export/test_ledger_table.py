import csv
from dataclasses import replace

import numpy as np
import pytest

import softcam_core as sc
from softcam_core.errors import SettingsError
from softcam_core.explainers.explanation import Explanation
from softcam_core.export.ledger_table import write_ledger
from softcam_core.ledger.regions import ledger_of, pixel_size_of
from softcam_core.notice import NOTICE


@pytest.fixture
def explanation(compact_model, grey_image) -> Explanation:
    found = sc.explain(compact_model, grey_image(np.zeros((96, 80))))
    offset = np.array([0.25, -3], dtype=np.float32)
    grid = np.zeros((2, 12, 10), dtype=np.float32)
    grid[1, 2:4, 1:4], grid[1, 8, 8], grid[1, 10:, :3] = 40, 9, -20
    grid += offset[:, None, None]
    card = found.card.model_copy(update={"sha256": "ab" * 32, "name": "Müller, fresh"})
    return replace(found, grid=grid, logits=grid.mean((1, 2)), offset=offset, card=card)


def rows_of(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_column_adds_up_to_the_logit_in_its_last_row(explanation, tmp_path) -> None:
    ledger = ledger_of(explanation, 1, level=4)
    write_ledger(tmp_path / "l.csv", ledger, explanation, 1, level=4, spacing=(0.5, 0.25))
    rows = rows_of(tmp_path / "l.csv")
    assert [row["region"] for row in rows] == ["R1", "R2", "N1", "Below threshold", "Offset", "Sum"]
    assert [row["verdict"] for row in rows] == ["for", "for", "against", "below threshold", "offset", "sum"]
    contributions = [float(row["contribution"]) for row in rows]
    assert sum(contributions[:-1]) == pytest.approx(contributions[-1], abs=1e-8)
    assert contributions[-1] == pytest.approx(explanation.logits[1], abs=1e-6)
    assert contributions[-2] == -3
    assert sum(float(row["share_of_total"]) for row in rows[:-1]) == pytest.approx(1, abs=1e-8)
    areas = [float(row["area_mm2"]) for row in rows if row["area_mm2"]]
    assert sum(areas[:-1]) == pytest.approx(areas[-1])
    assert areas[-1] == pytest.approx(96 * 0.5 * 80 * 0.25)
    assert sum(float(row["area_share"]) for row in rows[:-2]) == pytest.approx(1)
    assert float(rows[0]["peak"]) == pytest.approx(40, rel=0.05)
    assert float(rows[2]["peak"]) < -15
    assert rows[-2]["area_share"] == rows[-2]["area_mm2"] == rows[-2]["peak"] == ""


def test_every_row_says_what_it_is_of(explanation, tmp_path) -> None:
    write_ledger(
        tmp_path / "l.csv", ledger_of(explanation, 1, 0, level=4, sign="positive"), explanation, "spot", "plain",
        level=4, sign="positive",
    )  # fmt: skip
    rows = rows_of(tmp_path / "l.csv")
    for row in rows:
        assert row["class"] == "spot against plain"
        assert row["unit"] == "log-odds"
        assert (row["threshold"], row["sign"]) == ("4", "positive")
        assert (row["model"], row["sha256"]) == ("Müller, fresh", "ab" * 32)
        assert row["notice"] == NOTICE
        assert row["area_mm2"] == ""
    assert float(rows[-2]["contribution"]) == -3.25


@pytest.mark.parametrize(
    ("task", "against", "unit"),
    [
        ("single_label", None, "logit"),
        ("single_label", 0, "log-odds"),
        ("single_label", "rest", "logit difference"),
        ("multi_label", 0, "logit difference"),
    ],
)
def test_only_exclusive_classes_have_log_odds(explanation, tmp_path, task, against, unit) -> None:
    explanation = replace(explanation, card=explanation.card.model_copy(update={"task": task}))
    ledger = ledger_of(explanation, 1, against, level=4)
    write_ledger(tmp_path / "l.csv", ledger, explanation, 1, against, level=4)
    assert {row["unit"] for row in rows_of(tmp_path / "l.csv")} == {unit}


def test_areas_do_not_depend_on_the_raster(explanation, tmp_path) -> None:
    areas = []
    for size in ((96, 80), (192, 160)):
        raster = explanation.geometry.analysed(size)
        ledger = ledger_of(explanation, 1, level=4, raster=raster)
        pixel_size = pixel_size_of(explanation.geometry, size)
        write_ledger(
            tmp_path / "l.csv", ledger, explanation, 1, level=4, spacing=(0.5, 0.25), pixel_size=pixel_size
        )  # fmt: skip
        areas.append(float(rows_of(tmp_path / "l.csv")[-1]["area_mm2"]))
    assert areas == pytest.approx([96 * 0.5 * 80 * 0.25] * 2)


def test_a_total_of_zero_has_no_shares(explanation, tmp_path) -> None:
    empty = replace(explanation, grid=np.zeros((2, 3, 3), np.float32), offset=np.zeros(2, np.float32))
    write_ledger(tmp_path / "l.csv", ledger_of(empty, 0, level=1), empty, 0, level=1)
    assert {row["share_of_total"] for row in rows_of(tmp_path / "l.csv")} == {""}


def test_a_folder_that_is_not_there_is_named(explanation, tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"none.l\.csv: cannot be written"):
        write_ledger(tmp_path / "none" / "l.csv", ledger_of(explanation, 0, level=1), explanation, 0, level=1)
