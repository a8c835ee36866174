import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from softcam_core.data.manifest import read_manifest
from softcam_core.evaluation.cases import read_cases
from softcam_core.evaluation.folder import EvaluationFolder
from softcam_core.evaluation.metrics import parse_metrics
from softcam_core.evaluation.plan import Plan, make_contenders, make_networks
from softcam_core.evaluation.report import write_report
from softcam_core.evaluation.summary import summarise
from softcam_core.evaluation.tables import About, Rows, agreement_figures, single_figures
from softcam_core.explainers.methods import parse_method
from softcam_core.models.checkpoint import load_model

IMAGES = 40


@pytest.fixture(scope="module")
def plan(spots: Path, model_file: Callable[..., Path]) -> Plan:
    models = {name: load_model(model_file(number)) for number, name in enumerate(("one", "two"))}
    softcams, explained, notes = make_networks(models, None)
    methods = [parse_method(text) for text in ("evidence", "gradcam:relu=false", "lrp", "random")]
    contenders = make_contenders(softcams, explained, methods)
    manifest = read_manifest(spots)
    cases = read_cases(manifest, manifest.samples, [c.network.preprocessing for c in contenders])
    metrics = parse_metrics(["relevance_mass", "deletion", "gini", "conservation", "rank_agreement"])
    return Plan(contenders, metrics, replace(cases, left_out=(("x.png", "is damaged"),)), "test", notes=notes)


@pytest.fixture(scope="module")
def rows(plan: Plan) -> pa.Table:
    """Grad-CAM is worse than evidence, "two" like it, and LRP like chance."""
    found, rng = Rows.empty(), np.random.default_rng(0)
    means = {"evidence": 0.6, "gradcam:relu=False": 0.4, "lrp": 0.2, "random": 0.2}
    for case in range(IMAGES):
        for contender in plan.contenders:
            model, method = contender.key
            about = About(case, case, "a.png", "test", case, "spot", "spot", model, method)
            value = means[method] + rng.normal(0, 0.05)
            found.add(about, "relevance_mass", np.nan if model == "two" and case == 0 else value)
            found.add(about, "deletion", 1 - value)
            found.add(about, "gini", value)
            if method == "lrp":
                found.add(about, "conservation", 0.5 if case < 3 else 0.01)
            found.add(about, "rank_agreement", 0.25, other=plan.contenders[0].key)
    return found.table()


@pytest.fixture(scope="module")
def page(plan: Plan, rows: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> str:
    table = single_figures(rows)
    folder = EvaluationFolder(tmp_path_factory.mktemp("report"))
    summary = summarise(table, [c.key for c in plan.contenders])
    write_report(plan, folder, table, summary, notes=["Said while judging."], agreement=agreement_figures(rows))
    return re.sub(r"\s+", " ", folder.report.read_text(encoding="utf-8"))


def cell(page: str, table: str, method: str, column: int) -> str:
    """A cell with its tags."""
    start = page.index(f"<h2>{table}</h2>")
    row = re.search(rf"<tr><th[^>]*>{re.escape(method)}</th>(.*?)</tr>", page[start:])
    assert row is not None
    return re.findall(r"<td.*?</td>", row[1])[column]


WHERE, WHY = "Does it point at what was annotated?", "Does the prediction depend on what it points at?"


def test_best_ends_differences_and_chance_are_marked(page: str) -> None:
    for table in (WHERE, WHY):
        assert "best" in cell(page, table, "SoftCAM evidence, one", 0) + cell(page, table, "SoftCAM evidence, two", 0)
        gradcam, lrp = cell(page, table, "Grad-CAM (relu False)", 0), cell(page, table, "LRP", 0)
        assert "best" not in gradcam
        assert "*" in gradcam
        assert "°" not in gradcam
        assert "*°" in lrp
        assert "°" not in cell(page, table, "Random map", 0)
    assert re.search(r"Relevance mass <span title=\"higher is better\">↑", page)
    assert re.search(r"Deletion <span title=\"lower is better\">↓", page)


def test_means_over_fewer_images_say_so(page: str) -> None:
    assert f"{IMAGES - 1} images" in cell(page, WHERE, "SoftCAM evidence, two", 0)
    assert "images" not in cell(page, WHERE, "SoftCAM evidence, one", 0)


def test_differences_are_told_as_better_or_worse(page: str) -> None:
    section = page[page.index("<h2>Differences from SoftCAM evidence, one</h2>") :].partition("<h2>")[2]
    found = re.findall(r"<tr><td>([^<]*)</td><td>([^<]*)</td>.*?<td>(\w*)</td></tr>", section)
    assert ("Grad-CAM (relu False)", "Relevance mass", "worse") in found
    assert ("Grad-CAM (relu False)", "Deletion", "worse") in found
    assert ("Grad-CAM (relu False)", "Gini index", "") in found
    assert not [row for row in found if row[0] == "SoftCAM evidence, two"]


def test_what_should_be_known_is_told(page: str) -> None:
    assert "Said while judging." in page
    assert "The black box has the weights of one, and predicts the same." in page
    assert "because its classifier is linear" in page
    assert f"LRP: in 3 of {IMAGES} maps relevance is not conserved; its sum is more than 5% off the target." in page
    assert "x.png: is damaged" in page
    assert "of 3 patients" not in page  # nobody named a column of patients
    assert "In 3 of them the class of the label is annotated" in page
    assert "Research use only. Not for diagnostic use." in page
    assert "prefers-color-scheme: dark" in page


def test_agreement_is_a_matrix(page: str) -> None:
    start = page.index("<h2>Rank correlation with others</h2>")
    first = re.search(r"<tbody> <tr>(.*?)</tr>", page[start:])
    assert first is not None
    assert re.findall(r"<td class=\"number\">(.*?)</td>", first[1]) == ["", "0.250", "0.250", "0.250", "0.250"]
