import errno
import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.errors import SettingsError
from softcam_core.training.event_writer import EventWriter, append_event
from softcam_core.training.events import (
    CheckpointEvent,
    EndEvent,
    EpochEvent,
    ErrorEvent,
    EventReader,
    HeartbeatEvent,
    PauseEvent,
    StartEvent,
    StepEvent,
    WarningEvent,
    read_events,
)

START = StartEvent(
    run="a", config={"l1": 1e-5}, epochs=2, steps_per_epoch=3, processes=1, device="cpu", pid=7, version="0.1.0"
)
EVERY = [
    START,
    StepEvent(epoch=1, step=1, steps=6, loss=0.5, terms={"classification": 0.4, "l1": 0.1}, learning_rate=1e-3),
    EpochEvent(epoch=1, metrics={"val_auc": 0.75, "val_kappa": None}, seconds=3.5, is_best=True),
    CheckpointEvent(kind="best", path="best.safetensors", epoch=1, step=3),
    WarningEvent(message="2 images were skipped"),
    ErrorEvent(message="the memory is too small", kind="out_of_memory"),
    HeartbeatEvent(epoch=1, step=2, seconds_since_progress=8.5, memory=2**30),
    PauseEvent(is_paused=True),
    EndEvent(status="finished", best_epoch=1, metrics={"val_auc": 0.75}, message="done"),
]


def step(number: int, loss: float = 0.5) -> StepEvent:
    return StepEvent(epoch=1, step=number, steps=10, loss=loss, learning_rate=1e-3)


def wait_for(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_what_is_written_is_read_again(path: Path) -> None:
    with EventWriter(path) as writer:
        for event in EVERY:
            writer.write(event)
    assert read_events(path) == EVERY
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["type"] for line in lines] == [event.type for event in EVERY]
    assert [json.loads(line)["time"] for line in lines] == [event.time for event in EVERY]
    assert abs(WarningEvent(message="now").time - time.time()) < 60


def test_each_line_is_there_as_soon_as_it_is_written(path: Path) -> None:
    with EventWriter(path) as writer:
        for count, event in enumerate(EVERY, start=1):
            writer.write(event)
            assert len(path.read_bytes().splitlines()) == count


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_figures_that_are_no_numbers_become_null(value: float) -> None:
    event = step(1, value)
    epoch = EpochEvent(epoch=1, metrics={"val_loss": value}, seconds=1, is_best=False)
    start = StartEvent(**(START.model_dump() | {"config": {"a": [value, {"b": value}]}}))
    expected = value if math.isfinite(value) else None
    assert event.loss == epoch.metrics["val_loss"] == start.config["a"][0] == start.config["a"][1]["b"] == expected
    for each in (event, epoch, start):
        assert type(each).model_validate(json.loads(each.model_dump_json(), parse_constant=pytest.fail)) == each


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_survives_on_one_line(text: str) -> None:
    line = WarningEvent(message=text).model_dump_json().encode()
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line)["message"] == text.encode("utf-8", "replace").decode()


def test_reading_goes_on_where_it_stopped(path: Path) -> None:
    reader = EventReader(path)
    assert reader.read() == []
    with EventWriter(path) as writer:
        assert reader.read() == []
        writer.write(EVERY[0])
        writer.write(EVERY[1])
        assert reader.read() == EVERY[:2]
        assert reader.read() == []
        writer.write(EVERY[2])
        assert reader.read() == EVERY[2:3]


def test_a_line_cut_anywhere_is_read_once_it_is_whole(path: Path) -> None:
    message = WarningEvent(message="Kühlgerät ☃")
    lines = START.model_dump_json().encode() + b"\n" + message.model_dump_json().encode() + b"\n"
    for cut in range(len(lines)):
        path.unlink(missing_ok=True)
        reader = EventReader(path)
        path.write_bytes(lines[:cut])
        first = reader.read()
        with path.open("ab") as file:
            file.write(lines[cut:])
        assert first + reader.read() == [START, message]


def test_what_this_version_does_not_know_is_passed_over(path: Path) -> None:
    newer = json.loads(START.model_dump_json()) | {"colour": "blue"}
    lines = [{"type": "telemetry", "time": 1.0}, newer, {"type": "step", "time": 1.0}, [1], "text"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "no JSON\n\n\xff\n", encoding="latin-1")
    assert read_events(path) == [START]


def test_a_new_run_in_the_same_place_is_read_from_its_beginning(path: Path) -> None:
    with EventWriter(path) as writer:
        writer.write(START)
        writer.write(step(1))
    reader = EventReader(path)
    assert len(reader.read()) == 2
    path.unlink()
    assert reader.read() == []
    with EventWriter(path) as writer:
        writer.write(step(2))
    assert reader.read() == read_events(path)
    assert [event.step for event in read_events(path)] == [2]


def test_a_resumed_run_appends_and_drops_a_line_that_was_cut(path: Path) -> None:
    with EventWriter(path) as writer:
        writer.write(START)
    with path.open("ab") as file:
        file.write(b'{"type":"step","epo')
    with EventWriter(path) as writer:
        writer.write(step(1))
    assert [json.loads(line)["type"] for line in path.read_text().splitlines()] == ["start", "step"]


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 200_000])
def test_a_cut_line_of_any_length_is_dropped(path: Path, size: int) -> None:
    path.write_bytes(b"x" * size)
    EventWriter(path).close()
    assert path.read_bytes() == b""
    path.write_bytes(b"{}\n" + b"x" * size)
    EventWriter(path).close()
    assert path.read_bytes() == b"{}\n"


