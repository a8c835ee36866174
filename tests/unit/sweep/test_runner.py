import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from softcam_core.errors import ManifestError, OutOfMemoryError, SettingsError
from softcam_core.models.checkpoint import read_card
from softcam_core.sweep import runner
from softcam_core.sweep.records import TrialRecord
from softcam_core.sweep.runner import run_sweep
from softcam_core.sweep.space import Range, Values, make_space, plan
from softcam_core.training.config import TrainingConfig
from softcam_core.training.config_files import load_settings, make_config
from softcam_core.training.events import ErrorEvent, StartEvent, StepEvent, WarningEvent
from softcam_core.training.loop import Stopped
from softcam_core.training.trainer import TrainingResult, train

Make = Callable[..., TrainingConfig]

TWO_EPOCHS = {"training": {"epochs": 2}}
DENSE, SPARSE, TOO_LARGE = 0.0, 1e-3, 1e38


def space_of(*l1: float, **fields):
    return make_space("x", l1=Values(values=l1), l2=Values(values=(0,)), search="grid", **fields)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(quick: Make, tmp_path_factory: pytest.TempPathFactory):
    """One real sweep, with a trial that cannot succeed."""
    folder = tmp_path_factory.mktemp("sweeps") / "new" / "sweep"
    heard: list[TrialRecord] = []
    config = quick(TWO_EPOCHS, {"loss": {"l1": 0.5}, "seed": 9})
    return run_sweep(config, space_of(TOO_LARGE, DENSE, SPARSE), folder, on_trial=heard.append), folder, heard


def test_each_trial_is_a_run_with_its_coefficients(finished) -> None:
    records, folder, _ = finished
    names = ["trial_001_l1_1e+38_l2_0", "trial_002_l1_0_l2_0", "trial_003_l1_0.001_l2_0"]
    assert [record.trial.name for record in records] == names
    assert {p.name for p in folder.iterdir()} == {"sweep.yaml", "train_val.csv", "trials.csv", *names}
    for record in records[1:]:
        config = make_config(load_settings(folder / record.trial.name / "config.yaml"))
        assert (config.loss.l1, config.loss.l2, config.seed) == (record.trial.l1, 0.0, 0)
        card = read_card(folder / record.trial.name / "best.safetensors")
        for name, value in card.metrics.items():
            assert record.figures[name] == pytest.approx(value)
        assert {"gini", "near_zero", "mass_in_annotation", "pointing"} < record.figures.keys()
        assert record.best_epoch == card.provenance["best_epoch"]


def test_no_trial_knows_a_test_image(finished, quick: Make, marked_table: Path, tmp_path: Path) -> None:
    # Those of the table cannot be read, as a run of its own finds out.
    with pytest.raises(ManifestError, match="4 images cannot be read"):
        train(quick(), tmp_path / "run")
    records, folder, _ = finished
    assert "test" in marked_table.read_text()
    assert {row["split"] for row in rows_of(folder / "train_val.csv")} == {"train", "val"}
    assert not any(name.startswith("test") for row in rows_of(folder / "trials.csv") for name in row)
    assert not list(folder.rglob("predictions_test.csv"))
    for record in records[1:]:
        provenance = read_card(folder / record.trial.name / "best.safetensors").provenance
        assert provenance["samples"]["test"] == {"plain": 0, "spot": 0}


def test_a_trial_that_fails_does_not_end_the_sweep(finished) -> None:
    records, folder, heard = finished
    assert [record.status for record in records] == ["failed", "finished", "finished"]
    assert "not a finite number" in records[0].reason
    assert [row["reason"] for row in rows_of(folder / "trials.csv")] == [records[0].reason, "", ""]
    assert [(r.trial.number, r.status) for r in heard] == [
        (1, "open"),
        (1, "failed"),
        (2, "open"),
        (2, "finished"),
        (3, "open"),
        (3, "finished"),
    ]


def test_more_l1_makes_evidence_smaller(finished) -> None:
    _, folder, _ = finished

    def penalised(name: str) -> float:
        row = rows_of(folder / name / "metrics.csv")[-1]
        return float(row["train_loss"]) - float(row["train_classification"])

    assert penalised("trial_002_l1_0_l2_0") == pytest.approx(0, abs=1e-6)
    assert penalised("trial_003_l1_0.001_l2_0") > 0.01


