"""Training jobs that a test says everything of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from softcam_viewer.model.job import Job, JobFacts
from softcam_viewer.model.job_progress import JobProgress


def make_job(number: int = 3, **fields: Any) -> Job:
    """A job with a name of its own; `fields` as in `Job`."""
    return Job(
        **{"id": f"{number:04}-0123abcd", "number": number, "title": "feedback on 42 flags", "created": 1e9} | fields
    )


class FakeJobs(QObject):
    """As `softcam_viewer.model.training_jobs.TrainingJobs`, but nothing runs; `asked` is what was asked for."""

    jobs_changed = Signal()
    reported = Signal(str)
    ended = Signal(str)

    def __init__(self, folder: Path, *jobs: Job) -> None:
        super().__init__()
        self.folder = folder
        self.jobs = jobs
        self.asked: list[tuple[Any, ...]] = []
        self.progresses: dict[str, JobProgress] = {}

    def put(self, job: Job) -> None:
        """A job is new, or has changed."""
        others = [other for other in self.jobs if other.id != job.id]
        self.jobs = tuple(sorted((job, *others), key=lambda other: -other.number))
        self.jobs_changed.emit()

    def report(self, job: Job, progress: JobProgress) -> None:
        """There are news of a job."""
        self.progresses[job.id] = progress
        self.reported.emit(job.id)

    def add(self, settings: dict[str, Any], *, title: str, facts: JobFacts) -> Job:
        """See `TrainingJobs`."""
        job = make_job(len(self.jobs) + 1, title=title, settings=settings, facts=facts)
        self.asked.append(("add", job))
        self.put(job)
        return job

    def progress(self, id_: str) -> JobProgress:
        """See `TrainingJobs`."""
        return self.progresses.get(id_, JobProgress())

    def run_folder(self, id_: str) -> Path:
        """See `TrainingJobs`."""
        return self.folder / id_ / "run"

    def pause(self, id_: str) -> None:
        """See `TrainingJobs`."""
        self.asked.append(("pause", id_))

    def unpause(self, id_: str) -> None:
        """See `TrainingJobs`."""
        self.asked.append(("unpause", id_))

    def cancel(self, id_: str) -> None:
        """See `TrainingJobs`."""
        self.asked.append(("cancel", id_))

    def resume(self, id_: str) -> None:
        """See `TrainingJobs`."""
        self.asked.append(("resume", id_))

    def forget(self, id_: str) -> None:
        """See `TrainingJobs`."""
        self.asked.append(("forget", id_))

    def decide(self, id_: str, decision: str) -> None:
        """See `TrainingJobs`."""
        self.asked.append(("decide", id_, decision))
