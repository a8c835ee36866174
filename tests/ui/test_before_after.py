"""Before and after a fine-tuning in the window: panes, ledger of the change, figures, and what becomes of the model."""

from pathlib import Path

import pytest
import torch
from PySide6.QtCore import Qt

from softcam_core.annotations.shapes import Rectangle
from softcam_core.models.checkpoint import load_model, save_model
from softcam_core.training.comparison import Comparison, Estimate, FigureChange, write_comparison
from softcam_viewer.model.job import JobFacts
from softcam_viewer.ui.comparison_view import ComparisonView, with_interval
from softcam_viewer.ui.fine_tuning_dialog import FineTuningDialog
from softcam_viewer.ui.jobs_dialog import JobsDialog
from tests.support.fake_jobs import FakeJobs, make_job


def figure(title: str, before: float, after: float, low: float, high: float, **fields) -> FigureChange:
    change = Estimate(value=after - before, low=low, high=high)
    ends = {"before": Estimate(value=before), "after": Estimate(value=after), "change": change}
    return FigureChange(**{"name": title, "title": title, "group": "classification", "images": 180} | ends | fields)


FIGURES = Comparison(
    before="a" * 64,
    after="b" * 64,
    before_name="A",
    after_name="B",
    rows=(
        figure("AUC, test images", 0.972, 0.961, -0.026, 0.004, better="higher"),
        figure("Wrong evidence, training images", 0.362, 0.034, -0.36, -0.29, group="evidence", better="lower"),
        figure("Evidence in findings, test images", 0.3, 0.2, -0.2, -0.05, group="evidence", better="higher"),
    ),
    notes=("Shares are means over images.",),
)


@pytest.fixture
def finished(opened, signed_model_file: Path, tmp_path: Path, monkeypatch):
    """A job that has finished: its model has another head."""
    job = make_job(state="finished", facts=JobFacts(start=signed_model_file))
    jobs = FakeJobs(tmp_path / "jobs", job)
    run = jobs.run_folder(job.id)
    run.mkdir(parents=True)
    model = load_model(signed_model_file)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.add_(torch.randn_like(parameter))
    model.card = model.card.model_copy(update={"name": "Fine-tuned"})
    save_model(model, run / "best.safetensors")
    write_comparison(FIGURES, run / "comparison.json")
    monkeypatch.setattr(opened.desk.comparing, "_jobs", jobs)
    opened.window._on_state_changed()
    yield job, jobs
    jobs.deleteLater()


def test_the_change_is_shown_accounted_for_and_accepted(opened, finished, settle, qtbot, texts):
    window, session = opened.window, opened.session
    view = window.training.comparison
    assert view.isHidden()
    window.commands["compare_before"].trigger()
    assert "Loading the models" in texts(view)
    settle()

    before, after, change = session.panes.shown
    assert [pane.caption for pane in session.panes.shown] == ["Before", "After", "Change"]
    assert [pane.header.state_label.text() for pane in window.grid.panes[:3]] == ["Before", "After", "Change"]
    odds = [
        float(pane.explanation.logits[pane.overlay.target]) - float(pane.explanation.logits[pane.overlay.against])
        for pane in (before, after)
    ]
    assert session.weighing.ledger.total == pytest.approx(odds[1] - odds[0], abs=1e-4)
    assert window.ledger.remark.text() == "adds up to the Δ log-odds"
    assert "Fine-tuned" in window.prediction.remark.text()

    # Without the change in a region the new model says something in between, exactly.
    regions = session.weighing.ledger.regions
    assert regions
    session.weighing.set_counted(regions[0].number, counted=False)
    assert "Without the change in" in texts(window.ledger)
    taken = session.weighing.outcome.logits
    target, against = change.overlay.target, change.overlay.against
    assert taken[target] - taken[against] == pytest.approx(odds[1] - regions[0].contribution, abs=1e-4)

    assert view.rows == [
        ["AUC", "180\ntest images", "0.972", "0.961", "−0.011\n−0.026 to +0.004", "· not sure"],
        ["Wrong evidence", "180\ntraining images", "36.2 %", "3.4 %", "−32.8 pp\n−36.0 to −29.0", "✓ better"],
        ["Evidence in findings", "180\ntest images", "30.0 %", "20.0 %", "−10.0 pp\n−20.0 to −5.0", "✕ worse"],
    ]
    view.fold.click()
    assert view.table.isHidden()

    qtbot.mouseClick(view.accept, Qt.MouseButton.LeftButton)
    settle()
    assert finished[1].asked == [("decide", finished[0].id, "accepted")]
    assert session.model.card.name == "Fine-tuned"
    assert view.isHidden()
    assert [pane.caption for pane in session.panes.made] == [""] * 3
    assert not window.commands["accept_model"].isEnabled()


def test_a_flagged_image_that_is_gone_is_named_and_the_figures_are_shown(opened, finished, folder, settle, texts):
    window, session = opened.window, opened.session
    session.annotating.draw(Rectangle(top=10, left=10, height=20, width=30))
    settle()
    flagged = session.cases[session.row].path
    session.select(session.row + 1)
    settle()
    flagged.rename(flagged.with_name("moved.png"))
    window.commands["compare_before"].trigger()  # goes to the flagged case
    settle()
    assert session.cases[session.row].path == flagged
    assert str(flagged) in window.messages.text
    assert session.film.image is None
    assert len(window.training.comparison.rows) == len(FIGURES.rows)
    session.worklist.filter_by("")
    session.step(1)
    settle()
    assert all(pane.overlay_map is not None for pane in session.panes.shown)


def test_models_on_another_grid_are_refused_in_the_pane(opened, finished, three_class_file, settle):
    opened.session.add_model(three_class_file)
    settle()
    opened.session.panes.active.set_method("change")
    settle()
    assert "answer different questions" in opened.session.panes.active.error


def test_the_menu_opens_its_dialogs_once(opened, settle):
    window = opened.window
    for name, kind in (("fine_tune", FineTuningDialog), ("show_jobs", JobsDialog)):
        window.commands[name].trigger()
        window.commands[name].trigger()
        [dialog] = window.findChildren(kind)
        settle()
        dialog.close()
    assert not window.commands["compare_before"].isEnabled()
    assert window.commands.why_not("compare_before") == "no fine-tuning has finished yet"


def test_a_job_that_runs_may_keep_the_window_open(opened, monkeypatch):
    jobs, window = opened.desk.jobs, opened.window
    monkeypatch.setattr(type(jobs), "running", property(lambda _: (make_job(state="running"),)))
    answers = iter(("Cancel", "Keep training", "Stop and keep what is done"))
    monkeypatch.setattr("softcam_viewer.ui.training.ask_what_becomes_of", lambda *_: next(answers))
    assert not window.close()
    assert window.isVisible()
    assert window.close()
    assert jobs.wants_to_keep_running
    window.show()
    assert window.close()
    assert not jobs.wants_to_keep_running


def test_without_figures_the_view_says_why(qtbot, opened, finished, settle):
    (finished[1].run_folder(finished[0].id) / "comparison.json").unlink()
    opened.desk.comparing.compare(finished[0])
    settle()
    view: ComparisonView = opened.window.training.comparison
    assert view.rows == []
    assert "No figures:" in view._remark.text()
    view.leave.click()
    assert view.isHidden()


def test_figures_without_a_value_are_left_open():
    assert with_interval(Estimate(value=None), is_share=True) == "–"
    assert with_interval(Estimate(value=0.5, low=0.4, high=0.6), is_share=True) == "50.0 %\n40.0 to 60.0"
