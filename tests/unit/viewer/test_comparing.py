"""Comparing the model that a job made with the one that it started from."""

from dataclasses import replace
from pathlib import Path

import pytest

from softcam_core.errors import CheckpointError
from softcam_core.training.comparison import Comparison, Estimate, FigureChange, write_comparison
from softcam_viewer.model import backend
from softcam_viewer.model.comparing import Comparing
from softcam_viewer.model.job import JobFacts
from softcam_viewer.model.panes import Panes
from tests.support.fake_jobs import FakeJobs, make_job

START = Path("a-b-c")


@pytest.fixture
def job():
    return make_job(state="finished", facts=JobFacts(start=START, flags=42), settings={"training": {"keep": "last"}})


@pytest.fixture
def comparing(opened, lanes, job, tmp_path, monkeypatch):
    """The model that the job began with is open; its new model has the same classes."""
    load = backend.load

    def load_made(path, device):
        if path.name != "last.safetensors":
            return load(path, device)
        if not path.exists():
            raise CheckpointError(path, "is not there", "Train again.")
        return replace(load(START, device), path=path, key="made")

    monkeypatch.setattr(backend, "load", load_made)
    jobs = FakeJobs(tmp_path, job)
    made = jobs.run_folder(job.id)
    made.mkdir(parents=True)
    (made / "last.safetensors").touch()
    comparing = Comparing(opened, jobs, lanes.model)
    yield comparing
    for one in (comparing, jobs):
        one.deleteLater()


@pytest.fixture
def compared(comparing, job, settle):
    comparing.compare(job)
    settle()
    return comparing


def shown(panes: Panes) -> list[tuple[str, str]]:
    return [(pane.model.key, pane.method) for pane in panes.shown]


def test_before_after_and_change_stand_side_by_side_on_one_scale(opened, compared):
    assert opened.panes.layout == "1x3"
    assert shown(opened.panes) == [("a-b-c", "evidence"), ("made", "evidence"), ("made", "change")]
    assert opened.panes.shares_scale
    assert opened.panes.active is opened.panes.shown[2]
    assert not compared.is_loading


def test_the_class_in_view_stays_in_view(opened, comparing, job, settle):
    opened.panes.active.set_overlay(target=0, against=1)
    comparing.compare(job)
    settle()
    assert {pane.aim for pane in opened.panes.shown} == {(0, 1)}


def test_the_change_of_a_model_that_is_the_same_is_nothing(opened, compared):
    change = opened.panes.shown[2]
    assert not change.error
    assert not change.explanation.grid.any()
    assert change.explanation.unit_of(1, 0) == "Δ log-odds"


def test_the_prediction_beside_the_change_is_that_of_the_new_model(opened, compared):
    change = opened.panes.shown[2]
    assert opened.panes.prediction_of(change) is opened.panes.shown[1].explanation


def test_a_change_is_not_judged_by_figures_of_one_model(opened, compared):
    row = opened.figures.rows[2]
    assert {cell.value for cell in row.cells.values()} == {None}
    assert "changed between two models" in next(iter(row.cells.values())).why


def test_a_model_before_that_is_not_open_is_loaded_beside_the_main_one(opened, compared, job, settle):
    compared.leave()
    opened.open_model(Path("x-y"))
    opened.close_compared()
    settle()
    compared.compare(job)
    settle()
    assert opened.model.key == "x-y"
    assert [model.key for model in opened.compared] == ["a-b-c", "made"]
    assert shown(opened.panes)[2] == ("made", "change")
    assert not opened.panes.shown[2].error  # taken from the model before, which is not the main one


def test_to_accept_makes_the_new_model_the_main_one_and_notes_it(opened, compared, job, settle):
    compared.accept()
    settle()
    assert opened.model.key == "made"
    assert [model.key for model in opened.compared] == ["a-b-c"]
    assert compared._jobs.asked == [("decide", job.id, "accepted")]
    assert opened.panes.layout == "1x1"
    assert shown(opened.panes) == [("made", "evidence")]
    assert not compared.is_active


