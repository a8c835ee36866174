"""Queues of windows whose jobs are a stand-in for the trainer (fake_trainer.py)."""

import sys
import time
from pathlib import Path

from softcam_viewer.jobs.supervisor import Limits
from softcam_viewer.model.job import Job
from softcam_viewer.model.job_queue import JobQueue
from softcam_viewer.model.job_store import JobStore

FAKE = Path(__file__).with_name("fake_trainer.py")
LIMITS = Limits(stalled_after=0.5, stop_within=0.4)
WHOLE = ("start", "steps=3", "keep", "end=finished")


class Window:
    """A queue, what it does for each job, and what it has told."""

    def __init__(self, folder: Path, **how) -> None:
        self.store = JobStore(folder / "jobs")
        self.scripts: dict[str, tuple[str, ...]] = {}
        self.queue = JobQueue(self.store, LIMITS, self._command, **how)
        self.ended: list[str] = []
        self.problems: list[str] = []
        self.seen: dict[str, list[str]] = {}
        self.progress = {}
        self.jobs: dict[str, Job] = {}
        self.own: frozenset[str] = frozenset()

    def _command(self, job, folder):
        return [sys.executable, "-S", str(FAKE), str(folder.run), *self.scripts[job.id]]

    def take(self, news) -> None:
        self.jobs = {job.id: job for job in news.jobs}
        self.own = news.own
        self.ended += news.ended
        self.problems += news.problems
        self.progress |= news.progress
        for job in news.jobs:
            states = self.seen.setdefault(job.id, [])
            if states[-1:] != [job.state]:
                states.append(job.state)

    def add(self, *script: str, number=1, device="cpu", **fields) -> str:
        settings = {"data": {"path": "data.csv"}, "hardware": {"device": device}}
        job = Job(
            id=f"{number:04}-abcdef{number:02}",
            number=number,
            title="t",
            created=time.time(),
            settings=settings,
            **fields,
        )
        self.scripts[job.id] = script
        self.take(self.queue.add(job))
        return job.id

    def do(self, what: str, name: str, *values, **named) -> Job | None:
        self.take(getattr(self.queue, what)(name, *values, **named))
        return self.jobs.get(name)

    def until(self, condition, *others: "Window") -> None:
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, (self.jobs, self.problems)
            for window in (self, *others):
                window.take(window.queue.tick())
            time.sleep(0.01)

    def until_state(self, name: str, *states: str) -> Job:
        self.until(lambda: self.jobs[name].state in states)
        return self.jobs[name]

    def look(self) -> None:
        """See at once what other windows have written."""
        self.queue._watch._next_scan = 0.0
        self.take(self.queue.tick())
