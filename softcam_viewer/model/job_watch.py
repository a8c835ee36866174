"""What becomes of jobs: processes are watched, and taken over from windows that are gone. Runs off the UI thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import QLockFile

from softcam_core.errors import BorderError, JobError
from softcam_core.training.events import EventReader
from softcam_viewer.jobs.endings import explain_ending
from softcam_viewer.jobs.processes import FoundProcess, TrainingProcess, start_time
from softcam_viewer.jobs.supervisor import Limits, Log, Supervisor
from softcam_viewer.model.job import Job
from softcam_viewer.model.job_progress import JobProgress, ProgressKeeper
from softcam_viewer.model.job_store import JobStore

SCAN_SECONDS = 1.0
STARTING_SECONDS = 60.0
"""In which a process that nobody knows the number of says that it has started."""
KILL_SECONDS = 5.0
"""In which one is gone that was killed."""
STARTS = "It starts, and reads the images."

_STALLED = (
    "Nothing was heard for {:.0f} s: the computer is busy or was asleep, or the process is stuck. Wait, or cancel it: "
    "it can be resumed from what was kept last."
)


@dataclass(frozen=True, slots=True)
class News:
    """What is new.

    Attributes
    ----------
    jobs : tuple of Job
        All, the newest first.
    own : frozenset of str
        Those whose process this window has.
    progress : dict of str to JobProgress
        Of those that have news.
    ended : tuple of str
    problems : tuple of str
        Messages for the user, each told once.
    """

    jobs: tuple[Job, ...]
    own: frozenset[str]
    progress: dict[str, JobProgress]
    ended: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Run:
    """What is read of a job; with a lock and a supervisor where its process is this window's."""

    reader: EventReader
    log: Log
    keeper: ProgressKeeper = field(default_factory=ProgressKeeper)
    lock: QLockFile | None = None
    supervisor: Supervisor | None = None
    wants_pause: bool = False

    def read(self) -> bool:
        """Read what is new without a supervisor; False where nothing is. Raises SettingsError."""
        happened = self.reader.read()
        self.keeper.take(happened)
        has_grown = self.log.has_grown()
        self.keeper.log_tail = self.log.tail
        return bool(happened) or has_grown


