"""How a training run looks in a terminal, and in a log file."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from softcam_core.cli.exits import process_rank
from softcam_core.training import events

_SHOWN = ("train_loss", "val_loss", "val_auc", "val_accuracy")
_SECONDS_BETWEEN_LINES = 10.0


class TrainingProgress:
    """A listener that shows a bar with the time left in a terminal, and plain lines elsewhere.

    Parameters
    ----------
    checkpoint : Path
        Where the best model will be.
    select : str
        The validation figure that decides, always shown.
    stream : file
        Standard error by default.

    Attributes
    ----------
    has_begun : bool
        Whether the run's folder is its own by now.
    """

    def __init__(self, checkpoint: Path, select: str, stream: IO[str] | None = None) -> None:
        self._checkpoint = checkpoint
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._shown = tuple(dict.fromkeys((*_SHOWN, f"val_{select}")))
        self.has_begun = False
        self._speaks = process_rank() == 0
        self._bar: Any = None
        self._epochs = self._done = 0
        self._select, self._last = f"val_{select}", ""
        self._last_line = time.monotonic()

    def read(self, done: int, total: int) -> None:
        """Show how many images of all were looked through, in the first of several processes."""
        if not self._speaks:
            return
        if self._is_terminal:
            if self._bar is None:
                self._bar = self._new_bar("reading images", total, "image")
            self._bar.update(done - self._bar.n)
        elif self._is_time() or done == total:
            self._line(f"read {done} of {total} images")
        if done == total:
            self.close()

    def __call__(self, event: events.Event) -> None:
        """Show what happened."""
        match event:
            case events.StartEvent():
                self.has_begun = True
                self._epochs = event.epochs
                counts = ", ".join(f"{count} {split}" for split, count in event.config["images"].items())
                shared = f", {event.processes} processes" if event.processes > 1 else ""
                self._line(f"{event.run}: {counts} images, {event.device}{shared}")
                if event.resumed_from is not None:
                    self._done = event.resumed_from // event.steps_per_epoch
                    self._line(f"going on from step {event.resumed_from}")
            case events.StepEvent():
                self._step(event)
            case events.EpochEvent():
                self._close_bar()
                self._done = event.epoch
                figures = {name: event.metrics.get(name) for name in self._shown}
                text = "  ".join(f"{_title(n)} {v:.4f}" for n, v in figures.items() if v is not None)
                best = "  best so far" if event.is_best else ""
                if (figure := figures[self._select]) is not None:
                    self._last = f", {_title(self._select)} {figure:.4f}"
                self._line(f"epoch {event.epoch}/{self._epochs}  {text}  {event.seconds:.1f} s{best}")
            case events.WarningEvent():
                self._line(f"warning: {event.message}")
            case events.PauseEvent():
                self._line("paused" if event.is_paused else "going on")
            case events.EndEvent():
                self.close()
                if event.metrics:
                    self._sum_up(event)

    def _sum_up(self, event: events.EndEvent) -> None:
        """What the run gave, on standard output."""
        print(f"best epoch {event.best_epoch} of {self._done}: {self._checkpoint}")
        for name, value in event.metrics.items():
            print(f"  {_title(name)}: {value:.4f}")

    def close(self) -> None:
        """Take the bar away."""
        self._close_bar()

    def _step(self, event: events.StepEvent) -> None:
        loss = "nan" if event.loss is None else f"{event.loss:.4f}"
        if self._is_terminal:
            if self._bar is None:
                each = event.steps // self._epochs
                self._bar = self._new_bar(f"epoch {event.epoch}/{self._epochs}", each, "step")
                self._bar.initial = self._bar.n = (event.step - 1) - each * (event.epoch - 1)
            left = f"whole run {_duration(event.seconds_left)} left"
            self._bar.set_postfix_str(f"loss {loss}{self._last}, {left}", refresh=False)
            self._bar.update()
        elif self._is_time():
            left = _duration(event.seconds_left)
            place = f"epoch {event.epoch}/{self._epochs}  step {event.step}/{event.steps}"
            self._line(f"{place}  loss {loss}  {event.images_per_second or 0:.1f} images/s  {left} left")

    def _new_bar(self, title: str, total: int, unit: str) -> Any:  # noqa: ANN401  # tqdm's stubs are generic
        return tqdm(total=total, desc=title, unit=unit, file=self._stream, dynamic_ncols=True, leave=False)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _is_time(self) -> bool:
        return time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES

    def _line(self, text: str) -> None:
        self._close_bar()
        print(text, file=self._stream, flush=True)
        self._last_line = time.monotonic()


def _title(figure: str) -> str:
    return figure.replace("_", " ")


def _duration(seconds: float | None) -> str:
    """Time as people say it: "2:03:04" or "3:04"."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
