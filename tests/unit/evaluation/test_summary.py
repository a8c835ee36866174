import csv
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from softcam_core.evaluation.extremes import extremes, headline
from softcam_core.evaluation.statistics import bootstrap_intervals, sign_flip_test
from softcam_core.evaluation.summary import matrix, summarise, write_summary
from softcam_core.evaluation.tables import About, Rows, single_figures

KEYS = [("one", "evidence"), ("box", "gradcam"), ("box", "random")]
SHIFTS = (0.0, -0.3, 0.02)


def figures(images: int = 20) -> np.ndarray:
    """(images, methods); Grad-CAM has none of the first image."""
    rng = np.random.default_rng(0)
    found = rng.normal(0.6, 0.1, (images, 1)) + np.array(SHIFTS) + rng.normal(0, 0.05, (images, 3))
    found[0, 1] = math.nan
    return found


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rows = Rows.empty()
    for case, row in enumerate(figures()):
        for key, value in zip(KEYS, row, strict=True):
            about = About(case, case + 2, f"{case}.png", "test", case // 2, "spot", "spot", *key)
            rows.add(about, "relevance_mass", value)
            rows.add(about, "deletion", 1 - value)
            rows.add(about, "seconds", 0.1)
            rows.curve(about, "deletion", [1.0, 0.5])
            rows.add(about, "rank_agreement", 0.5, other=KEYS[0])
    return single_figures(rows.table())


def test_figures_are_laid_out_by_image_and_method(table: pa.Table) -> None:
    values, groups = matrix(table, "relevance_mass", KEYS)
    np.testing.assert_array_equal(values, figures())
    np.testing.assert_array_equal(groups, np.arange(20) // 2)


def test_means_and_differences_are_those_of_the_images_by_hand(table: pa.Table) -> None:
    summary = summarise(table, KEYS, seed=3)
    values, groups = figures(), np.arange(20) // 2
    figure = summary.figure("relevance_mass", KEYS[1])
    assert figure is not None
    assert figure.mean == pytest.approx(np.mean(values[1:, 1]))
    assert figure.images == 19
    low, high = bootstrap_intervals(values, groups, seed=3)
    assert (figure.low, figure.high) == (low[1], high[1])
    of_mass = [c for c in summary.against_first if c.metric == "relevance_mass"]
    assert [(c.model, c.method) for c in of_mass] == KEYS[1:]
    difference = values[:, 1] - values[:, 0]
    assert of_mass[0].difference == pytest.approx(np.nanmean(difference))
    assert of_mass[0].images == 19
    p = sign_flip_test(values[:, 1:] - values[:, :1], groups, seed=3)
    assert [c.p for c in of_mass] == list(p)
    assert of_mass[0].p_corrected == pytest.approx(2 * p.min())
    assert of_mass[1].p_corrected == of_mass[1].p
    pairs = [c for c in summary.pairs if c.metric == "relevance_mass"]
    assert [((c.model, c.method), (c.other_model, c.other_method)) for c in pairs] == [
        (KEYS[0], KEYS[1]),
        (KEYS[0], KEYS[2]),
        (KEYS[1], KEYS[2]),
    ]
    assert pairs[0].difference == pytest.approx(-of_mass[0].difference)


def test_times_are_not_tested(table: pa.Table) -> None:
    summary = summarise(table, KEYS)
    assert "seconds" in summary.metrics()
    assert not [c for c in (*summary.against_first, *summary.pairs) if c.metric == "seconds"]


def test_one_method_has_nobody_to_be_compared_with(table: pa.Table) -> None:
    one = table.filter(pa.compute.equal(table["method"], "evidence"))
    summary = summarise(one, KEYS[:1])
    assert summary.against_first == summary.pairs == ()
    assert len(summary.figures) == 3


def test_what_no_image_has_is_not_there(table: pa.Table) -> None:
    summary = summarise(table.slice(0, 3), KEYS)  # of the first image's relevance mass, and times
    assert summary.figure("best_iou", KEYS[0]) is None
    assert summary.figure("relevance_mass", KEYS[1]) is None


def test_tables_hold_figures_beside_comparisons(table: pa.Table, tmp_path: Path) -> None:
    summary = summarise(table, KEYS)
    paths = [tmp_path / name for name in ("summary.csv", "summary.json", "paired.csv")]
    write_summary(summary, {"asked": {"split": "test"}}, *paths)
    with paths[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 3
    first, second = rows[:2]
    assert (first["metric"], first["better"], first["method"], first["p"]) == (
        "relevance_mass",
        "higher",
        "evidence",
        "",
    )
    assert float(second["difference"]) == pytest.approx(summary.against_first[0].difference, rel=1e-5)
    whole = json.loads(paths[1].read_text())
    assert "Research use only" in whole["notice"]
    assert whole["asked"] == {"split": "test"}
    assert len(whole["figures"]) == len(summary.figures)
    with paths[2].open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(summary.pairs) == 2 * 3


def test_best_and_worst_cases_follow_the_better_end(table: pa.Table) -> None:
    summary = summarise(table, KEYS)
    assert headline(summary) == "relevance_mass"
    values = figures()
    by_mass, by_deletion = (extremes(table, KEYS, name, 3) for name in ("relevance_mass", "deletion"))
    for column, (mass, deletion) in enumerate(zip(by_mass, by_deletion, strict=True)):
        known = [case for case in range(20) if not math.isnan(values[case, column])]
        order = sorted(known, key=lambda case: -values[case, column])
        assert [case for case, _ in mass.best] == order[:3]
        assert [case for case, _ in mass.worst] == order[::-1][:3]
        assert [case for case, _ in deletion.best] == order[:3]
        assert mass.best[0][1] == pytest.approx(values[order[0], column])


def test_few_cases_are_not_shown_twice(table: pa.Table) -> None:
    few = table.filter(pa.compute.less(table["case"], 3))
    best, worst = extremes(few, KEYS, "relevance_mass", 3)[0]
    assert (len(best), len(worst)) == (2, 1)
    assert not {case for case, _ in best} & {case for case, _ in worst}
