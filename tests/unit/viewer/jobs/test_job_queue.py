"""Jobs whose process is a stand-in for the trainer (tests/support/fake_trainer.py)."""

import sys

import pytest

from softcam_core.training.events import read_events
from softcam_viewer.jobs.processes import start_time
from softcam_viewer.model import job_queue
from softcam_viewer.model.job import Job, JobFacts
from softcam_viewer.model.job_store import JobStore
from tests.support.job_windows import WHOLE, Window

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is found by what it writes in 30 s")


def test_a_job_runs_to_its_end_and_its_progress_is_told(window):
    name = window.add("say=hello", "start", "pace=0.02", "steps=8", "keep", "end=finished")
    job = window.until_state(name, "finished")
    assert window.seen[name] == ["running", "finished"]  # it began with the very call that added it
    assert window.ended == [name]
    assert (job.message, job.can_resume, job.device) == ("", False, "cpu")
    assert job.created <= job.started < job.ended
    progress = window.progress[name]
    assert (progress.step, progress.steps, progress.device) == (8, 100, "cpu")
    assert [x for x, _ in progress.curves["loss"]] == list(range(1, 9))
    assert progress.log_tail[-1] == "hello"
    assert window.problems == []
    assert window.own == frozenset()
    # Another window reads it all again.
    again = Window(window.store.path.parent)
    again.look()
    assert again.jobs[name] == job
    assert again.ended == []
    again.do("look_at", name)
    assert again.progress[name] == progress


def test_jobs_on_one_device_run_one_after_another_and_others_beside_them(window):
    slow = ("start", "wait")
    first = window.add(*slow, number=1)
    second = window.add(*WHOLE, number=2)
    third = window.add(*WHOLE, number=3)
    graphics = window.add(*slow, number=4, device="cuda:0")
    graphics_too = window.add(*WHOLE, number=5, device="cuda:1")
    window.until_state(first, "running")
    states = {name: job.state for name, job in window.jobs.items()}
    assert states == {first: "running", second: "queued", third: "queued", graphics: "running", graphics_too: "queued"}
    assert window.jobs[second].message == window.jobs[third].message == "It waits for #1 to end."
    assert window.jobs[graphics_too].message == "It waits for #4 to end."
    window.do("cancel", first)
    window.until_state(third, "finished")
    assert window.ended.index(first) < window.ended.index(second) < window.ended.index(third)
    assert window.jobs[second].ended <= window.jobs[third].started
    assert window.jobs[graphics_too].state == "queued"


def test_a_job_waits_and_goes_on_as_it_is_told(window):
    name = window.add("start", "pace=0.01", "steps=5", "wait")
    window.until(lambda: name in window.progress and window.progress[name].step == 5)
    window.do("pause", name, on=True)
    assert window.jobs[name].message == "It pauses before the next step." or window.jobs[name].state == "paused"
    window.until_state(name, "paused")
    assert window.jobs[name].message == ""
    window.do("pause", name, on=False)
    window.until_state(name, "running")
    window.do("pause", name, on=True)
    window.until_state(name, "paused")
    window.do("cancel", name)  # stop works while it waits
    job = window.until_state(name, "cancelled")
    assert job.can_resume
    assert job.message == "It can be resumed from where it was kept last, at step 5."


def test_a_cancelled_job_goes_on_where_it_was(window):
    name = window.add("start", "steps=7", "wait")
    window.until(lambda: name in window.progress and window.progress[name].step == 7)
    window.do("cancel", name)
    window.until_state(name, "cancelled")
    window.scripts[name] = WHOLE
    window.do("resume", name)
    job = window.until_state(name, "finished")
    assert job.goes_on
    assert window.progress[name].step == 10
    starts = [event for event in read_events(window.store.folder(name).events) if event.type == "start"]
    assert [event.resumed_from for event in starts] == [None, 7]
    log = window.store.folder(name).log.read_text()
    assert log.count("--- started") == 2


def test_a_queued_job_is_cancelled_at_once_and_never_starts(window):
    first, second = window.add("start", "wait", number=1), window.add(*WHOLE, number=2)
    job = window.do("cancel", second)
    assert (job.state, job.message) == ("cancelled", "It was cancelled before it began.")
    window.do("cancel", first)
    window.until_state(first, "cancelled")
    assert not window.store.folder(second).run.exists()
    # Started again after all, from its beginning.
    window.do("resume", second)
    assert window.until_state(second, "finished").goes_on is False


def test_silence_is_told_and_passes(window):
    name = window.add("start", "silent")
    job = window.until_state(name, "stalled")
    assert "Nothing was heard for 0 s" in job.message
    window.do("pause", name, on=True)
    window.until_state(name, "paused")
    window.until_state(name, "stalled")
    window.do("cancel", name)
    assert window.until_state(name, "cancelled").can_resume


def test_a_job_that_does_not_obey_is_killed_and_can_be_resumed_from_what_was_kept(window):
    name = window.add("deaf", "start", "steps=2", "keep", "wait")
    window.until(lambda: name in window.progress and window.progress[name].step == 2)
    pid = window.jobs[name].pid
    assert window.do("cancel", name).state in ("running", "stopping")
    job = window.until_state(name, "cancelled")
    assert "stopping" in window.seen[name]
    assert job.message == (
        "It did not end by itself when it was asked to, and was killed. It can be resumed from where it was kept last, "
        "at step 2."
    )
    assert not start_time(pid)


