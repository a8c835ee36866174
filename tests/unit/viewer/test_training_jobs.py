"""Jobs as the window has them: on a lane of their own, told by signals."""

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from softcam_core.errors import JobError
from softcam_core.training.events import read_events
from softcam_viewer.jobs import processes
from softcam_viewer.jobs.processes import start_time
from softcam_viewer.jobs.supervisor import Limits
from softcam_viewer.model import job_queue
from softcam_viewer.model.job import Job, JobFacts
from softcam_viewer.model.job_progress import JobProgress
from softcam_viewer.model.job_store import JobStore
from softcam_viewer.model.training_jobs import TrainingJobs

FAKE = Path(__file__).parents[2] / "support" / "fake_trainer.py"
SETTINGS = {"data": {"path": "data.csv"}, "hardware": {"device": "cpu"}}
WINDOW = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from softcam_viewer.model.training_jobs import TrainingJobs
app = QCoreApplication([])
command = lambda job, folder: [sys.executable, "-S", {fake!r}, str(folder.run), "start", "steps=4", "keep", "wait"]
jobs = TrainingJobs(Path({folder!r}), command=command)
jobs.start()
app.exec()
"""


@pytest.fixture
def make_jobs(qapp, tmp_path):
    made = []

    def make(*script, **how) -> TrainingJobs:
        if script:
            how["command"] = lambda job, folder: [sys.executable, "-S", str(FAKE), str(folder.run), *script]
        made.append(TrainingJobs(tmp_path / "jobs", Limits(stop_within=30), **how))
        return made[-1]

    yield make
    for jobs in made:
        jobs.close(keep_running=False)
        jobs.deleteLater()


def state(jobs: TrainingJobs, name: str) -> str:
    return next((job.state for job in jobs.jobs if job.id == name), "")


def test_a_job_is_listed_at_once_and_told_of_until_its_end(make_jobs, qtbot):
    jobs = make_jobs("start", "pace=0.01", "steps=40", "end=finished")
    reports: list[tuple[float, int]] = []
    ended = []
    jobs.reported.connect(lambda name: reports.append((time.monotonic(), jobs.progress(name).step)))
    jobs.ended.connect(ended.append)
    facts = JobFacts(flags=42)
    job = jobs.add(SETTINGS, title="feedback on 42 flags", facts=facts)
    assert jobs.jobs == (job,)
    assert (job.number, job.state, job.facts, job.title) == (1, "queued", facts, "feedback on 42 flags")
    assert jobs.progress(job.id) == JobProgress()
    qtbot.waitUntil(lambda: [each.id for each in jobs.running] == [job.id])
    qtbot.waitUntil(lambda: ended == [job.id], timeout=10_000)
    assert state(jobs, job.id) == "finished"
    assert jobs.running == ()
    assert jobs.progress(job.id).step == 40
    steps = [step for _, step in reports]
    assert steps == sorted(steps)
    assert len(steps) > 2
    # At most ten times a second, however fast the steps are.
    assert min(b - a for (a, _), (b, _) in itertools.pairwise(reports)) >= 0.099
    assert jobs.run_folder(job.id).is_dir()
    assert jobs.log_file(job.id).is_file()
    second = jobs.add(SETTINGS, title="again")
    assert [each.number for each in jobs.jobs] == [2, 1]
    assert second.id.startswith("0002-")


def test_the_history_is_there_in_the_next_window_and_its_figures_when_asked_for(make_jobs, qtbot):
    before = make_jobs("start", "steps=5", "end=finished")
    name = before.add(SETTINGS, title="t").id
    qtbot.waitUntil(lambda: state(before, name) == "finished", timeout=10_000)
    before.close()
    after = make_jobs()
    assert after.jobs == ()
    after.start()
    qtbot.waitUntil(lambda: after.jobs == before.jobs)
    reported = []
    after.reported.connect(reported.append)
    assert after.progress(name).step == 0
    assert after.progress(name).step == 0
    qtbot.waitUntil(lambda: reported == [name])
    assert after.progress(name) == before.progress(name)
    after.decide(name, "discarded")
    qtbot.waitUntil(lambda: after.jobs[0].decision == "discarded")
    after.forget(name)
    qtbot.waitUntil(lambda: after.jobs == ())


def test_a_job_added_before_the_first_look_has_the_next_number(make_jobs, tmp_path):
    JobStore(tmp_path / "jobs").make(Job(id="0007-a", number=7, title="t", created=1.0, state="finished"), "")
    assert make_jobs("exit=0").add(SETTINGS, title="t").number == 8


def test_what_cannot_be_done_is_told(make_jobs, qtbot):
    jobs = make_jobs("start", "wait")
    told = []
    jobs.failed.connect(told.append)
    name = jobs.add(SETTINGS, title="t").id
    qtbot.waitUntil(lambda: state(jobs, name) == "running", timeout=10_000)
    for count in (1, 2):  # each time it is asked for
        jobs.forget(name)
        qtbot.waitUntil(lambda count=count: told == ["#1 is running. Cancel it first."] * count)


def test_a_defect_while_a_job_is_queued_is_that_jobs_end(make_jobs, qtbot, monkeypatch, caplog):
    monkeypatch.setattr(job_queue, "_device_kind", lambda device: 1 / 0)
    jobs = make_jobs("exit=0")
    ended = []
    jobs.ended.connect(ended.append)
    name = jobs.add(SETTINGS, title="t").id
    qtbot.waitUntil(lambda: ended == [name])
    assert state(jobs, name) == "failed"
    assert "Internal error: ZeroDivisionError" in jobs.jobs[0].message
    assert "ZeroDivisionError" in caplog.text
    jobs.forget(name)
    qtbot.waitUntil(lambda: jobs.jobs == ())


@pytest.mark.parametrize("keeps", [True, False])
def test_what_becomes_of_a_job_when_the_window_closes_is_what_the_user_said(make_jobs, qtbot, keeps):
    jobs = make_jobs("start", "steps=3", "wait")
    name = jobs.add(SETTINGS, title="t").id
    qtbot.waitUntil(lambda: jobs.progress(name).step == 3, timeout=10_000)
    pid = jobs.running[0].pid
    jobs.wants_to_keep_running = keeps
    jobs.close()
    jobs.close()
    assert bool(start_time(pid)) == keeps
    jobs.start()
    jobs.cancel(name)  # there is nobody any more
    if keeps:
        after = make_jobs()
        after.start()
        qtbot.waitUntil(lambda: [job.id for job in after.running] == [name])


def test_where_nothing_is_kept_there_are_no_jobs(qapp):
    jobs = TrainingJobs(None)
    jobs.start()
    jobs.pause("0001-a")
    assert jobs.progress("0001-a") == JobProgress()
    with pytest.raises(JobError, match="are not kept"):
        jobs.add(SETTINGS, title="t")
    jobs.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is found by what it writes in 30 s")
def test_a_window_that_is_killed_leaves_its_job_to_the_next(make_jobs, qtbot, tmp_path):
    store = JobStore(tmp_path / "jobs")
    job = Job(id="0001-a", number=1, title="t", created=1.0, settings=SETTINGS, device="cpu")
    store.make(job, "")
    window = subprocess.Popen([sys.executable, "-c", WINDOW.format(fake=str(FAKE), folder=str(store.path))])
    folder = store.folder(job.id)
    qtbot.waitUntil(lambda: any(event.type == "step" for event in read_events(folder.events)), timeout=10_000)
    qtbot.waitUntil(lambda: store.read()[0][job.id].pid is not None)
    window.send_signal(signal.SIGKILL)
    window.wait(10)
    jobs = make_jobs()
    jobs.start()
    qtbot.waitUntil(lambda: [each.id for each in jobs.running] == [job.id])
    assert start_time(jobs.running[0].pid)
    assert jobs.progress(job.id).step == 4
    jobs.cancel(job.id)
    qtbot.waitUntil(lambda: state(jobs, job.id) == "cancelled", timeout=10_000)
    assert jobs.jobs[0].can_resume


@pytest.mark.slow
def test_a_real_training_is_paused_cancelled_resumed_and_finished(make_jobs, qtbot, spot_table, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(processes, "NICENESS", 0)  # other tests would keep it waiting
    settings = {
        "data": {"path": spot_table},
        "model": {"architecture": "compact", "name": "spots"},
        "preprocessing": {"shorter_side": 48},
        "training": {"epochs": 2, "batch_size": 1},
        "hardware": {"device": "cpu"},
    }
    jobs = make_jobs()
    told = []
    jobs.failed.connect(told.append)
    name = jobs.add(settings, title="spots").id

    def wait(condition) -> None:
        qtbot.waitUntil(condition, timeout=60_000)

    wait(lambda: state(jobs, name) == "running")
    jobs.pause(name)
    wait(lambda: state(jobs, name) == "paused")
    step = jobs.progress(name).step
    assert jobs.progress(name).epochs == 2
    qtbot.wait(250)
    assert jobs.progress(name).step == step < 128
    jobs.unpause(name)
    wait(lambda: jobs.progress(name).step > step)
    jobs.cancel(name)
    wait(lambda: state(jobs, name) == "cancelled")
    cancelled = jobs.jobs[0]
    assert cancelled.can_resume
    assert cancelled.message.startswith("It can be resumed from where it was kept last, at step ")
    jobs.resume(name)
    wait(lambda: state(jobs, name) in ("finished", "failed"))
    assert (state(jobs, name), jobs.jobs[0].message, told) == ("finished", "", [])
    progress = jobs.progress(name)
    assert (progress.step, progress.steps) == (128, 128)
    assert [x for x, _ in progress.curves["loss"]] == list(range(1, 129))
    assert [x for x, _ in progress.curves["val_auc"]] == [1, 2]
    assert (jobs.run_folder(name) / "best.safetensors").is_file()
    assert "paused" in jobs.log_file(name).read_text("utf-8").splitlines()
