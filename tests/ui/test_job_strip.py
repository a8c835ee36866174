"""The strip of the job that matters now, the dialog of all jobs, and what is asked when the window closes."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMessageBox, QPushButton, QWidget

from softcam_viewer.model.job import JobFacts
from softcam_viewer.model.job_progress import JobProgress
from softcam_viewer.model.job_words import STANDINGS, about, clock, name_of_job
from softcam_viewer.ui import training
from softcam_viewer.ui.job_strip import JobStrip
from softcam_viewer.ui.jobs_dialog import JobsDialog
from softcam_viewer.ui.notification import Notifier
from softcam_viewer.ui.sparkline import thinned
from softcam_viewer.ui.theme import DARK, apply_theme
from tests.support.fake_jobs import FakeJobs, make_job

LEFT = Qt.MouseButton.LeftButton
FACTS = JobFacts(start=Path("start.safetensors"), images=840)
PROGRESS = JobProgress(
    epoch=5,
    epochs=12,
    step=500,
    steps=1000,
    seconds_left=130,
    curves={
        "loss": ((1, 1.0), (500, 0.3)),
        "wrong": ((1, 0.5), (500, 0.1)),
        "val_auc": ((4, 0.93), (5, 0.941)),
        "evidence_wrong": ((4, 0.3), (5, 0.12)),
    },
    log_tail=("epoch 4", "epoch 5"),
    warnings=("Three flags were left out.",),
    device="cpu",
)


@pytest.fixture
def jobs(qapp, tmp_path):
    apply_theme(qapp, DARK)
    made = FakeJobs(tmp_path)
    yield made
    made.deleteLater()


@pytest.fixture
def strip(qtbot, jobs):
    made = JobStrip(jobs)
    qtbot.addWidget(made)
    made.resize(1200, 60)
    return made


@pytest.fixture
def dialog(qtbot, jobs):
    made = JobsDialog(jobs)
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    qtbot.addWidget(made)
    made.show()
    return made


def offered(widget: QWidget) -> list[str]:
    return [b.text() for b in widget.findChildren(QPushButton) if b.isVisibleTo(widget) and b.objectName() != "jobName"]


def test_there_is_no_strip_where_no_job_runs_or_has_just_ended(strip, jobs):
    assert strip.isHidden()
    jobs.put(make_job(state="finished"))  # yesterday
    assert strip.isHidden()


def test_a_job_that_runs_tells_how_far_it_is(strip, jobs):
    job = make_job(state="running", facts=FACTS)
    jobs.put(job)
    jobs.report(job, PROGRESS)
    assert not strip.isHidden()
    assert strip.name.text() == "Fine-tune #3 · feedback on 42 flags"
    assert strip.text == "▶ Training  ·  epoch 5 / 12  ·  2:10 left  ·  AUC 0.941  ·  wrong evidence 12 %"
    assert strip.bar.value() == 500
    assert offered(strip) == ["Pause", "Cancel"]


@pytest.mark.parametrize(
    ("state", "fields", "buttons"),
    [
        ("queued", {"message": "Waits for job #2."}, ["Cancel"]),
        ("paused", {}, ["Go on", "Cancel"]),
        ("stalled", {"message": "Nothing was heard of it for 34 s."}, ["Cancel"]),
        ("stopping", {}, []),
        ("finished", {"facts": FACTS}, ["Compare"]),
        ("failed", {"message": "The memory is too small.", "can_resume": True}, ["Resume"]),
        ("lost", {"message": "It was killed.", "can_resume": False}, ["Start again"]),
        ("cancelled", {"can_resume": True}, ["Resume"]),
    ],
)
def test_each_state_is_told_by_sign_and_word_with_what_can_be_done(strip, jobs, state, fields, buttons):
    job = make_job(state=state, **fields)
    jobs.put(job)
    jobs.ended.emit(job.id)
    assert offered(strip) == buttons
    assert strip.text.startswith(f"{STANDINGS[state].sign} {STANDINGS[state].word}")
    assert fields.get("message", "") in strip.text
    assert strip.dismiss.isVisibleTo(strip) == job.is_over


def test_the_buttons_do_what_they_say(strip, jobs, qtbot):
    for state in ("running", "paused", "failed"):
        jobs.put(make_job(state=state, can_resume=True))
        jobs.ended.emit(jobs.jobs[0].id)
        button = next(b for b in strip.buttons.buttons.values() if b.isVisibleTo(strip))
        qtbot.mouseClick(button, LEFT)
    jobs.put(make_job(state="failed"))
    qtbot.mouseClick(strip.buttons.buttons["again"], LEFT)
    assert [what for what, _ in jobs.asked] == ["pause", "unpause", "resume", "resume"]


def test_a_click_opens_the_jobs_and_compare_asks_for_the_comparison(strip, jobs, qtbot):
    opened, compared = [], []
    strip.opened.connect(opened.append)
    strip.compare_wanted.connect(compared.append)
    job = make_job(state="finished", facts=FACTS)
    jobs.put(job)
    jobs.ended.emit(job.id)
    qtbot.mouseClick(strip, LEFT, pos=QPoint(600, 30))
    strip.name.click()
    strip.buttons.buttons["compare"].click()
    assert opened == [job.id, job.id]
    assert compared == [job]


def test_a_job_that_has_ended_is_put_away_and_one_that_runs_comes_first(strip, jobs):
    ended, running = make_job(1, state="failed"), make_job(2, state="running")
    jobs.put(ended)
    jobs.ended.emit(ended.id)
    jobs.put(running)
    assert strip.job == running
    jobs.put(make_job(2, state="cancelled"))
    assert strip.job == ended
    strip.dismiss.click()
    assert strip.isHidden()


def test_how_many_wait_is_told(strip, jobs, texts):
    for number, state in ((1, "running"), (2, "queued"), (3, "queued")):
        jobs.put(make_job(number, state=state))
    assert "2 waiting" in texts(strip)


# All jobs


def test_all_jobs_are_listed_and_the_chosen_one_is_shown_in_full(dialog, jobs, texts):
    message = "It was killed (signal 9). It can be resumed from where it was kept last, at step 5."
    running = make_job(2, state="running", facts=FACTS)
    failed = make_job(1, state="failed", message=message, can_resume=True)
    jobs.put(failed)
    jobs.put(running)
    dialog.choose(running.id)
    jobs.report(running, PROGRESS)
    assert dialog.table.model().rowCount() == 2
    assert "epoch 5 / 12" in texts(dialog)
    assert "840 training images" in texts(dialog)
    assert dialog.log.toPlainText() == "▲ Three flags were left out.\nepoch 4\nepoch 5"
    dialog.table.selectRow(1)
    assert dialog.job == failed
    assert message in texts(dialog)
    assert "Resume" in offered(dialog)
    assert dialog.log.toPlainText() == "The log is empty."


def test_curves_are_drawn_with_a_legend_of_those_there_are(dialog, jobs, texts, qtbot):
    job = make_job(state="running")
    jobs.put(job)
    jobs.report(job, PROGRESS)
    plots = dialog.curves.plots
    qtbot.waitUntil(lambda: plots["Loss"].shown == {"loss": [(1, 1.0), (500, 0.3)], "wrong": [(1, 0.5), (500, 0.1)]})
    assert plots["Validation"].shown == {"val_auc": [(4, 0.93), (5, 0.941)]}
    assert plots["Evidence within the flags"].shown == {"evidence_wrong": [(4, 0.3), (5, 0.12)]}
    assert "Wrong evidence" in texts(plots["Loss"])
    assert "Missed findings" not in texts(plots["Loss"])


def test_long_curves_are_drawn_with_fewer_points_of_the_same_mean():
    points = tuple((float(x), float(x % 7)) for x in range(490))
    few = thinned(points, 71)
    assert len(few) == 71
    assert few[-1] == points[-1]
    assert sum(y for _, y in few[:-1]) / 70 == pytest.approx(3.0)
    assert thinned(points[:71], 71) == points[:71]


def test_curves_are_drawn_at_most_ten_times_a_second(dialog, jobs, monkeypatch, qtbot):
    job = make_job(state="running")
    jobs.put(job)
    qtbot.waitUntil(lambda: not dialog.curves._later.isActive())
    drawn = []
    monkeypatch.setattr(dialog.curves, "_draw", lambda: drawn.append(1))
    for _ in range(20):
        jobs.report(job, PROGRESS)
    assert len(drawn) <= 1


def test_a_job_is_forgotten_only_when_that_is_meant_and_it_does_not_run(dialog, jobs, monkeypatch):
    asked = []

    def answer(key):
        monkeypatch.setattr(QMessageBox, "question", lambda *a: asked.append(a[2]) or key)

    jobs.put(make_job(state="running"))
    assert not dialog.forget_button.isEnabled()
    jobs.put(make_job(state="finished", decision="accepted"))
    answer(QMessageBox.StandardButton.Cancel)
    dialog.forget_button.click()
    assert jobs.asked == []
    assert "was accepted" in asked[0]
    answer(QMessageBox.StandardButton.Discard)
    dialog.forget_button.click()
    assert jobs.asked == [("forget", jobs.jobs[0].id)]


def test_without_jobs_the_dialog_says_how_to_start_one(dialog, texts):
    assert "Fine-tune on flags" in texts(dialog)
    assert not dialog.forget_button.isVisibleTo(dialog)


# The end


@pytest.mark.parametrize("wanted", [training.KEEP, training.STOP, training.STAY])
def test_closing_with_a_job_that_runs_asks_what_becomes_of_it(qapp, qtbot, monkeypatch, wanted):
    said = []

    def press(box):
        said.append(box.text())
        next(button for button in box.buttons() if button.text() == wanted).click()

    monkeypatch.setattr(QMessageBox, "exec", press)
    window = QWidget()
    qtbot.addWidget(window)
    assert training.ask_what_becomes_of((make_job(state="running"),), window) == wanted
    assert said == ["Fine-tune #3 · feedback on 42 flags is still training."]


def test_the_end_of_a_job_is_told_on_the_desktop_unless_somebody_looks(qtbot, monkeypatch):
    window = QWidget()
    qtbot.addWidget(window)
    told = []
    notifier = Notifier(window)
    monkeypatch.setattr(notifier, "_show", lambda title, text: told.append((title, text)) or True)
    notifier.tell(make_job(state="failed", message="Disk full."))
    assert told == [("Fine-tune #3 · feedback on 42 flags", "The training has failed. Disk full.")]
    monkeypatch.setattr(window, "isActiveWindow", lambda: True)
    notifier.tell(make_job(state="finished"))
    assert len(told) == 1


def test_times_are_told_as_people_say_them():
    assert [clock(s) for s in (0, 59.6, 130, 7384)] == ["0:00", "1:00", "2:10", "2:03:04"]
    assert [about(s) for s in (3, 44, 200, 5400, 9000)] == [
        "about 10 s", "about 40 s", "about 3 min", "about 1 h 30 min", "about 2 h 30 min",
    ]  # fmt: skip
    assert name_of_job(make_job(title="")) == "Fine-tune #3"
