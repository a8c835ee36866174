from softcam_core.training.event_writer import append_event
from softcam_core.training.events import EventReader, HeartbeatEvent, PauseEvent, WarningEvent
from softcam_viewer.jobs.supervisor import Limits, Log, Supervisor

LIMITS = Limits(stalled_after=30, start_within=120, stop_within=10)
BEAT = HeartbeatEvent(epoch=1, step=1, seconds_since_progress=4, memory=None)


class Patient:
    """A process that does what the test says, and notes what is done to it."""

    def __init__(self) -> None:
        self.pid, self.exit_code, self.done = 1, None, []
        self.runs = True

    def is_running(self) -> bool:
        return self.runs

    def send(self, command: str) -> bool:
        self.done.append(command)
        return True

    def stop(self) -> None:
        self.done.append("stop")

    def kill(self) -> None:
        self.done.append("kill")

    def let_go(self) -> None:
        self.done.append("let go")


class Ward:
    """A supervisor, its patient and the time."""

    def __init__(self, folder, **how) -> None:
        self.events, self.log = folder / "events.jsonl", folder / "log.txt"
        self.events.touch()
        self.patient, self.now = Patient(), 100.0
        self.supervisor = Supervisor(
            self.patient, EventReader(self.events), Log(self.log), LIMITS, lambda: self.now, **how
        )

    def after(self, seconds: float) -> str:
        self.now += seconds
        self.supervisor.poll()
        return self.supervisor.state


def test_a_process_that_says_nothing_is_stalled_until_it_says_something(tmp_path):
    ward = Ward(tmp_path)
    assert ward.after(29) == "running"
    assert ward.after(1) == "stalled"
    append_event(ward.events, BEAT)
    assert ward.after(100) == "running"
    assert ward.after(29) == "running"
    ward.log.write_text("read 10 of 100 images\n")  # before its first event, the log is all there is
    assert ward.after(1) == "running"
    assert ward.supervisor.log.tail == ("read 10 of 100 images",)
    assert ward.after(30) == "stalled"
    assert ward.patient.done == []


def test_a_new_process_may_take_longer_for_its_first_word(tmp_path):
    (tmp_path / "log.txt").write_text("of an earlier one\n")
    ward = Ward(tmp_path, is_new=True)
    assert ward.after(119) == "running"
    assert ward.after(1) == "stalled"
    append_event(ward.events, BEAT)
    assert ward.after(1) == "running"
    assert ward.after(30) == "stalled"


def test_a_pause_is_what_the_process_says_and_no_silence(tmp_path):
    ward = Ward(tmp_path)
    append_event(ward.events, PauseEvent(is_paused=True))
    assert ward.after(1) == "paused"
    append_event(ward.events, BEAT)
    assert ward.after(29) == "paused"
    append_event(ward.events, PauseEvent(is_paused=False))
    assert ward.after(1) == "running"
    assert Ward(tmp_path, is_paused=True).after(1) == "running"  # it read that it goes on


def test_a_process_found_in_its_pause_is_paused(tmp_path):
    assert Ward(tmp_path, is_paused=True).after(1) == "paused"


def test_what_does_not_stop_is_killed_after_ten_seconds(tmp_path):
    ward = Ward(tmp_path)
    ward.supervisor.stop()
    ward.supervisor.stop()
    assert ward.patient.done == ["stop"]
    assert ward.after(9.9) == "stopping"
    assert ward.after(0.1) == "stopping"
    assert ward.patient.done == ["stop", "kill"]
    assert ward.supervisor.was_killed
    ward.patient.runs = False
    assert ward.after(0.1) == "ended"


def test_what_stops_in_time_is_not_killed(tmp_path):
    ward = Ward(tmp_path)
    ward.supervisor.stop()
    ward.patient.runs = False
    assert ward.after(20) == "ended"
    assert not ward.supervisor.was_killed
    assert ward.patient.done == ["stop"]


def test_the_last_words_of_a_process_are_read_before_it_is_said_to_have_ended(tmp_path):
    ward = Ward(tmp_path)
    look = ward.patient.is_running
    last = WarningEvent(message="goodbye")

    def ends_after_it_was_looked_at() -> bool:
        if not (runs := look()):
            return runs
        append_event(ward.events, last)
        ward.patient.runs = False
        return runs

    ward.patient.is_running = ends_after_it_was_looked_at
    assert ward.supervisor.poll() == [last]
    assert ward.supervisor.state == "running"
    assert ward.after(0) == "ended"


def test_events_that_cannot_be_read_are_a_problem_and_the_process_is_watched_all_the_same(tmp_path):
    ward = Ward(tmp_path)
    ward.events.unlink()
    ward.events.mkdir()
    assert ward.after(1) == "running"
    assert "events.jsonl: cannot be read" in ward.supervisor.problem
    ward.patient.runs = False
    assert ward.after(1) == "ended"


def test_of_a_long_log_the_end_is_kept(tmp_path):
    log = Log(tmp_path / "log.txt")
    assert not log.has_grown()
    (tmp_path / "log.txt").write_text("".join(f"line {i}\n" for i in range(100_000)))
    assert log.has_grown()
    assert log.tail == tuple(f"line {i}" for i in range(99_800, 100_000))
    assert not log.has_grown()