def test_many_threads_write_whole_lines(path: Path) -> None:
    with EventWriter(path, interval=0.001) as writer:
        threads = [
            threading.Thread(target=lambda i=i: [writer.write(step(100 * i + k)) for k in range(50)]) for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    steps = [event.step for event in read_events(path) if event.type == "step"]
    assert sorted(steps) == sorted(100 * i + k for i in range(4) for k in range(50))
    assert len(read_events(path)) == len(path.read_bytes().splitlines())


def test_what_is_added_beside_the_writer_is_one_line_of_many(path: Path) -> None:
    with EventWriter(path, interval=0.0005) as writer:
        for number in range(100):
            writer.write(step(number))
            append_event(path, PauseEvent(is_paused=bool(number % 2)))
    events = read_events(path)
    assert len(events) == len(path.read_bytes().splitlines())
    assert [event.is_paused for event in events if event.type == "pause"] == [False, True] * 50
    assert [event.step for event in events if event.type == "step"] == list(range(100))


def test_nothing_is_added_where_no_run_is(path: Path) -> None:
    with pytest.raises(SettingsError, match=r"events\.jsonl: cannot be written: No such file"):
        append_event(path, PauseEvent(is_paused=True))
    assert not path.exists()


def test_heartbeats_tell_a_stalled_loop_from_a_slow_one(path: Path) -> None:
    with EventWriter(path, interval=0.02) as writer:
        writer.progress(3, 41)
        wait_for(lambda: len(read_events(path)) >= 3)
        stalled = read_events(path)
        for number in range(42, 48):  # slow, but not stalled
            writer.progress(3, number)
            time.sleep(0.03)
        wait_for(lambda: read_events(path)[-1].step == 47)
    assert {event.type for event in stalled} == {"heartbeat"}
    assert {(event.epoch, event.step) for event in stalled} == {(3, 41)}
    idle = [event.seconds_since_progress for event in stalled]
    assert idle == sorted(idle)
    assert idle[2] - idle[0] >= 0.04
    if sys.platform != "win32":
        assert 2**20 < stalled[0].memory < 2**40


def test_no_heartbeat_while_there_is_something_to_say(path: Path) -> None:
    with EventWriter(path, interval=5.0) as writer:
        for number in range(20):
            writer.write(step(number))
    assert {event.type for event in read_events(path)} == {"step"}


def test_closing_stops_the_thread_at_once(path: Path) -> None:
    start = time.monotonic()
    writer = EventWriter(path, interval=60)
    assert "softcam-heartbeat" in {thread.name for thread in threading.enumerate()}
    writer.close()
    writer.close()
    assert time.monotonic() - start < 5
    assert "softcam-heartbeat" not in {thread.name for thread in threading.enumerate()}
    writer.write(START)
    assert read_events(path) == []


def test_a_removed_file_is_told_once(path: Path) -> None:
    with EventWriter(path) as writer:
        writer.write(START)
        path.unlink()
        with pytest.raises(SettingsError, match=r"events\.jsonl: cannot be written: .*free space.*folder"):
            writer.write(step(1))
        writer.write(step(2))
    assert not path.exists()


def test_another_run_in_the_place_of_the_file_is_left_alone(path: Path, tmp_path: Path) -> None:
    with EventWriter(path) as writer:
        (tmp_path / "other").write_bytes(b"{}\n")
        (tmp_path / "other").replace(path)
        with pytest.raises(SettingsError, match="another file has taken its place"):
            writer.write(START)
    assert path.read_bytes() == b"{}\n"


def test_what_the_heartbeat_finds_is_told_by_the_next_event(path: Path) -> None:
    writer = EventWriter(path, interval=0.01)
    path.unlink()
    writer._thread.join(5)
    assert not writer._thread.is_alive()
    with pytest.raises(SettingsError, match="cannot be written"):
        writer.write(START)
    writer.close()


def test_what_the_heartbeat_finds_is_told_at_the_end_at_the_latest(path: Path) -> None:
    def run(error: type[Exception] | None) -> None:
        with EventWriter(path, interval=0.01) as writer:
            path.unlink()
            writer._thread.join(5)
            if error is not None:
                raise error

    with pytest.raises(SettingsError, match="cannot be written"):
        run(None)
    with pytest.raises(ZeroDivisionError):
        run(ZeroDivisionError)


class FullDisk:
    """Takes some bytes of a line, or none."""

    def __init__(self, file, taken: int) -> None:
        self.file, self.taken = file, taken

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, line: bytes) -> int:
        if not self.taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(line[: self.taken])


@pytest.mark.parametrize("taken", [0, 10])
def test_a_full_disk_is_told_once_and_leaves_whole_lines(path: Path, taken: int) -> None:
    with EventWriter(path) as writer:
        writer.write(START)
        writer._file = FullDisk(writer._file, taken)
        with pytest.raises(SettingsError, match=r"(?i)cannot be written: .*(space|full)"):
            writer.write(step(1))
        writer.write(step(2))
    assert read_events(path) == [START]
    assert path.read_bytes().count(b"\n") == 1
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    with EventWriter("/dev/full") as writer, pytest.raises(SettingsError, match="No space left"):
        writer.write(START)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written: No such file"):
        EventWriter(tmp_path / "missing" / "events.jsonl")


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        EventReader(tmp_path).read()


def test_following_a_run_needs_no_torch() -> None:
    code = (
        "import sys, softcam_core.training.events; "
        "sys.exit(bool({'torch', 'numpy', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
