"""What people read of a job: its name, how it stands and how far it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from softcam_viewer.model.job import Job, JobState
from softcam_viewer.model.job_progress import JobProgress

Role = Literal["accent", "ok", "warning", "error", "muted"]
"""A colour of the theme."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A state as it is shown: by a sign and a word as well as by its colour."""

    sign: str
    word: str
    role: Role


STANDINGS: dict[JobState, Standing] = {
    "queued": Standing("◇", "Waiting", "muted"),
    "running": Standing("▶", "Training", "accent"),
    "paused": Standing("❚❚", "Paused", "warning"),
    "stalled": Standing("▲", "Silent", "warning"),
    "stopping": Standing("■", "Stopping", "warning"),
    "finished": Standing("✓", "Finished", "ok"),
    "cancelled": Standing("■", "Cancelled", "muted"),
    "failed": Standing("✕", "Failed", "error"),
    "lost": Standing("✕", "Lost", "error"),
}
DECISIONS = {"accepted": "accepted", "discarded": "discarded", "": ""}

FIGURES: tuple[tuple[str, str, bool], ...] = (
    ("val_auc", "AUC", False),
    ("evidence_wrong", "wrong evidence", True),
    ("evidence_missed", "missed findings", True),
)
"""Curves whose last value stands beside the bar, what people call them, and whether they are shares."""


def name_of_job(job: Job) -> str:
    """What people call a job: its number and its title."""
    return " · ".join(filter(None, (f"Fine-tune #{job.number}", job.title)))


def standing_of(job: Job) -> Standing:
    """How a job stands."""
    return STANDINGS[job.state]


def progress_text(progress: JobProgress) -> str:
    """How far a job is and what it has come to: "epoch 5 / 12 · 2:10 left · AUC 0.941"."""
    parts = []
    if progress.epochs:
        parts.append(f"epoch {max(1, progress.epoch)} / {progress.epochs}")
    if progress.seconds_left is not None:
        parts.append(f"{clock(progress.seconds_left)} left")
    return "  ·  ".join(parts + figure_texts(progress))


def figure_texts(progress: JobProgress) -> list[str]:
    """The last figures that were measured."""
    found = []
    for name, title, is_share in FIGURES:
        value = progress.latest(name)
        if value is not None:
            found.append(f"{title} {value:.0%}".replace("%", " %") if is_share else f"{title} {value:.3f}")
    return found


def strip_text(job: Job, progress: JobProgress) -> str:
    """What stands beside a job's name: how far it is while it runs, and why it does not go on."""
    if job.is_active:
        return "  ·  ".join(filter(None, (job.message, progress_text(progress)))) or "starting…"
    if job.state == "finished":
        took = "" if job.started is None or job.ended is None else f"in {clock(job.ended - job.started)}"
        return "  ·  ".join(filter(None, (took, *figure_texts(progress), DECISIONS[job.decision])))
    return job.message


def clock(seconds: float) -> str:
    """Time as a clock shows it: "2:03:04" or "3:04"."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """A time that nobody can know exactly: "about 40 s", "about 4 min", "about 2 h 30 min"."""
    if seconds < 90:
        return f"about {max(10, round(seconds, -1)):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    hours, minutes = divmod(round(minutes, -1), 60)
    return f"about {hours} h" + (f" {minutes} min" if minutes else "")


def when(moment: float | None) -> str:
    """A moment on the clock of this machine, with its day; "" for none."""
    return "" if moment is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
