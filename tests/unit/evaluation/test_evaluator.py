from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from softcam_core.data.manifest import read_manifest
from softcam_core.errors import SettingsError
from softcam_core.evaluation import evaluator, localization
from softcam_core.evaluation.cases import choose_samples, read_cases, see
from softcam_core.evaluation.curves import curve_area
from softcam_core.evaluation.evaluator import evaluate
from softcam_core.evaluation.folder import EvaluationFolder
from softcam_core.evaluation.judging import PartJudge
from softcam_core.evaluation.metrics import parse_metrics
from softcam_core.evaluation.patches import patch_hits, patch_precision
from softcam_core.evaluation.perturbation import perturbation_curves
from softcam_core.evaluation.plan import Plan, make_contenders, make_networks
from softcam_core.evaluation.sparsity import gini_index
from softcam_core.evaluation.tables import read_table
from softcam_core.explainers.methods import parse_method
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import CancelledError, Watch
from softcam_core.models.checkpoint import load_model

METRICS = (
    *("relevance_mass", "pointing_game", "patch_precision:patch=12"),
    *("gini", "deletion:block=12,steps=5", "seconds"),
)


@pytest.fixture(scope="module")
def make_plan(spots: Path, model_file: Callable[..., Path]) -> Callable[..., Plan]:
    """Plan with two SoftCAMs, Grad-CAM on the first one's twin and the random map."""

    def make(
        *metrics: str,
        methods: tuple[str, ...] = ("evidence", "gradcam", "random"),
        names: tuple[str, ...] = ("one", "two"),
        images: int = 6,
    ) -> Plan:
        models = {name: load_model(model_file(number)) for number, name in enumerate(names)}
        softcams, explained, notes = make_networks(models, None)
        contenders = make_contenders(softcams, explained, [parse_method(text) for text in methods])
        manifest = read_manifest(spots)
        samples = choose_samples(manifest, "test", None, 0)[:images]
        cases = read_cases(manifest, samples, [c.network.preprocessing for c in contenders])
        return Plan(contenders, parse_metrics(metrics or METRICS), cases, "test", notes=notes)

    return make


@pytest.fixture(scope="module")
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan()


