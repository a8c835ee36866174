"""Training jobs: what the window knows of them, and what it can ask for."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from softcam_core.errors import JobError
from softcam_viewer.jobs.lanes import Lane, ThreadLane
from softcam_viewer.jobs.supervisor import Limits
from softcam_viewer.model.job import Decision, Job, JobFacts
from softcam_viewer.model.job_progress import JobProgress
from softcam_viewer.model.job_queue import Command, JobQueue, training_command
from softcam_viewer.model.job_store import JobFolder, JobStore
from softcam_viewer.model.job_watch import News

BUSY_MS, IDLE_MS = 110, 1000
"""Time between two looks, while something runs and while nothing does."""
SECONDS_BETWEEN_REPORTS = 0.1
"""Of one job."""


class TrainingJobs(QObject):
    """Jobs in a folder, those of other windows too. Everything is done on a lane of its own.

    Parameters
    ----------
    folder : Path or None
        None for no jobs at all: for tests, measurements and pictures.
    limits : Limits, optional
    command : callable
        What to start for a job.
    lane : Lane, optional
        Its own thread by default.

    Attributes
    ----------
    jobs : tuple of Job
        The newest first.
    wants_to_keep_running : bool
        The user's word on what becomes of processes when the window closes.
    """

    jobs_changed = Signal()
    reported = Signal(str)  # a job's progress, at most ten times a second
    ended = Signal(str)
    failed = Signal(str)

    def __init__(
        self,
        folder: Path | None,
        limits: Limits | None = None,
        command: Command = training_command,
        lane: Lane | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.jobs: tuple[Job, ...] = ()
        self.wants_to_keep_running = False
        self._folder = folder
        self._own: frozenset[str] = frozenset()
        self._progress: dict[str, JobProgress] = {}
        self._asked: set[str] = set()
        self._unreported: set[str] = set()
        self._reported_at: dict[str, float] = {}
        self._adding: dict[str, Job] = {}
        self._is_looking = self._has_looked = self._is_closed = False
        self._thread: ThreadLane | None = None
        if lane is None:
            self._thread = lane = ThreadLane("jobs", self)
        self._lane = lane
        self._queue = None if folder is None else JobQueue(JobStore(folder), limits, command)
        self._timer = QTimer(self, interval=IDLE_MS)
        self._timer.timeout.connect(self._look)

    # What there is

    @property
    def running(self) -> tuple[Job, ...]:
        """Those that would end with this window, or go on without it."""
        return tuple(job for job in self.jobs if job.is_active and job.id in self._own)

    def progress(self, job: str) -> JobProgress:
        """How far a job is; of one that is over, what is read now is reported."""
        if job not in self._progress and job not in self._asked and self._queue is not None:
            self._asked.add(job)
            self._do(partial(self._queue.look_at, job))
        return self._progress.get(job, JobProgress())

    def run_folder(self, job: str) -> Path:
        """Folder of a job's run, of `softcam_core.training.run_folder.RunFolder`."""
        return self._folder_of(job).run

    def log_file(self, job: str) -> Path:
        """What a job's process writes."""
        return self._folder_of(job).log

    # What the user asks for

    def start(self) -> None:
        """Look for jobs, and go on with the queue, from now on."""
        if self._queue is not None and not self._is_closed and not self._timer.isActive():
            self._timer.start()
            self._look()

    def add(self, settings: dict[str, Any], *, title: str, facts: JobFacts | None = None) -> Job:
        """Queue a job.

        Parameters
        ----------
        settings : dict
            As `softcam_core.training.config_files.make_config` takes them; what is wrong with them, the job tells.
        title : str
        facts : JobFacts, optional

        Returns
        -------
        Job
            As it is listed from now on.

        Raises
        ------
        JobError
            Where no jobs are kept.
        """
        if self._folder is None or self._queue is None:
            raise JobError("jobs", "are not kept by this window", "Start the viewer without --screenshot.")
        number = self._next_number(self._folder)
        job = Job(
            id=f"{number:04}-{uuid.uuid4().hex[:8]}",
            number=number,
            title=title,
            created=time.time(),
            settings=settings,
            facts=facts or JobFacts(),
        )
        self._adding[job.id] = job
        self.jobs = (job, *self.jobs)
        if not self._is_closed:
            self._lane.submit(partial(self._queue.add, job), self._on_news, partial(self._on_not_added, job))
        self.start()
        self.jobs_changed.emit()
        return job

    def pause(self, job: str) -> None:
        """Have a job wait between two steps."""
        self._ask(lambda queue: queue.pause(job, on=True))

    def unpause(self, job: str) -> None:
        """Have it go on."""
        self._ask(lambda queue: queue.pause(job, on=False))

    def cancel(self, job: str) -> None:
        """Take a job out of the queue, or have it write what it can be resumed from and end."""
        self._ask(lambda queue: queue.cancel(job))

    def resume(self, job: str) -> None:
        """Queue a job again that is over: to go on, or anew where there is nothing to go on from."""
        self._asked.discard(job)
        self._ask(lambda queue: queue.resume(job))

    def forget(self, job: str) -> None:
        """Delete a job and what it trained; not while it runs."""
        self._adding.pop(job, None)
        self._ask(lambda queue: queue.forget(job))

    def decide(self, job: str, decision: Decision) -> None:
        """Keep what people made of the model."""
        self._ask(lambda queue: queue.decide(job, decision))

    def close(self, keep_running: bool | None = None) -> None:
        """End; the window is gone, and nobody waits. Processes go on, or are stopped: by default as the user said."""
        if self._is_closed:
            return
        self._is_closed = True
        self._timer.stop()
        if self._thread is not None:
            self._thread.shut_down()
        if self._queue is not None:
            self._queue.close(keep_running=self.wants_to_keep_running if keep_running is None else keep_running)

    # On the lane

    def _ask(self, work: Callable[[JobQueue], News]) -> None:
        if self._queue is not None:
            self._do(partial(work, self._queue))

    def _do(self, work: Callable[[], News]) -> None:
        if not self._is_closed:
            self._lane.submit(work, self._on_news, self.failed.emit)

    def _on_not_added(self, job: Job, message: str) -> None:
        """A defect of ours: the job is listed with it as long as the window is open."""
        failed = job.but(state="failed", message=message, ended=time.time())
        self._adding[job.id] = failed
        self.jobs = tuple(failed if each.id == job.id else each for each in self.jobs)
        self.jobs_changed.emit()
        self.ended.emit(job.id)

    def _look(self) -> None:
        # No faster than it is done and told: nothing piles up.
        if self._queue is None or self._is_looking or self._is_closed:
            return
        self._is_looking = True
        self._lane.submit(self._queue.tick, self._on_looked, self._on_look_failed)

    def _on_looked(self, news: News) -> None:
        self._is_looking, self._has_looked = False, True
        self._on_news(news)

    def _on_look_failed(self, message: str) -> None:
        self._is_looking = False
        self.failed.emit(message)

    def _on_news(self, news: News) -> None:
        self._progress.update(news.progress)
        for job in news.jobs:
            self._adding.pop(job.id, None)
        jobs = (*reversed(self._adding.values()), *news.jobs)
        has_changed = jobs != self.jobs or news.own != self._own
        self.jobs, self._own = jobs, news.own
        is_busy = any(job.is_active or job.state == "queued" for job in jobs)
        if self._timer.isActive():
            self._timer.setInterval(BUSY_MS if is_busy else IDLE_MS)
        if has_changed:
            self.jobs_changed.emit()
        self._report(set(news.progress))
        for job_id in news.ended:
            self.ended.emit(job_id)
        for problem in news.problems:
            self.failed.emit(problem)

    def _report(self, names: set[str]) -> None:
        self._unreported |= names
        now = time.monotonic()
        for name in sorted(self._unreported):
            if now - self._reported_at.get(name, -1.0) >= SECONDS_BETWEEN_REPORTS:
                self._reported_at[name] = now
                self._unreported.discard(name)
                self.reported.emit(name)

    def _folder_of(self, job: str) -> JobFolder:
        assert self._folder is not None
        return JobFolder(self._folder / job)

    def _next_number(self, folder: Path) -> int:
        known = [job.number for job in self.jobs]
        if not self._has_looked:
            with contextlib.suppress(OSError):  # there is none yet; or the job will tell
                # The names alone, once, in the user's own folder.
                known += [int(entry.name[:4]) for entry in folder.iterdir() if entry.name[:4].isdigit()]
        return max(known, default=0) + 1