class JobWatch:
    """All jobs, of this window and of others, always on the same thread.

    Each process belongs to one window, which has the job's lock as long as it lives; a window that finds a running job
    whose lock nobody has takes it over.

    Parameters
    ----------
    store : JobStore
    limits : Limits
    clock : callable
        Seconds that go on.

    Attributes
    ----------
    jobs : dict of str to Job
        By id.
    """

    def __init__(self, store: JobStore, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self.jobs: dict[str, Job] = {}
        self._limits, self._clock = limits, clock
        self._unwritten: set[str] = set()  # they have no folder
        self._unsaved: set[str] = set()  # what is on the disk is older
        self._runs: dict[str, _Run] = {}
        self._next_scan = 0.0
        self._changed: set[str] = set()
        self._ended: list[str] = []
        self._problems: list[str] = []
        self._told: set[str] = set()

    # What is new

    def look(self) -> None:
        """Look at everything."""
        if self._clock() >= self._next_scan:
            self.scan()
        for name, run in list(self._runs.items()):
            if run.supervisor is not None:
                self._supervise(name, run, run.supervisor)
            elif self.jobs[name].is_active:  # another window's
                self.read(name)

    @property
    def own(self) -> frozenset[str]:
        """Jobs whose process this window has."""
        return frozenset(name for name, run in self._runs.items() if run.supervisor is not None)

    def news(self) -> News:
        """What is new since the last time."""
        changed, self._changed = self._changed, set()
        ended, self._ended = self._ended, []
        problems, self._problems = self._problems, []
        return News(
            jobs=tuple(sorted(self.jobs.values(), key=lambda job: (job.number, job.created), reverse=True)),
            own=self.own,
            progress={name: self._runs[name].keeper.progress for name in changed if name in self._runs},
            ended=tuple(ended),
            problems=tuple(problems),
        )

    def tell(self, problem: str) -> None:
        """Have a message told to the user, once however often it comes."""
        if problem not in self._told:
            self._told.add(problem)
            self._problems.append(problem)

    def refuse(self, reason: str) -> None:
        """Have the user told why what they asked for is not done, each time."""
        self._problems.append(reason)

    def look_at(self, name: str) -> None:
        """Have the progress of a job told, also of one that is over."""
        if name in self.jobs:
            if self.supervisor(name) is None:
                self.read(name)
            self._changed.add(name)

    def scan(self) -> None:
        """Read what other windows have written, and take over what none has."""
        self._next_scan = self._clock() + SCAN_SECONDS
        try:
            found, problems = self.store.read()
        except JobError as error:
            self.tell(str(error))
            return
        for problem in problems:
            self.tell(problem)
        for name in self._unsaved & self.jobs.keys():
            self.save(self.jobs[name])
        known_better = self._unwritten | self._unsaved | self.own
        for name in self.jobs.keys() - found.keys() - known_better:
            self.drop(name)
        for name in found.keys() - known_better:
            job = found[name]
            before = self.jobs.get(name)
            if before is not None and before.is_active and job.is_over:
                self._ended.append(name)
            if before is not None and before.state == job.state == "queued":
                job = job.but(message=before.message)
            if job != before:  # what is the same stays the same object: the window compares all, ten times a second
                self.jobs[name] = job
            if job.is_active:
                self._take_over(job)

    def _run(self, name: str) -> _Run:
        if name not in self._runs:
            folder = self.store.folder(name)
            self._runs[name] = _Run(EventReader(folder.events), Log(folder.log))
        return self._runs[name]

    def read(self, name: str) -> None:
        """Read the events and the log of a job whose process is not this window's."""
        try:
            if self._run(name).read():
                self._changed.add(name)
        except BorderError as error:
            self.tell(str(error))

    # A process

    def _take_over(self, job: Job) -> None:
        """Watch a process that another window has left behind, or find it gone."""
        self.read(job.id)
        run, started = self._run(job.id), job.started or 0.0
        told = run.keeper.last_start
        pid = job.pid or (told.pid if told is not None and told.time >= started else None)
        if pid is None and time.time() - started < STARTING_SECONDS:
            return
        lock = self.claim(job.id)
        if lock is None:
            return
        now = self.store.read()[0].get(job.id)
        if now is None or not now.is_active:  # its window has just said how it ended, and let it go
            lock.unlock()
            return
        process = FoundProcess(pid or 0, job.process, self.store.folder(job.id).events)
        if pid is not None and not job.process and process.is_running():
            # By its number alone so far: the other window died before it had written more.
            self.save(job.but(pid=pid, process=start_time(pid)))
            process = FoundProcess(pid, start_time(pid), self.store.folder(job.id).events)
        self._watch(run, lock, process, is_new=False)

    def _watch(self, run: _Run, lock: QLockFile, process: TrainingProcess, *, is_new: bool) -> None:
        run.lock, run.wants_pause = lock, False
        is_paused = run.keeper.is_paused
        run.supervisor = Supervisor(
            process, run.reader, run.log, self._limits, self._clock, is_new=is_new, is_paused=is_paused
        )

    def begin(self, job: Job, lock: QLockFile, start: Callable[[], TrainingProcess]) -> None:
        """Have a process of this window's own started for a job; raises SettingsError and JobError, then it is not."""
        self._runs.pop(job.id, None)
        run = self._run(job.id)
        run.read()  # what an earlier process has said is past
        run.keeper.expect_start()
        # Written before it starts: a window that dies now leaves a job that is not started twice.
        job = job.but(state="running", message=STARTS, started=time.time(), ended=None, pid=None, process="")
        self.store.write(job)
        process = start()
        self._watch(run, lock, process, is_new=True)
        self.save(job.but(pid=process.pid, process=start_time(process.pid)))
        self._changed.add(job.id)

    def supervisor(self, name: str) -> Supervisor | None:
        """Who watches a job's process; None where it has none, or another window has it."""
        run = self._runs.get(name)
        return None if run is None else run.supervisor

    def pause(self, name: str, *, on: bool) -> bool:
        """Tell a job's process to wait, or to go on; False where it cannot be told."""
        run = self._runs.get(name)
        if run is None or run.supervisor is None or not run.supervisor.process.send("pause" if on else "unpause"):
            return False
        run.wants_pause = on
        return True

    def _supervise(self, name: str, run: _Run, supervisor: Supervisor) -> None:
        happened = supervisor.poll()
        run.keeper.take(happened)
        if happened or run.keeper.log_tail is not run.log.tail:
            run.keeper.log_tail = run.log.tail
            self._changed.add(name)
        if supervisor.problem:
            self.tell(supervisor.problem)
        job = self.jobs[name]
        if supervisor.state == "ended":
            self._conclude(job, run, supervisor)
            return
        message = ""
        if supervisor.state == "stalled":
            message = _STALLED.format(self._limits.stalled_after)
        elif supervisor.state == "stopping":
            message = "It writes what it can be resumed from, and ends."
        elif supervisor.state == "running" and run.wants_pause:
            message = "It pauses before the next step."
        elif supervisor.state == "running" and not run.keeper.has_begun:
            message = STARTS
        if (supervisor.state, message) != (job.state, job.message):
            self.save(job.but(state=supervisor.state, message=message))

    def _conclude(self, job: Job, run: _Run, supervisor: Supervisor) -> None:
        """Say what has become of a process that is gone."""
        keeper, folder = run.keeper, self.store.folder(job.id)
        begun = job.started or 0.0
        end, error = keeper.last_end, keeper.last_error
        ending = explain_ending(
            supervisor.process.exit_code,
            end=end if end is not None and end.time >= begun else None,
            error=error if error is not None and error.time >= begun else None,
            log=run.log.tail,
            was_stopped=supervisor.was_stopped,
            was_killed=supervisor.was_killed,
        )
        can_resume = ending.state != "finished" and folder.resume.exists()
        words = [ending.message]
        if can_resume:
            kept = f", at step {keeper.kept.step}" if keeper.kept is not None else ""
            words.append(f"It can be resumed from where it was kept last{kept}.")
        elif ending.state != "finished":
            words.append("Nothing was kept yet to resume from; it can be started again.")
        message = " ".join(word for word in words if word)
        self.save(job.but(state=ending.state, message=message, ended=time.time(), can_resume=can_resume))
        self._release(run)
        self._ended.append(job.id)

    @staticmethod
    def _release(run: _Run) -> None:
        if run.lock is not None:
            run.lock.unlock()
        run.lock = run.supervisor = None

    def save(self, job: Job) -> None:
        """Keep what has become of a job; while the disk is full in memory, and the run's events tell it later too."""
        self.jobs[job.id] = job
        if job.id in self._unwritten:
            return
        try:
            self.store.write(job)
            self._unsaved.discard(job.id)
        except BorderError as error:
            self._unsaved.add(job.id)
            self.tell(str(error))

    def fail(self, job: Job, error: BorderError, *, is_written: bool = True) -> None:
        """A job did not come to run; one whose folder cannot be written is kept in memory."""
        if not is_written:
            self._unwritten.add(job.id)
        self.save(job.but(state="failed", message=str(error), ended=time.time()))
        self._ended.append(job.id)

    def is_unwritten(self, name: str) -> bool:
        """Whether a job is in memory alone."""
        return name in self._unwritten

    def add(self, job: Job) -> None:
        """Keep a job that has been written."""
        self._unwritten.discard(job.id)
        self.jobs[job.id] = job

    def drop(self, name: str) -> None:
        """Forget a job."""
        self._unwritten.discard(name)
        self._unsaved.discard(name)
        self.jobs.pop(name, None)
        self._runs.pop(name, None)

    def claim(self, name: str) -> QLockFile | None:
        """Lock a job; None where another window has it."""
        try:
            return self.store.claim(name)
        except JobError as error:
            self.tell(str(error))
            return None

    def close(self, *, keep_running: bool) -> None:
        """Leave processes alone, or stop them and wait until they have ended; somebody else may have them then."""
        own = [(name, run) for name, run in self._runs.items() if run.supervisor is not None]
        for _, run in own:
            assert run.supervisor is not None
            if not keep_running:
                run.supervisor.stop()
        end = self._clock() + (0.0 if keep_running else self._limits.stop_within + KILL_SECONDS)
        while self._clock() < end and any(run.supervisor is not None for _, run in own):
            for name, run in own:
                if run.supervisor is not None:
                    self._supervise(name, run, run.supervisor)
            time.sleep(0.05)
        for _, run in own:
            if run.supervisor is not None:
                run.supervisor.process.let_go()
                self._release(run)
