"""Jobs on disk, a folder each: what is in it survives the window, and other windows see it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from PySide6.QtCore import QLockFile

from softcam_core.errors import JobError
from softcam_core.files import write_whole
from softcam_viewer.model.job import Job

_FILE = "job.json"
_QUEUE = ".queue"
_QUEUE_WAIT_MS = 5000

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class JobFolder:
    """Where the files of a job are.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def job(self) -> Path:
        """Of `Job`, JSON."""
        return self.path / _FILE

    @property
    def config(self) -> Path:
        """The settings, YAML."""
        return self.path / "config.yaml"

    @property
    def run(self) -> Path:
        """Of `softcam_core.training.run_folder.RunFolder`."""
        return self.path / "run"

    @property
    def events(self) -> Path:
        """That the run writes."""
        return self.run / "events.jsonl"

    @property
    def resume(self) -> Path:
        """What the run goes on from."""
        return self.run / "resume.pt"

    @property
    def log(self) -> Path:
        """What the process writes besides."""
        return self.path / "log.txt"


class JobStore:
    """The folder of all jobs; to be used from one thread at a time.

    Parameters
    ----------
    path : Path
        Need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, tuple[Stamp, Job]] = {}

    def folder(self, job: str) -> JobFolder:
        """Where a job's files are."""
        return JobFolder(self.path / job)

    def read(self) -> tuple[Mapping[str, Job], list[str]]:
        """Read what is new.

        Returns
        -------
        (mapping of str to Job, list of str)
            All jobs by id; and a message for each that cannot be read, whose folder stays as it is.
        """
        found: dict[str, tuple[Stamp, Job]] = {}
        problems = []
        for name in self._names():
            path = self.folder(name).job
            try:
                status = path.stat()
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                known = self._read.get(name)
                if known is not None and known[0] == stamp:
                    found[name] = known
                    continue
                job = Job.model_validate_json(path.read_bytes())
                if job.id != name:
                    raise JobError(path, "is that of another job", "Delete the folder, or take it away.")
                found[name] = stamp, job
            except (FileNotFoundError, NotADirectoryError):
                continue  # no job; or being made, or being removed
            except OSError as error:
                problems.append(str(JobError(path, f"cannot be read: {error.strerror}", "Check its permissions.")))
            except ValidationError:
                advice = "The job is left out. What it trained is in the folder, which can be deleted."
                problems.append(str(JobError(path, "is damaged", advice)))
            except JobError as error:
                problems.append(str(error))
        self._read = found
        return {name: job for name, (_, job) in found.items()}, problems

    def _names(self) -> Iterator[str]:
        try:
            yield from sorted(entry.name for entry in self.path.iterdir() if entry.name[:1].isdigit())
        except FileNotFoundError:
            return
        except OSError as error:
            raise JobError(self.path, f"cannot be read: {error.strerror}", "Check its permissions.") from error

    def make(self, job: Job, config: str) -> None:
        """Make a job's folder, with its settings as YAML; raises as `write` does."""
        folder = self.folder(job.id)
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobError(folder.path, f"cannot be made: {error.strerror}", "Check the free space.") from error
        write_whole(folder.config, config.encode())
        self.write(job)  # last: from here on any window may start it

    def write(self, job: Job) -> None:
        """Write what is known of a job.

        Raises
        ------
        SettingsError
            When the disk is full or the folder is gone; what was there is still there.
        """
        write_whole(self.folder(job.id).job, (job.model_dump_json(indent=2) + "\n").encode())

    def remove(self, job: str) -> None:
        """Delete a job and all that it trained; raises JobError."""
        folder = self.folder(job)
        try:
            # First what makes it a job, so that half of it is none.
            folder.job.unlink(missing_ok=True)
            shutil.rmtree(folder.path)
        except FileNotFoundError:
            return
        except OSError as error:
            reason = f"cannot be deleted: {error.strerror}"
            raise JobError(folder.path, reason, "Close what uses it, and delete the folder.") from error

    def clear_run(self, job: str) -> None:
        """Take away what an earlier process of a job left; raises JobError."""
        run = self.folder(job).run
        try:
            if run.exists():
                shutil.rmtree(run)
        except OSError as error:
            raise JobError(run, f"cannot be deleted: {error.strerror}", "Close what uses it.") from error

    def claim(self, job: str) -> QLockFile | None:
        """Become the one who has a job's process and writes its file, until unlocked or dead; None where another is.

        Raises
        ------
        JobError
            When nobody can.
        """
        return self._lock(job, 0)

    @contextmanager
    def queue(self) -> Iterator[bool]:
        """Be the only one who starts jobs; gives False where another is at it for long."""
        lock = self._lock(_QUEUE, _QUEUE_WAIT_MS)
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.unlock()

    def _lock(self, name: str, wait_ms: int) -> QLockFile | None:
        path = self.path / f".{name.removeprefix('.')}.lock"
        lock = QLockFile(str(path))
        lock.setStaleLockTime(0)  # it is never too old, but Qt breaks that of a process that is gone
        if lock.tryLock(wait_ms):
            return lock
        if lock.error() == QLockFile.LockError.LockFailedError:
            return None
        raise JobError(path, "cannot be made", "Check the folder's permissions and its free space.")


def free_bytes(path: Path) -> int:
    """Free space where a folder is or will be."""
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free
    except OSError as error:
        raise JobError(path, f"cannot be read: {error.strerror}", "Check the disk.") from error


def size_of(path: Path | None) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return 0 if path is None else path.stat().st_size
    except OSError:
        return 0
