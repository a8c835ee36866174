"""A run's figures for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from softcam_core.training import events


class TensorBoard:
    """A listener that writes loss, learning rate and validation figures as TensorBoard reads them.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def __enter__(self) -> Self:
        """Begin; a resumed run adds to what is there."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self._folder))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left."""
        self._writer.close()

    def __call__(self, event: events.Event) -> None:
        """Take note of a step or an epoch."""
        figures: dict[str, float | None] = {}
        if isinstance(event, events.StepEvent):
            figures = {"loss": event.loss, **event.terms, "learning_rate": event.learning_rate}
            figures = {f"step/{name}": value for name, value in figures.items()}
            place = event.step
        elif isinstance(event, events.EpochEvent):
            figures = {name.replace("_", "/", 1): value for name, value in event.metrics.items()}
            place = event.epoch
        for name, value in figures.items():
            if value is not None:
                self._writer.add_scalar(name, value, place)
