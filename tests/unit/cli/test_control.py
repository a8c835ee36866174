import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from softcam_core.cli import main
from softcam_core.cli.control import Control
from softcam_core.training.events import PauseEvent, StepEvent, read_events


class Pipe:
    """What a control listens to, and what it did not understand."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.unknown: list[str] = []
        self.control = Control(self.unknown.append, self._read)

    def write(self, text: bytes) -> None:
        os.write(self._write, text)

    def close(self) -> None:
        if self._write >= 0:
            os.close(self._write)
            self._write = -1
            wait_for(self.control._go_on.is_set)
            os.close(self._read)


def wait_for(condition: Callable[[], object], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


class Waiting:
    """A loop that asks between two steps, in a thread."""

    def __init__(self, control: Control) -> None:
        self.told: list[bool] = []
        self.is_ended = False
        self._thread = threading.Thread(
            target=control.wait_while_paused, args=(self.told.append, lambda: self.is_ended)
        )
        self._thread.start()

    @property
    def has_gone_on(self) -> bool:
        return not self._thread.is_alive()


def pause(pipe: Pipe) -> Waiting:
    pipe.write(b"pause\n")
    wait_for(lambda: not pipe.control._go_on.is_set())
    waiting = Waiting(pipe.control)
    wait_for(lambda: waiting.told == [True])
    time.sleep(0.1)
    assert not waiting.has_gone_on
    return waiting


def test_a_loop_that_nobody_pauses_never_waits(pipe: Pipe) -> None:
    waiting = Waiting(pipe.control)
    wait_for(lambda: waiting.has_gone_on)
    assert waiting.told == []
    assert not pipe.control.must_stop


def test_a_paused_loop_waits_until_it_may_go_on(pipe: Pipe) -> None:
    waiting = pause(pipe)
    pipe.write(b"unpau")  # a line may come in pieces
    time.sleep(0.05)
    assert not waiting.has_gone_on
    pipe.write(b"se\r\n")
    wait_for(lambda: waiting.has_gone_on)
    assert waiting.told == [True, False]
    assert not pipe.control.must_stop


def test_stop_ends_a_pause_too(pipe: Pipe) -> None:
    waiting = pause(pipe)
    pipe.write(b"stop\n")
    wait_for(lambda: waiting.has_gone_on)
    assert pipe.control.must_stop


def test_a_signal_ends_a_pause(pipe: Pipe) -> None:
    waiting = pause(pipe)
    waiting.is_ended = True
    wait_for(lambda: waiting.has_gone_on)
    assert not pipe.control.must_stop


def test_when_nobody_can_write_any_more_a_paused_loop_goes_on_and_does_not_stop(pipe: Pipe) -> None:
    waiting = pause(pipe)
    pipe.close()
    wait_for(lambda: waiting.has_gone_on)
    assert not pipe.control.must_stop


def test_what_is_no_command_is_told(pipe: Pipe) -> None:
    pipe.write(b"hurry\nst\xffop\nstop\n")
    wait_for(lambda: pipe.control.must_stop)
    assert pipe.unknown == ["hurry", "st\ufffdop"]


def test_a_program_ends_while_its_input_stays_open() -> None:
    code = "from softcam_core.cli.control import Control; Control(print); print('done')"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.read() == b"done\n"
    assert process.wait(10) == 0
    process.stdin.close()
    process.stdout.close()


@pytest.fixture
def standard_input() -> Iterator[int]:
    """What is written here is on standard input, which ends with the test."""
    before = os.dup(0)
    read, write = os.pipe()
    os.dup2(read, 0)
    yield write
    os.close(write)
    os.dup2(before, 0)
    os.close(before)
    os.close(read)


def test_a_training_obeys_between_two_steps(
    spot_table: Path, tmp_path: Path, standard_input: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    steps_at_pause: list[int] = []

    def last_step() -> int:
        return max((e.step for e in read_events(run / "events.jsonl") if isinstance(e, StepEvent)), default=0)

    def is_paused() -> list[bool]:
        return [e.is_paused for e in read_events(run / "events.jsonl") if isinstance(e, PauseEvent)]

    def say() -> None:
        os.write(standard_input, b"pause\n")
        wait_for(lambda: is_paused() == [True], 30)
        steps_at_pause.append(last_step())
        time.sleep(0.2)
        steps_at_pause.append(last_step())
        os.write(standard_input, b"unpause\nfaster\n")
        wait_for(lambda: last_step() > steps_at_pause[-1])
        os.write(standard_input, b"stop\n")

    user = threading.Thread(target=say)
    user.start()
    arguments = ("--arch", "compact", "--shorter-side", "48", "--batch-size", "1", "--epochs", "9", "--device", "cpu")
    status = main(["train", str(spot_table), "--out", str(run), *arguments, "--control", "stdin"])
    user.join()
    assert status == 130
    before, after = steps_at_pause
    assert 0 < before == after < last_step() < 9 * 64
    assert is_paused() == [True, False]
    assert (run / "resume.pt").exists()
    said = capsys.readouterr().err.splitlines()
    assert said.index("paused") < said.index("going on")
    assert "softcam: there is no command 'faster'; there are pause, unpause and stop" in said
    assert said[-1] == f"softcam: stopped. Go on with: softcam train --resume {run}"


def test_only_standard_input_can_be_listened_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "data", "--control", "telepathy"]) == 2
    assert "invalid choice: 'telepathy'" in capsys.readouterr().err
