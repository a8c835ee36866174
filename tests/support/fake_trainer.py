"""Stands in for `softcam train` where a test is about the window: starts at once, and does what the test wants.

Called with the run's folder and what to do, one after another:

* ``start``, ``steps=3``, ``keep``, ``end=finished``: what a run says and keeps; ``pace=0.01``: how long a step takes
* ``error=disk``: an error event; ``say=text``: a line in the log; ``traceback``: a defect
* ``wait``: until it is told to stop; then it keeps what can be resumed, says so, and ends
* ``silent``: as ``wait``, but without heartbeats; ``deaf``: it obeys nobody from here on
* ``signal=9``: it gets a signal; ``exit=2``
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

run, pace, deaf = Path(sys.argv[1]), 0.0, False
commands = {"stop": threading.Event(), "pause": threading.Event()}
step = 0


def listen() -> None:
    while text := os.read(0, 4096):
        for line in [] if deaf else text.decode().split():
            if line == "unpause":
                commands["pause"].clear()
            else:
                commands[line].set()
    commands["pause"].clear()


def say(event: str, **values: object) -> None:
    run.mkdir(exist_ok=True)
    with (run / "events.jsonl").open("a") as file:
        file.write(json.dumps({"type": event, "time": time.time(), **values}) + "\n")


def keep() -> None:
    (run / "resume.pt").write_text(str(step))
    say("checkpoint", kind="resume", path="resume.pt", epoch=1, step=step)


def wait_while_paused() -> None:
    if commands["pause"].is_set():
        say("pause", is_paused=True)
        while commands["pause"].is_set() and not commands["stop"].is_set():
            time.sleep(0.005)
        say("pause", is_paused=False)


def wait(*, beats: bool) -> None:
    last = time.monotonic()
    while not commands["stop"].is_set():
        wait_while_paused()
        time.sleep(0.005)
        if beats and time.monotonic() - last > 0.1:
            last = time.monotonic()
            say("heartbeat", epoch=1, step=step, seconds_since_progress=1.0, memory=None)
    stop()


def stop() -> None:
    keep()
    say("end", status="interrupted", best_epoch=None)
    sys.exit(130)


signal.signal(signal.SIGTERM, lambda *_: None if deaf else commands["stop"].set())
threading.Thread(target=listen, daemon=True).start()
for order in sys.argv[2:]:
    name, _, value = order.partition("=")
    match name:
        case "pace":
            pace = float(value)
        case "start":
            resumed = int((run / "resume.pt").read_text()) if (run / "resume.pt").exists() else None
            step = resumed or 0
            say(
                "start", run="fake", epochs=2, steps_per_epoch=50, device="cpu", resumed_from=resumed, pid=os.getpid(),
                version="1",
            )  # fmt: skip
        case "steps":
            for _ in range(int(value)):
                wait_while_paused()
                if commands["stop"].is_set():
                    stop()
                time.sleep(pace)
                step += 1
                say("step", epoch=1 + step // 51, step=step, steps=100, loss=1 / step, learning_rate=0.1)
        case "keep":
            keep()
        case "end":
            say("end", status=value, best_epoch=1)
        case "error":
            say("error", kind=value, message=f"run: the {value} is at fault. Do something.")
            say("end", status="failed", best_epoch=None)
        case "say":
            sys.stderr.write(f"{value}\n")
        case "traceback":
            sys.stderr.write("Traceback (most recent call last):\n  File x\nZeroDivisionError: division by zero\n")
        case "deaf":
            deaf = True
        case "wait":
            wait(beats=True)
        case "silent":
            wait(beats=False)
        case "signal":
            os.kill(os.getpid(), int(value))
        case "exit":
            sys.exit(int(value))