def test_to_discard_closes_the_new_model_and_shows_what_was_shown(opened, comparing, job, settle):
    opened.panes.set_layout("1x2")
    comparing.compare(job)
    settle()
    comparing.discard()
    settle()
    assert opened.model.key == "a-b-c"
    assert opened.compared == ()
    assert comparing._jobs.asked == [("decide", job.id, "discarded")]
    assert opened.panes.layout == "1x2"
    assert {key for key, _ in shown(opened.panes)} == {"a-b-c"}
    assert all(pane.explanation is not None and not pane.error for pane in opened.panes.shown)


def test_to_leave_decides_nothing_and_keeps_both_open(opened, compared, settle):
    compared.leave()
    settle()
    assert compared._jobs.asked == []
    assert [model.key for model in opened.models] == ["a-b-c", "made"]
    assert shown(opened.panes) == [("a-b-c", "evidence")]


def test_a_layout_that_was_chosen_meanwhile_stays(opened, compared, settle):
    opened.panes.set_layout("2x2")
    compared.leave()
    settle()
    assert opened.panes.layout == "2x2"
    assert "change" not in [pane.method for pane in opened.panes.shown]


@pytest.mark.parametrize("end", ["open_model", "close_compared"])
def test_without_one_of_the_models_nothing_is_compared_any_more(opened, compared, settle, end):
    opened.close_compared() if end == "close_compared" else opened.open_model(Path("x-y-z"))
    settle()
    assert not compared.is_active
    assert opened.panes.layout == "1x1"
    assert [pane.caption for pane in opened.panes.made] == [""] * 3
    assert opened.panes.active.model is opened.model
    assert opened.panes.active.explanation is not None


def test_figures_are_read_from_the_run(opened, comparing, job, settle, tmp_path):
    row = FigureChange(
        name="test_auc", title="AUC", group="classification", images=9,
        before=Estimate(value=0.9), after=Estimate(value=0.8), change=Estimate(value=-0.1),
    )  # fmt: skip
    figures = Comparison(before="a" * 64, after="b" * 64, before_name="A", after_name="B", rows=(row,))
    write_comparison(figures, comparing._jobs.run_folder(job.id) / "comparison.json")
    comparing.compare(job)
    settle()
    assert comparing.figures == figures
    assert comparing.why_no_figures == ""


def test_without_figures_it_is_said_why(compared):
    assert compared.figures is None
    assert "comparison.json: cannot be read" in compared.why_no_figures


def test_a_model_file_that_is_gone_is_told_and_nothing_changes(opened, comparing, job, settle):
    (comparing._jobs.run_folder(job.id) / "last.safetensors").unlink()
    said = []
    comparing.failed.connect(said.append)
    comparing.compare(job)
    assert comparing.is_loading
    settle()
    assert "is not there" in said[0]
    assert not comparing.is_active
    assert opened.panes.layout == "1x1"


def test_what_is_compared_first_may_be_left_before_it_is_loaded(opened, comparing, job, settle):
    comparing.compare(job)
    comparing.leave()
    settle()
    assert opened.panes.layout == "1x1"
    assert opened.compared == ()


def test_a_pane_whose_model_nothing_is_compared_with_says_so(opened, settle):
    opened.panes.active.set_method("change")
    settle()
    assert "no other model to compare" in opened.panes.active.error


def test_a_black_box_has_no_evidence_that_changes(opened, settle):
    opened.add_model(Path("a-b-c-box"))
    settle()
    opened.panes.active.set_method("change")
    settle()
    assert "black box" in opened.panes.active.error


def test_the_last_finished_job_is_the_one_to_compare(comparing, job):
    comparing._jobs.put(make_job(4, state="failed", facts=JobFacts(start=START)))
    assert comparing.latest.number == job.number
    comparing._jobs.put(make_job(5, state="finished", facts=JobFacts(start=START)))
    assert comparing.latest.number == 5