@pytest.mark.parametrize(
    ("script", "words", "can_resume"),
    [
        (("start", "steps=2", "keep", "signal=9"), "It was killed (signal 9), by the system", True),
        (("start", "signal=11"), "segmentation fault", False),
        (("start", "keep", "error=out_of_memory", "exit=2"), "run: the out_of_memory is at fault. Do something.", True),
        (
            ("say=softcam: error: data.csv: cannot be read: gone. Check it.", "exit=2"),
            "data.csv: cannot be read",
            False,
        ),
        (("start", "traceback", "exit=1"), "Internal error: ZeroDivisionError: division by zero. Please report", False),
        (("start", "exit=0"), "without saying how", False),
    ],
)
def test_a_job_that_fails_says_why_and_what_can_be_done(window, script, words, can_resume):
    name = window.add(*script)
    job = window.until_state(name, "failed")
    assert words in job.message
    assert job.can_resume == can_resume
    assert ("can be resumed" if can_resume else "can be started again") in job.message
    window.scripts[name] = WHOLE
    window.do("resume", name)
    assert window.until_state(name, "finished").message == ""
    assert window.problems == []


def test_how_an_earlier_process_ended_is_not_how_the_next_one_does(window):
    name = window.add("start", "keep", "error=disk", "exit=2")
    window.until_state(name, "failed")
    window.scripts[name] = ("exit=3",)
    window.do("resume", name)
    window.until(lambda: len(window.ended) == 2)
    assert "exit code 3" in window.jobs[name].message
    assert "disk" not in window.jobs[name].message


def test_settings_that_cannot_be_are_the_jobs_message(window):
    name = window.add(*WHOLE, number=1, device="cpu")
    window.until_state(name, "finished")
    bad = Job(id="0002-bad", number=2, title="t", created=2.0, settings={"data": {"path": "x"}, "colour": "blue"})
    window.take(window.queue.add(bad))
    assert window.jobs[bad.id].state == "failed"
    assert "colour: there is no such setting" in window.jobs[bad.id].message
    window.look()
    assert bad.id in window.jobs
    window.do("forget", bad.id)
    assert list(window.jobs) == [name]


def test_without_free_space_a_job_is_refused_in_words(window, monkeypatch, tmp_path):
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"0" * 10_000_000)
    monkeypatch.setattr(job_queue, "free_bytes", lambda path: 225_000_000)
    name = window.add(*WHOLE, facts=JobFacts(start=model))
    job = window.jobs[name]
    assert job.state == "failed"
    assert "only 225 MB are free, and the job may need 230 MB. Make room" in job.message
    monkeypatch.setattr(job_queue, "free_bytes", lambda path: 235_000_000)
    window.do("resume", name)
    assert window.until_state(name, "finished").message == ""


def test_a_program_that_cannot_be_started_is_told(windows):
    window = windows()
    window.queue._command = lambda job, folder: [str(folder.path / "nothing")]
    name = window.add()
    job = window.jobs[name]
    assert job.state == "failed"
    assert "cannot be started" in job.message
    assert window.store.claim(job.id) is not None


def test_a_disk_that_is_full_at_the_end_loses_nothing_that_was_trained(windows, monkeypatch):
    window = windows()
    name = window.add("start", "steps=2", "wait")
    window.until(lambda: name in window.progress and window.progress[name].step == 2)
    write = JobStore.write
    monkeypatch.setattr(JobStore, "write", full_disk)
    window.do("cancel", name)
    job = window.until_state(name, "cancelled")
    assert job.can_resume
    window.look()
    window.look()
    assert window.jobs[name] == job
    assert window.ended == [name]
    assert len(window.problems) == 1  # once, not ten times a second
    assert "No space left" in window.problems[0]
    assert JobStore(window.store.path).read()[0][name].is_active
    # As soon as there is room again it is written.
    monkeypatch.setattr(JobStore, "write", write)
    window.look()
    assert JobStore(window.store.path).read()[0][name] == job


def full_disk(self, job):
    from softcam_core.errors import SettingsError

    raise SettingsError(self.folder(job.id).job, "cannot be written: No space left on device", "Make room.")


def test_what_is_decided_and_forgotten(window):
    name = window.add("start", "wait")
    window.until_state(name, "running")
    assert window.do("decide", name, "accepted").decision == ""
    window.do("forget", name)
    assert "#1 is running. Cancel it first." in window.problems
    window.do("cancel", name)
    window.until_state(name, "cancelled")
    window.scripts[name] = WHOLE
    window.do("resume", name)
    window.until_state(name, "finished")
    assert window.do("decide", name, "accepted").decision == "accepted"
    assert Window(window.store.path.parent).store.read()[0][name].decision == "accepted"
    assert window.do("forget", name) is None
    assert not window.store.folder(name).path.exists()
    window.look()
    assert window.jobs == {}


def test_a_job_of_several_processes_is_not_paused_and_says_why(window):
    name = window.add("start", "wait")
    job = window.queue._watch.jobs[name]
    window.queue._watch.jobs[name] = job.but(settings={"hardware": {"devices": 2}})
    window.do("pause", name, on=True)
    assert "several processes" in window.problems[0]
