"""The queue: which job runs when, and what the user wants of them. Runs off the UI thread, always on the same one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QLockFile

from softcam_core.errors import BorderError, JobError
from softcam_viewer.jobs.processes import ChildProcess, FoundProcess
from softcam_viewer.jobs.supervisor import Limits
from softcam_viewer.model.job import Decision, DeviceKind, Job, JobState
from softcam_viewer.model.job_store import JobFolder, JobStore, free_bytes, size_of
from softcam_viewer.model.job_watch import JobWatch, News

SPARE_BYTES = 200_000_000
"""Free space that a job needs beside three times its model's size: for the best model, the last one and the state."""

Command = Callable[[Job, JobFolder], Sequence[str]]


def training_command(job: Job, folder: JobFolder) -> list[str]:
    """The command line that trains."""
    aim = ("--resume", folder.run) if job.goes_on else ("--config", folder.config, "--out", folder.run)
    # Without -P, files in the folder that the window was started in could stand in for libraries.
    return [sys.executable, "-P", "-m", "softcam_core", "train", *map(str, aim), "--control", "stdin"]


class JobQueue:
    """Runs one job at a time on the CPU, and one on GPUs, whichever window they are of.

    Parameters
    ----------
    store : JobStore
    limits : Limits, optional
    command : callable
        What to start for a job.
    clock : callable
        Seconds that go on.
    """

    def __init__(
        self,
        store: JobStore,
        limits: Limits | None = None,
        command: Command = training_command,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._command = store, command
        self._watch = JobWatch(store, limits or Limits(), clock)

    def tick(self) -> News:
        """Look at everything; to be called ten times a second while something runs."""
        self._watch.look()
        self._start_next()
        return self._watch.news()

    def look_at(self, name: str) -> News:
        """Read how far a job is, also one that is over."""
        self._watch.look_at(name)
        return self._watch.news()

    def close(self, *, keep_running: bool) -> None:
        """Leave processes alone, or stop them and wait until they have ended."""
        self._watch.close(keep_running=keep_running)

    # Starting

    def _start_next(self) -> None:
        jobs = self._watch.jobs
        waiting = sorted((job for job in jobs.values() if job.state == "queued"), key=lambda job: job.created)
        for kind in sorted({job.device for job in waiting if job.device is not None}):
            own = [job.id for job in waiting if job.device == kind]
            if self._busy(kind) is None:
                self._start_first(own[0], kind)
            busy = self._busy(kind)
            for name in own:
                if busy is not None and name in jobs and jobs[name].state == "queued":
                    jobs[name] = jobs[name].but(message=f"It waits for #{busy.number} to end.")

    def _busy(self, kind: DeviceKind) -> Job | None:
        return next((job for job in self._watch.jobs.values() if job.is_active and job.device == kind), None)

    def _start_first(self, name: str, kind: DeviceKind) -> None:
        try:
            with self._store.queue() as is_mine:
                if not is_mine:
                    return
                lock = self._watch.claim(name)
                if lock is None:
                    return
                self._watch.scan()  # another window may have been faster
                job = self._watch.jobs.get(name)
                if job is not None and job.state == "queued" and self._busy(kind) is None:
                    self._start(job, lock)
                else:
                    lock.unlock()
        except JobError as error:
            self._watch.tell(str(error))

    def _start(self, job: Job, lock: QLockFile) -> None:
        folder = self._store.folder(job.id)
        try:
            _check_space(job, folder)
            if not job.goes_on:
                self._store.clear_run(job.id)
            self._watch.begin(job, lock, partial(ChildProcess, self._command(job, folder), folder.log))
        except BorderError as error:
            self._watch.fail(job, error)
            lock.unlock()

    # What the user asks for

    def add(self, job: Job) -> News:
        """Check a job's settings, and put it at the end of the queue."""
        from softcam_core.training.config_files import make_config, to_yaml, with_absolute_paths

        try:
            config = with_absolute_paths(make_config(job.settings))
            job = job.but(device=_device_kind(config.hardware.device))
            self._store.make(job, to_yaml(config))
            self._watch.add(job)
        except BorderError as error:
            self._watch.fail(job, error, is_written=False)
        return self.tick()

    def pause(self, name: str, *, on: bool) -> News:
        """Have a job wait between two steps, or go on."""
        job = self._watch.jobs.get(name)
        if job is None or not job.is_active:
            return self._watch.news()
        if _processes(job) > 1:
            self._watch.refuse(
                f"#{job.number} has several processes, which cannot be paused. It can be cancelled and resumed."
            )
        elif not self._watch.pause(name, on=on):
            self._watch.refuse(
                f"#{job.number} was started by another window, and only that one can pause it. It can be cancelled and "
                "resumed."
            )
        return self.tick()

    def cancel(self, name: str) -> News:
        """Take a job out of the queue, or ask its process to end."""
        job, supervisor = self._watch.jobs.get(name), self._watch.supervisor(name)
        if supervisor is not None:
            supervisor.stop()
        elif job is not None and job.state == "queued":
            message = "It was cancelled before it began."
            self._edit(name, "queued", state="cancelled", message=message, ended=time.time())
        elif job is not None and job.is_active and job.pid is not None:
            # The window that has it sees how it ends.
            FoundProcess(job.pid, job.process, self._store.folder(name).events).stop()
        return self.tick()

    def resume(self, name: str) -> News:
        """Put a job that is over into the queue again: to go on where it was, or from the start where nothing is."""
        job = self._watch.jobs.get(name)
        if job is None or job.state not in ("cancelled", "failed", "lost"):
            return self._watch.news()
        if self._watch.is_unwritten(name):
            return self.add(job.but(state="queued", message="", ended=None))
        goes_on = self._store.folder(name).resume.exists()
        self._edit(name, job.state, state="queued", message="", ended=None, decision="", goes_on=goes_on)
        return self.tick()

    def decide(self, name: str, decision: Decision) -> News:
        """Keep what people made of the model."""
        job = self._watch.jobs.get(name)
        if job is not None and job.is_over:
            self._edit(name, job.state, decision=decision)
        return self._watch.news()

    def forget(self, name: str) -> News:
        """Delete a job and all that it trained; never while it runs."""
        job = self._watch.jobs.get(name)
        if job is not None and job.is_active:
            self._watch.refuse(f"#{job.number} is running. Cancel it first.")
        elif job is not None and self._watch.is_unwritten(name):
            self._watch.drop(name)
        elif job is not None and (lock := self._watch.claim(name)) is not None:
            try:
                self._store.remove(name)
                self._watch.drop(name)
            except JobError as error:
                self._watch.refuse(str(error))
            finally:
                lock.unlock()
        return self._watch.news()

    def _edit(self, name: str, expected: JobState, **changes: object) -> None:
        """Change a job that has no process, unless another window was faster."""
        lock = self._watch.claim(name)
        if lock is not None:
            self._watch.scan()
            job = self._watch.jobs.get(name)
            if job is not None and job.state == expected:
                self._watch.save(job.but(**changes))
            lock.unlock()


def _check_space(job: Job, folder: JobFolder) -> None:
    needed = 3 * size_of(job.facts.start) + SPARE_BYTES
    free = free_bytes(folder.path)
    if free < needed:
        reason = f"only {free / 1e6:.0f} MB are free, and the job may need {needed / 1e6:.0f} MB"
        raise JobError(folder.path, reason, "Make room on the disk, and start it again.")


def _device_kind(device: str) -> DeviceKind:
    if device == "auto":
        from softcam_core.devices import choose_device

        device = choose_device().type
    return "cpu" if device == "cpu" else "gpu"


def _processes(job: Job) -> int:
    hardware = job.settings.get("hardware")
    devices = hardware.get("devices", 1) if isinstance(hardware, dict) else 1
    return devices if isinstance(devices, int) else 1
