import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from softcam_core.errors import JobError
from softcam_viewer.jobs.lanes import NICENESS
from softcam_viewer.jobs.processes import MARK, ChildProcess, FoundProcess, start_time

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
ECHO = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)\nprint('end of input', flush=True)"
SLEEP = "import time; time.sleep(60)"


def start(folder, code):
    return ChildProcess([sys.executable, "-S", "-c", code], folder / "log.txt")


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def said(folder):
    return (folder / "log.txt").read_text().splitlines()


def test_a_child_is_told_by_its_input_and_what_it_says_is_in_the_log(tmp_path):
    (tmp_path / "log.txt").write_text("of an earlier one\n")
    child = start(tmp_path, ECHO)
    assert child.is_running()
    assert child.send("pause")
    child.stop()
    wait_for(lambda: "got stop" in said(tmp_path))
    lines = said(tmp_path)
    assert lines[0] == "of an earlier one"
    assert lines[1].startswith(MARK)
    assert lines[2:] == ["got pause", "got stop"]
    child.kill()
    wait_for(lambda: not child.is_running())
    assert child.exit_code == -signal.SIGKILL
    assert not child.send("pause")


def test_a_child_that_is_let_go_lives_on_without_its_input(tmp_path):
    code = f"{ECHO}\nimport time\ntime.sleep(60)"
    child = start(tmp_path, code)
    found = FoundProcess(child.pid, start_time(child.pid), tmp_path / "log.txt")
    child.let_go()
    wait_for(lambda: "end of input" in said(tmp_path))
    assert found.is_running()
    found.kill()
    os.waitpid(child.pid, 0)
    assert not found.is_running()


@linux
def test_a_child_is_in_a_session_of_its_own_and_lets_the_window_go_first(tmp_path):
    child = start(tmp_path, SLEEP)
    assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid
    own = os.getpriority(os.PRIO_PROCESS, 0)
    niceness = min(19, own + NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == niceness
    group = Path(f"/proc/{child.pid}/autogroup")
    if group.exists():
        assert group.read_text().endswith(f"nice {niceness}\n")
    child.kill()
    wait_for(lambda: not child.is_running())


@linux
def test_what_a_child_has_started_is_killed_with_it(tmp_path):
    code = f"""
import subprocess, sys
process = subprocess.Popen([sys.executable, "-S", "-c", {SLEEP!r}])
print(process.pid, flush=True)
process.wait()
"""
    child = start(tmp_path, code)
    wait_for(lambda: len(said(tmp_path)) == 2)
    reader = int(said(tmp_path)[1])
    assert start_time(reader)
    child.kill()
    wait_for(lambda: not child.is_running() and not start_time(reader))


def test_a_program_that_is_not_there_is_an_error_with_advice(tmp_path):
    with pytest.raises(JobError, match=r"cannot be started: No such file.*start it again"):
        ChildProcess([str(tmp_path / "nothing")], tmp_path / "log.txt")
    with pytest.raises(JobError, match="cannot be started"):
        ChildProcess([sys.executable], tmp_path / "missing" / "log.txt")


@linux
def test_another_process_with_the_same_number_is_not_taken_for_it(tmp_path):
    process = subprocess.Popen([sys.executable, "-S", "-c", SLEEP])
    started = start_time(process.pid)
    assert FoundProcess(process.pid, started, tmp_path).is_running()
    other = FoundProcess(process.pid, started + "1", tmp_path)
    assert not other.is_running()
    other.stop()
    other.kill()
    assert process.poll() is None
    process.kill()
    wait_for(lambda: not start_time(process.pid))  # nobody has waited for it yet: a zombie runs no more
    process.wait()
    assert start_time(process.pid) == ""


def test_where_the_system_does_not_tell_what_a_process_writes_must_be_new(tmp_path):
    traces = tmp_path / "events.jsonl"
    found = FoundProcess(os.getpid(), "", traces)
    assert not found.is_running()
    traces.touch()
    assert found.is_running()
    os.utime(traces, (time.time() - 31, time.time() - 31))
    assert not found.is_running()
    assert not FoundProcess(2**22 + 1, "", traces).is_running()


@linux
def test_a_found_process_is_asked_to_end_by_a_signal(tmp_path):
    process = subprocess.Popen([sys.executable, "-S", "-c", SLEEP])
    found = FoundProcess(process.pid, start_time(process.pid), tmp_path)
    assert not found.send("pause")
    found.stop()
    assert process.wait(10) == -signal.SIGTERM
