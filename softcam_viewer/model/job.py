"""Job: a training run that the viewer was asked for, and what has become of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

JobState = Literal[
    "queued", "running", "paused", "stalled", "stopping", "finished", "cancelled", "failed", "lost"
]  # fmt: skip
Decision = Literal["", "accepted", "discarded"]
DeviceKind = Literal["cpu", "gpu"]

ACTIVE: frozenset[JobState] = frozenset({"running", "paused", "stalled", "stopping"})
"""There is a process."""
OVER: frozenset[JobState] = frozenset({"finished", "cancelled", "failed", "lost"})
"""There is none, and none will start by itself."""


class JobFacts(BaseModel):
    """What people want to know of a job besides its settings; what else is given is kept with it.

    Attributes
    ----------
    start : Path or None
        The model that is trained on.
    flags : int
        Annotations that it is to learn from.
    cases : tuple of str
        Keys of the cases that these are on.
    images : int
        That are trained on.
    estimate : float or None
        Seconds it was thought to take.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    start: Path | None = None
    flags: int = 0
    cases: tuple[str, ...] = ()
    images: int = 0
    estimate: float | None = None


class Job(BaseModel):
    """A training run that the viewer was asked for.

    Attributes
    ----------
    id : str
        Name of its folder.
    number : int
        What people call it, from 1.
    title : str
    created : float
        Seconds since 1970, as all times here.
    state : JobState
        "stalled" has a process that says nothing; "lost" had one that is gone without a word.
    message : str
        Why it is in this state, and what can be done; "" where that is clear.
    settings : dict
        As `softcam_core.training.config_files.make_config` takes them.
    facts : JobFacts
    device : {"cpu", "gpu"} or None
        What it needs for itself; None until it has been looked up.
    pid : int or None
        Of its process, the last one where it has ended.
    process : str
        When that process started, so that another one with its number is not taken for it; "" where the system does
        not tell.
    started, ended : float or None
    decision : {"", "accepted", "discarded"}
        What people made of the model.
    can_resume : bool
        There is something to go on from.
    goes_on : bool
        A queued one goes on where it was.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    number: int = Field(ge=1)
    title: str
    created: float
    state: JobState = "queued"
    message: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    facts: JobFacts = JobFacts()
    device: DeviceKind | None = None
    pid: int | None = Field(default=None, gt=0)
    process: str = ""
    started: float | None = None
    ended: float | None = None
    decision: Decision = ""
    can_resume: bool = False
    goes_on: bool = False

    @property
    def is_active(self) -> bool:
        """True while there is a process."""
        return self.state in ACTIVE

    @property
    def is_over(self) -> bool:
        """True when nothing more happens by itself."""
        return self.state in OVER

    def but(self, **changes: Any) -> Job:  # noqa: ANN401 - its own fields
        """The same job with other values."""
        return self.model_copy(update=changes)