def test_finished_trials_are_not_repeated(finished, quick: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    records, folder, _ = finished

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is left to train")

    monkeypatch.setattr(runner, "train", refuse)
    # Where it runs, and the settings that the space has, do not make it another sweep.
    config = quick(TWO_EPOCHS, {"hardware": {"workers": 0}, "loss": {"l1": 0.25}})
    assert run_sweep(config, space_of(TOO_LARGE, DENSE, SPARSE), folder) == records


@pytest.mark.parametrize("damaged", [False, True])
def test_an_interrupted_trial_goes_on_to_the_same_end(damaged: bool, finished, quick: Make, tmp_path: Path) -> None:
    records, folder, _ = finished
    steps: list[StepEvent] = []
    starts: list[StartEvent] = []

    def listen(event: object) -> None:
        steps.extend([event] if isinstance(event, StepEvent) else [])
        starts.extend([event] if isinstance(event, StartEvent) else [])

    space, config = space_of(DENSE), quick(TWO_EPOCHS)
    with pytest.raises(Stopped):
        run_sweep(config, space, tmp_path / "s", listeners=[listen], should_stop=lambda: len(steps) == 6)
    assert (tmp_path / "s" / "cache").is_dir()
    trial = tmp_path / "s" / "trial_001_l1_0_l2_0"
    if damaged:
        state = (trial / "resume.pt").read_bytes()
        (trial / "resume.pt").write_bytes(state[: len(state) // 2])
    (record,) = run_sweep(config, space, tmp_path / "s", listeners=[listen])
    assert [start.resumed_from for start in starts] == [None, None if damaged else 6]
    assert record.figures == records[1].figures
    ours, theirs = (load_file(place / "best.safetensors") for place in (trial, folder / records[1].trial.name))
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert not (tmp_path / "s" / "cache").exists()


# --- with trials that only pretend


@dataclass
class Pretended:
    """Stands for `train` and for judging, and notes the calls."""

    calls: list[dict] = field(default_factory=list)
    failures: dict[float, tuple[str, Exception]] = field(default_factory=dict)
    figures: Callable[[TrainingConfig], dict[str, float]] = lambda config: {"val_auc": 0.5, "test_auc": 0.25}

    def __call__(self, config: TrainingConfig, folder: Path, *, listeners=(), **options) -> TrainingResult:
        self.calls.append({"config": config, "folder": folder, **options})
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").touch()
        if config.loss.l1 in self.failures:
            kind, error = self.failures[config.loss.l1]
            for listener in listeners if kind else ():
                listener(ErrorEvent(message=str(error), kind=kind))
            raise error
        return TrainingResult(folder / "best.safetensors", 1, (), self.figures(config))


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    trained = Pretended()
    monkeypatch.setattr(runner, "train", trained)
    monkeypatch.setattr(runner, "load_model", lambda path, device: path)
    monkeypatch.setattr(runner, "judge_evidence", lambda *_: {"gini": 0.5})
    return trained


@pytest.mark.parametrize("kind", ["not_finite", "out_of_memory", "other"])
def test_failures_of_the_trials_own_are_results(kind: str, pretended: Pretended, quick: Make, tmp_path: Path) -> None:
    pretended.failures[1.0] = (kind, OutOfMemoryError(tmp_path, "too small for batches of 8", "advice"))
    records = run_sweep(quick(), space_of(1.0, 2.0), tmp_path / "s")
    assert [(record.status, record.reason) for record in records] == [
        ("failed", "too small for batches of 8"),
        ("finished", ""),
    ]


def test_a_trial_without_the_selected_figure_has_failed(pretended: Pretended, quick: Make, tmp_path: Path) -> None:
    pretended.figures = lambda config: {"val_loss": 0.7} | ({} if config.loss.l1 == 1.0 else {"val_auc": 0.5})
    records = run_sweep(quick(), space_of(1.0, 2.0), tmp_path / "s")
    assert [record.status for record in records] == ["failed", "finished"]
    assert "auc is undefined on the validation images" in records[0].reason


@pytest.mark.parametrize("kind", ["disk", "data", "process", ""])
def test_failures_of_all_alike_end_the_sweep(kind: str, pretended: Pretended, quick: Make, tmp_path: Path) -> None:
    pretended.failures[1.0] = (kind, SettingsError(tmp_path, "no space left"))
    with pytest.raises(SettingsError, match="no space left"):
        run_sweep(quick(), space_of(1.0, 2.0), tmp_path / "s")
    assert len(pretended.calls) == 1
    pretended.failures.clear()
    assert [r.status for r in run_sweep(quick(), space_of(1.0, 2.0), tmp_path / "s")] == ["finished"] * 2


def test_failed_trials_are_started_again_when_asked(pretended: Pretended, quick: Make, tmp_path: Path) -> None:
    pretended.failures[1.0] = ("out_of_memory", OutOfMemoryError(tmp_path, "too small"))
    run_sweep(quick(), space_of(1.0, 2.0), tmp_path / "s")
    (tmp_path / "s" / "trial_001_l1_1_l2_0" / "resume.pt").touch()
    pretended.failures.clear()
    pretended.calls.clear()
    assert [r.status for r in run_sweep(quick(), space_of(1.0, 2.0), tmp_path / "s")] == ["failed", "finished"]
    records = run_sweep(quick(), space_of(1.0, 2.0), tmp_path / "s", retry_failed=True)
    assert [r.status for r in records] == ["finished"] * 2
    assert [(call["overwrite"], call["resume"]) for call in pretended.calls] == [(True, False)]


def test_a_random_sweep_may_grow_but_not_shrink(pretended: Pretended, quick: Make, tmp_path: Path) -> None:
    def drawn(count: int):
        axes = {"l1": Range(low=1e-6, high=1e-3), "l2": Values(values=(0,))}
        return make_space("x", **axes, search="random", trials=count)

    before = run_sweep(quick(), drawn(2), tmp_path / "s")
    after = run_sweep(quick(), drawn(4), tmp_path / "s")
    assert after[:2] == before
    assert len(pretended.calls) == 4
    with pytest.raises(SettingsError, match=r"4 trials were asked for here, and 3 are fewer\. Give --trials 4"):
        run_sweep(quick(), drawn(3), tmp_path / "s")


def test_another_sweep_in_the_folder_is_refused_by_what_differs(
    pretended: Pretended, quick: Make, tmp_path: Path
) -> None:
    run_sweep(quick(), space_of(1.0), tmp_path / "s")
    for config, space, name in (
        (quick(), space_of(1.0, 2.0), "l1.values"),
        (quick(), space_of(1.0, seeds=(0, 1)), "seeds"),
        (quick({"training": {"lr": 1e-4}}), space_of(1.0), "training.lr"),
    ):
        with pytest.raises(SettingsError, match=f"holds another sweep: it differs in {name}"):
            run_sweep(config, space, tmp_path / "s")
    assert yaml.safe_load((tmp_path / "s" / "sweep.yaml").read_text())["space"]["l1"] == {"values": [1.0]}


def test_settings_that_no_trial_got_on_with_may_be_corrected(quick: Make, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no class is called other"):
        run_sweep(quick({"loss": {"penalty_classes": {"other": 2.0}}}), space_of(1.0), tmp_path / "s")
    with pytest.raises(Stopped):
        run_sweep(quick(), space_of(DENSE), tmp_path / "s", should_stop=lambda: True)


def test_other_images_in_the_folder_are_refused(
    pretended: Pretended, quick: Make, marked_table: Path, tmp_path: Path
) -> None:
    table = tmp_path / "labels.csv"
    rows = marked_table.read_text().splitlines()
    data = {"data": {"path": table, "root": marked_table.parent}}
    table.write_text("\n".join(rows))
    run_sweep(quick(data), space_of(1.0), tmp_path / "s")
    table.write_text("\n".join([*rows[:5], *rows[6:]]))
    with pytest.raises(SettingsError, match="not those that this sweep began with"):
        run_sweep(quick(data), space_of(1.0), tmp_path / "s")


def test_a_folder_with_something_else_is_refused(quick: Make, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SettingsError, match="is not empty and holds no sweep"):
        run_sweep(quick(), space_of(1.0), tmp_path)
    with pytest.raises(SettingsError, match="is a file, not a folder"):
        run_sweep(quick(), space_of(1.0), tmp_path / "notes.txt")


def test_a_cache_that_was_named_is_used_and_kept(pretended: Pretended, quick: Make, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    run_sweep(quick({"hardware": {"cache": mine}}), space_of(1.0), tmp_path / "a")
    assert mine.is_dir()
    run_sweep(quick(), space_of(1.0), tmp_path / "b")
    assert [call["config"].hardware.cache for call in pretended.calls] == [mine, tmp_path / "b" / "cache"]


def test_each_pair_is_trained_with_each_seed(pretended: Pretended, quick: Make, tmp_path: Path) -> None:
    run_sweep(quick(), space_of(1.0, 2.0, seeds=(3, 4)), tmp_path / "s")
    tried = [(call["config"].loss.l1, call["config"].seed, call["folder"].name) for call in pretended.calls]
    assert tried == [(t.l1, t.seed, t.name) for t in plan(space_of(1.0, 2.0, seeds=(3, 4)))]


def test_what_was_done_to_the_data_is_said_once(
    pretended: Pretended, quick: Make, marked_table: Path, tmp_path: Path
) -> None:
    rows = [row.split(",") for row in marked_table.read_text().splitlines()]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(f"{image},{label}" for image, label, split, _ in rows if split != "test"))
    heard: list[object] = []
    data = {"data": {"path": table, "root": marked_table.parent}}
    run_sweep(quick(data), space_of(1.0, 2.0), tmp_path / "s", listeners=[heard.append])
    assert [event.message for event in heard if isinstance(event, WarningEvent)] == [
        "The splits were drawn by image, because patients are not known, with the seed 0."
    ]


def test_several_processes_are_refused(quick: Make, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="one process"):
        run_sweep(quick({"hardware": {"devices": 2}}), space_of(1.0), tmp_path / "s")
    assert not (tmp_path / "s").exists()