@pytest.fixture(scope="module")
def done(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> EvaluationFolder:
    folder = EvaluationFolder(tmp_path_factory.mktemp("done") / "out")
    folder.prepare(plan.identity())
    evaluate(plan, folder)
    return folder


def figure(table: pa.Table, metric: str, case: int, key: tuple[str, str]) -> float:
    keys = {"metric": metric, "case": case, "model": key[0], "method": key[1]}
    for column, value in keys.items():
        table = table.filter(pc.equal(table[column], value))
    (value,) = table["value"].to_pylist()
    return value


def test_figures_are_those_of_the_maps_one_by_one(plan: Plan, done: EvaluationFolder) -> None:
    table = read_table(done.per_image)
    for contender in plan.contenders:
        network = contender.network
        for case in plan.cases.chosen:
            seen = see(case.sample, network.preprocessing)
            image, region = seen.image[None], seen.region[None]
            with torch.inference_mode():
                predicted = int(network.model.logits(image).argmax())

            def on_input(of: int, contender=contender, image=image) -> tuple[torch.Tensor, torch.Tensor]:
                maps = contender.explainer(contender.network.model, image, Target(of, 1 - of))
                return maps.on_input((48, 48))[:, 0], maps.values[:, 0]

            whole, grid = on_input(predicted)
            assert figure(table, "gini", case.number, contender.key) == pytest.approx(float(gini_index(grid)), abs=1e-5)
            fill = torch.tensor(plan.cases.surveys[network.preprocessing].mean)
            curves = perturbation_curves(
                network.model, image, {"it": whole}, torch.tensor([predicted]), block=12, steps=5, fill=fill
            )
            expected = float(curve_area(curves.values["it"]))
            assert figure(table, "deletion", case.number, contender.key) == pytest.approx(expected, abs=1e-5)
            if case.sample.boxes:
                values, _ = on_input(1)
                expected = float(localization.relevance_mass(values, region))
                assert figure(table, "relevance_mass", case.number, contender.key) == pytest.approx(
                    expected, abs=1e-5, nan_ok=True
                )
                expected = float(patch_precision(patch_hits(values, region, 12, 8, None)))
                assert figure(table, "patch_precision", case.number, contender.key) == pytest.approx(
                    expected, nan_ok=True
                )


def test_tables_hold_what_was_asked_and_nothing_of_patients(plan: Plan, done: EvaluationFolder) -> None:
    table, curves = read_table(done.per_image), read_table(done.curves)
    assert set(table["metric"].to_pylist()) == {metric.name for metric in plan.metrics}
    assert set(curves["metric"].to_pylist()) == {"deletion", "patch_hits"}
    assert set(table["image"].to_pylist()) == {f"spot{number}.png" for number in range(6)}
    of_mass = table.filter(pc.equal(table["metric"], "relevance_mass"))
    assert sorted(set(of_mass["case"].to_pylist())) == [1, 3, 5]
    assert set(of_mass["target"].to_pylist()) == {"spot against plain"}
    assert "Doe" not in str(table.to_pydict())
    one = curves.filter(pc.and_(pc.equal(curves["case"], 0), pc.equal(curves["metric"], "deletion")))
    assert one["step"].to_pylist() == [*range(6)] * len(plan.contenders)
    assert not done.agreement.exists()


def test_a_twin_predicts_with_its_softcam(plan: Plan) -> None:
    gradcam = next(c for c in plan.contenders if c.explainer.about.name == "gradcam")
    assert gradcam.network.kind == "twin"
    assert gradcam.network.judge is plan.contenders[0].network.model
    assert "linear" in gradcam.same_as_evidence
    assert [c.key for c in plan.contenders][:2] == [("one", "evidence"), ("two", "evidence")]


def same_but_for_times(a: pa.Table, b: pa.Table) -> bool:
    a, b = (t.filter(pc.not_equal(t["metric"], "seconds")) for t in (a, b))
    assert a.drop_columns("value").equals(b.drop_columns("value"))
    return a["value"].to_numpy().tobytes() == b["value"].to_numpy().tobytes()


def test_going_on_after_a_kill_gives_the_same_tables(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluator, "PART", 2)
    whole, killed = EvaluationFolder(tmp_path / "whole"), EvaluationFolder(tmp_path / "killed")
    for folder in (whole, killed):
        folder.prepare(plan.identity())
    evaluate(plan, whole)
    parts: list[int] = []
    judge = PartJudge.judge

    def killed_in_the_second(self: PartJudge) -> None:
        parts.append(self._cases[0].number)
        if len(parts) == 2:
            raise KeyboardInterrupt
        judge(self)

    monkeypatch.setattr(PartJudge, "judge", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        evaluate(plan, killed)
    assert killed.part(0).exists()
    assert not killed.part(1).exists()
    killed.prepare(plan.identity())
    evaluate(plan, killed)
    assert parts == [0, 2, 2, 4]
    for name in ("per_image", "curves"):
        assert same_but_for_times(read_table(getattr(whole, name)), read_table(getattr(killed, name)))


def test_a_watch_stops_between_passes_and_hears_of_all_work(plan: Plan, tmp_path: Path) -> None:
    folder = EvaluationFolder(tmp_path / "out")
    folder.prepare(plan.identity())
    heard: list[float] = []
    with pytest.raises(CancelledError):
        evaluate(plan, folder, watch=Watch(heard.append, lambda: len(heard) > 5))
    assert not folder.part(0).exists()
    evaluate(plan, folder, watch=Watch(heard.append))
    assert heard[6:] == sorted(heard[6:])
    assert heard[-1] == 1


@pytest.mark.parametrize("change", ["seed", "metrics", "images", "models", "contenders"])
def test_a_folder_of_another_evaluation_is_refused_and_replaced_on_request(
    change: str, plan: Plan, tmp_path: Path
) -> None:
    folder = EvaluationFolder(tmp_path)
    folder.prepare(plan.identity())
    folder.part(0).touch()
    other = plan
    if change == "seed":
        other = replace(plan, seed=1)
    elif change == "metrics":
        other = replace(plan, metrics=plan.metrics[:2])
    elif change == "images":
        other = replace(plan, cases=replace(plan.cases, chosen=plan.cases.chosen[1:]))
    else:
        other = replace(plan, contenders=plan.contenders[1:])
    with pytest.raises(SettingsError, match=f"holds another evaluation: it differs in .*{change}"):
        folder.prepare(other.identity())
    assert folder.part(0).exists()
    folder.prepare(other.identity(), overwrite=True)
    assert not folder.part(0).exists()


def test_a_folder_of_something_else_is_left_alone(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "mine.png").touch()
    for overwrite in (False, True):
        with pytest.raises(SettingsError, match="is not empty and holds no evaluation"):
            EvaluationFolder(tmp_path).prepare(plan.identity(), overwrite=overwrite)
    assert (tmp_path / "plots" / "mine.png").exists()


def test_costly_figures_are_there_on_request(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    asked = (
        *("robustness", "noise_stability:samples=1", "sanity:stages=2", "agreement", "local_to_global"),
        *("grid_pointing:mosaics=1", "insertion:block=16,steps=3", "road", "road_least"),
    )
    plan = make_plan(*asked, methods=("evidence", "gradcam"), names=("one",), images=3)
    folder = EvaluationFolder(tmp_path / "out")
    folder.prepare(plan.identity())
    notes = evaluate(plan, folder)
    table, curves = read_table(folder.per_image), read_table(folder.curves)
    found = set(table["metric"].to_pylist())
    expected = {metric.name for metric in plan.metrics} - {"rank_agreement", "top_agreement"}
    if any("grid pointing" in note for note in notes):  # networks that have learnt nothing may be right about nothing
        expected -= {"grid_pointing"}
    assert found == expected
    assert set(curves["metric"].to_pylist()) == {"sanity", "insertion", "road", "road_least"}
    by_case = table.filter(pc.equal(table["metric"], "local_present"))
    assert set(by_case["label"].to_pylist()) == {"spot"}
    absent = table.filter(pc.equal(table["metric"], "local_absent"))
    assert set(absent["target"].to_pylist()) == {"spot against plain"}
    agreement = read_table(folder.agreement)
    assert set(agreement["metric"].to_pylist()) == {"rank_agreement", "top_agreement"}
    assert len(agreement) == 2 * 3  # figures and images, of one pair
    of_rank = agreement.filter(pc.equal(agreement["metric"], "rank_agreement"))["value"].to_numpy()
    assert np.nanmax(of_rank) > 0.5  # Grad-CAM is the evidence's positive part
