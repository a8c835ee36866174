"""Jobs that several windows see, one after another or at once."""

import itertools
import os
import sys
import time
from collections import Counter

import pytest

from softcam_viewer.jobs.processes import start_time
from softcam_viewer.model.job import Job
from softcam_viewer.model.job_queue import training_command
from softcam_viewer.model.job_store import JobStore
from tests.support.job_windows import WHOLE

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is found by what it writes in 30 s")


# Several windows


def test_two_windows_start_each_job_once(windows):
    first, second = windows(), windows()
    names = [first.add(*WHOLE, number=n) for n in (1, 2)]
    names += [second.add(*WHOLE, number=n) for n in (3, 4)]
    for window in (first, second):
        window.scripts.update({**first.scripts, **second.scripts})
    first.until(lambda: all(w.jobs.get(n) and w.jobs[n].is_over for w in (first, second) for n in names), second)
    logs = [first.store.folder(name).log.read_text().count("--- started") for name in names]
    assert logs == [1, 1, 1, 1]
    jobs = sorted((first.jobs[name] for name in names), key=lambda job: job.started)
    assert all(a.ended <= b.started + 0.05 for a, b in itertools.pairwise(jobs))


@linux
def test_a_job_of_another_window_is_followed_and_can_be_cancelled_not_paused(windows):
    owner, other = windows(), windows()
    name = owner.add("start", "pace=0.01", "steps=4", "wait")
    other.look()
    assert other.own == frozenset()
    other.until(lambda: name in other.progress and other.progress[name].step == 4, owner)
    other.do("pause", name, on=True)
    assert "started by another window" in other.problems[0]
    other.do("cancel", name)
    owner.until(lambda: owner.jobs[name].is_over)
    assert owner.jobs[name].state == "cancelled"
    assert "stopped from outside this window" in owner.jobs[name].message
    other.look()
    assert other.jobs[name] == owner.jobs[name]
    assert Counter(other.ended) == Counter([name])


@linux
def test_a_job_that_goes_on_without_its_window_is_found_again(windows):
    before = windows()
    name = before.add("start", "pace=0.02", "steps=20", "wait")
    before.until(lambda: name in before.progress and before.progress[name].step >= 2)
    before.queue.close(keep_running=True)
    after = windows()
    after.look()
    assert after.own == {name}
    assert after.jobs[name].state == "running"
    after.until(lambda: after.progress[name].step == 20)
    after.do("cancel", name)
    job = after.until_state(name, "cancelled")
    assert job.can_resume
    assert job.message.startswith("It can be resumed")


@linux
def test_a_paused_job_goes_on_when_the_window_leaves_it(windows):
    before = windows()
    name = before.add("start", "pace=0.01", "steps=1000")
    before.do("pause", name, on=True)
    before.until_state(name, "paused")
    before.queue.close(keep_running=True)
    after = windows()
    after.look()
    after.until_state(name, "running")
    at = after.progress[name].step
    after.until(lambda: after.progress[name].step > at + 3)


def test_a_window_that_closes_stops_its_jobs_and_keeps_what_they_have(windows):
    before = windows()
    obedient = before.add("start", "steps=3", "wait", number=1)
    deaf = before.add("deaf", "start", "keep", "wait", number=2, device="cuda")
    queued = before.add(*WHOLE, number=3)
    before.until(lambda: all(before.progress.get(name) for name in (obedient, deaf)))
    before.until(lambda: before.store.folder(deaf).resume.exists())
    pids = [before.jobs[name].pid for name in (obedient, deaf)]
    before.queue.close(keep_running=False)
    assert not any(start_time(pid) for pid in pids)
    found = JobStore(before.store.path).read()[0]
    assert [found[name].state for name in (obedient, deaf, queued)] == ["cancelled", "cancelled", "queued"]
    assert found[obedient].can_resume
    assert found[deaf].can_resume


@linux
@pytest.mark.parametrize(
    ("script", "state", "words"),
    [
        (("start", "keep", "pace=0.02", "steps=3", "signal=9"), "lost", "without a word, as when it is killed"),
        (("start", "pace=0.02", "steps=3", "end=finished"), "finished", ""),
        (("start", "keep", "pace=0.02", "steps=3", "error=disk", "exit=2"), "failed", "the disk is at fault"),
    ],
)
def test_what_ended_while_no_window_was_there_is_told_by_the_next(windows, script, state, words):
    before = windows()
    name = before.add(*script)
    pid = before.jobs[name].pid
    before.queue.close(keep_running=True)
    os.waitpid(pid, 0)
    after = windows()
    after.look()
    job = after.until_state(name, "lost", "finished", "failed", "cancelled")
    assert job.state == state
    assert words in job.message
    assert job.can_resume == (state != "finished")
    assert after.ended == [name]


@linux
def test_a_window_that_died_between_starting_and_saying_so_leaves_a_job_that_is_found(windows):
    before = windows()
    name = before.add("start", "steps=2", "wait")
    before.until(lambda: name in before.progress and before.progress[name].step == 2)
    before.queue.close(keep_running=True)
    job = before.jobs[name]
    before.store.write(job.but(pid=None, process=""))
    after = windows()
    after.look()
    assert after.own == {name}
    assert after.jobs[name].pid == job.pid
    after.do("cancel", name)
    assert after.until_state(name, "cancelled").can_resume


def test_a_job_whose_process_nobody_ever_heard_of_is_lost_after_a_while(windows):
    window = windows()
    store = window.store
    now = time.time()
    for number, started in ((1, now - 61), (2, now)):
        job = Job(
            id=f"000{number}-a", number=number, title="t", created=now, state="running", started=started, device="cpu"
        )
        store.make(job, "")
    window.look()
    window.look()
    assert window.jobs["0001-a"].state == "lost"
    assert window.jobs["0002-a"].state == "running"


def test_a_damaged_job_is_told_once_and_the_others_work(windows):
    window = windows()
    window.store.path.mkdir(parents=True)
    (window.store.path / "0001-damaged").mkdir()
    (window.store.path / "0001-damaged" / "job.json").write_text("{")
    name = window.add(*WHOLE, number=2)
    window.until_state(name, "finished")
    window.look()
    window.look()
    assert len(window.problems) == 1
    assert "0001-damaged" in window.problems[0]


def test_the_command_line_is_that_of_the_trainer(window, tmp_path):
    folder = window.store.folder("0001-a")
    job = Job(id="0001-a", number=1, title="t", created=1.0)
    new, on = training_command(job, folder), training_command(job.but(goes_on=True), folder)
    assert new[:5] == on[:5] == [sys.executable, "-P", "-m", "softcam_core", "train"]
    run = str(tmp_path / "jobs" / "0001-a" / "run")
    assert new[5:] == ["--config", str(folder.config), "--out", run, "--control", "stdin"]
    assert on[5:] == ["--resume", run, "--control", "stdin"]
