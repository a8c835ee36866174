"""Session: the case, the model and the view that are open, and what happens when one of them changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from softcam_viewer.jobs.lanes import Lanes
from softcam_viewer.model import backend
from softcam_viewer.model.agreeing import Agreeing
from softcam_viewer.model.ahead import Ahead, ImageCache
from softcam_viewer.model.annotated import Annotated
from softcam_viewer.model.annotating import Annotating
from softcam_viewer.model.cases import CaseList
from softcam_viewer.model.explaining import Explaining
from softcam_viewer.model.exporting import Exporting
from softcam_viewer.model.figures import Figures
from softcam_viewer.model.film import Film
from softcam_viewer.model.grouping import make_groups
from softcam_viewer.model.labels import Known, class_folders, is_table, labels_of_folders, read_labels
from softcam_viewer.model.loaded_model import LoadedModel
from softcam_viewer.model.methods import list_methods, name_of
from softcam_viewer.model.panes import Panes
from softcam_viewer.model.previews import Previews
from softcam_viewer.model.weighing import Weighing
from softcam_viewer.model.worklist import Worklist

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation
    from softcam_core.imaging.image import ImageHeader
    from softcam_viewer.jobs.lanes import Lane

HEADERS_AT_ONCE = 100
"""Read in one go, after which a case that is read ahead has its turn."""


class Session(QObject):
    """State of the application; widgets show it and ask it for changes.

    Parameters
    ----------
    lanes : Lanes
    device : str
        Where networks run, a name of `softcam_core.devices`.
    """

    row_changed = Signal(int)  # another case was chosen; its image follows
    model_changed = Signal()  # the main model is another one
    compared_changed = Signal()  # a model to compare with was opened or closed
    busy_changed = Signal(str)  # what the user is waiting for, "" for nothing
    failed = Signal(str)  # a message for the user
    conversion_wanted = Signal(object)  # a file of weights was opened that may become a model: a Convertible
    converted = Signal(str)  # how equal the model just converted is, in one sentence
    conversion_failed = Signal(str)  # why not

    def __init__(self, lanes: Lanes, device: str = "auto", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cases = CaseList(self)
        self.worklist = Worklist(self.cases, self)
        self.row = -1
        self.tables: tuple[Path, ...] = ()  # of labels, that were opened for these cases
        self._opening: list[Path] = []
        self.film = Film(self)
        self.model: LoadedModel | None = None
        self.compared: tuple[LoadedModel, ...] = ()
        self._waits: dict[Lane, str] = {}
        self._lanes, self._device = lanes, device
        self._explaining = Explaining(lanes.quick, lanes.slow, parent=self)
        self.panes = Panes(self._explaining, self.film, self)
        self.weighing = Weighing(self.panes, self)
        self.annotated = Annotated(self.cases, lanes.ahead, self)
        self.annotated.failed.connect(self.failed)
        self.figures = Figures(self, lanes.figures, lanes.slow, self)
        self.exporting = Exporting(self, lanes.export, self)
        self.annotating = Annotating(self, lanes.store, lanes.ahead, self)
        self.annotating.failed.connect(self.failed)
        self.agreeing = Agreeing(self.annotating.book, lanes.figures, self)
        self.panes.predicted.connect(self._on_predicted)
        self.previews = Previews(self.cases, lanes.preview, lambda: self.is_settled, self)
        self._images = ImageCache()
        self._paths: list[Path] = []
        self._folders: tuple[dict[Path, str], ...] = ()  # that may be classes; see `class_folders`
        self._ahead = Ahead(self._images, self.panes, self._explaining, lanes.ahead, lambda: self.is_settled, self)
        self.worklist.order_changed.connect(self._look_ahead)
        self.panes.layout_changed.connect(self._look_ahead)
        self.panes.asked.connect(self._look_ahead)

    @property
    def models(self) -> tuple[LoadedModel, ...]:
        """All models that panes can show, the main one first."""
        return (() if self.model is None else (self.model,)) + self.compared

    def stop(self) -> None:
        """Stop what is being explained; the session ends."""
        self.previews.stop_scan()
        self._ahead.stop()
        self.annotating.book.stop()
        self.agreeing.stop()
        self.exporting.cancel()
        self.figures.stop()
        self._explaining.stop()

    # Cases

    def open_paths(self, paths: list[Path], tables: Sequence[Path] = ()) -> None:
        """Open files, folders and tables of labels; their images replace the worklist.

        Of `tables` only the labels are taken, for images that are opened otherwise.
        """
        self._opening = paths
        self._lanes.case.clear()  # nobody wants what was asked for before
        work = partial(backend.find_paths, paths)
        self._wait_for(self._lanes.case, "Looking for images…", work, partial(self._on_paths_found, paths, tables))

    def select(self, row: int, frame: int = 0) -> None:
        """Bring a case into view."""
        if not 0 <= row < len(self.cases):
            return
        self.row = row
        self._lanes.case.clear()
        path = self.cases[row].path
        known = self._images.get((path, frame))
        if known is None:
            self._read(row, frame)
        self.row_changed.emit(row)
        if known is not None and self.row == row:
            self._show(known)
            # It is there at once; whether its file still is what it was shows a moment later.
            work = partial(backend.key_of, path, frame)
            checked = partial(self._on_key_checked, row, known)
            self._wait_for(self._lanes.case, "", work, checked, partial(self._on_read_failed, row, frame))

    def step(self, by: int) -> None:
        """Go to the next (1) or previous (-1) case of the worklist as it is sorted and filtered."""
        row = self.worklist.neighbour(self.row, by)
        if row is not None:
            self.select(row)

    def step_frame(self, by: int) -> None:
        """Go to another frame; past the ends of the file, and for single frames, to another case."""
        image = self.film.image
        if image is not None and 0 <= image.frame + by < image.frame_count:
            self.select(self.row, image.frame + by)
        else:
            self.step(by)

    def step_to_unreviewed(self) -> None:
        """Go to the next case of the worklist that is not reviewed, from the top again after the last."""
        shown = self.worklist.shown
        start = shown.index(self.row) + 1 if self.row in shown else 0
        row = next((row for row in shown[start:] + shown[:start] if not self.cases[row].reviewed), None)
        if row is not None:
            self.select(row)

    def toggle_reviewed(self) -> None:
        """Mark the case in view as reviewed, or not."""
        if 0 <= self.row < len(self.cases):
            self.annotating.set_reviewed(self.row, on=not self.cases[self.row].reviewed)

    def explain_all(self) -> None:
        """Explain all cases in the background, those in view first and then the others."""
        shown = self.worklist.shown
        others = set(range(len(self.cases))).difference(shown)
        self.previews.start_scan([*shown, *sorted(others)])

    @property
    def is_settled(self) -> bool:
        """True when nobody waits for the case in view: what can wait may have the machine."""
        panes = self.panes
        waiting = [panes.methods.get(name_of(pane.method)) for pane in panes.visible if pane.progress is not None]
        return not self._waits and not any(method is not None and method.is_quick for method in waiting)

    def _read(self, row: int, frame: int) -> None:
        work = partial(backend.read, self.cases[row].path, frame)
        read, failed = partial(self._on_image_read, row), partial(self._on_read_failed, row, frame)
        self._wait_for(self._lanes.case, "Reading the image…", work, read, failed)

    def _on_paths_found(self, opened: list[Path], tables: Sequence[Path], paths: list[Path]) -> None:
        if opened is not self._opening:  # others were opened while these were looked for
            return
        self.tables = tuple(path for path in (*opened, *tables) if is_table(path))
        self._lanes.ahead.clear()
        self._images.clear()
        self._paths = paths
        self.cases.reset(paths)
        self.row = -1
        self.select(next(iter(self.worklist.shown), 0))
        self._folders = ()
        self._lanes.ahead.submit(
            partial(read_labels, [*opened, *tables], paths), self._on_labels_read, self.failed.emit
        )
        found = partial(self._on_folders_found, paths)
        self._lanes.ahead.submit(partial(class_folders, opened, paths), found, self.failed.emit)
        self._read_headers(paths, paths)

    def _on_labels_read(self, found: tuple[dict[Path, Known], tuple[str, ...]]) -> None:
        labels, problems = found
        self.cases.update_many(
            {
                row: {"label": k.label, "boxes": k.boxes, "box_labels": k.box_labels, "mask": k.mask}
                for path, k in labels.items()
                if (row := self.cases.row_of(path)) is not None
            }
        )
        if problems:
            self.failed.emit("\n".join(problems))

    def _on_folders_found(self, paths: list[Path], folders: tuple[dict[Path, str], ...]) -> None:
        if paths is self._paths:  # nothing else has been opened meanwhile
            in_tables = {case.path for case in self.cases.snapshot if case.label}
            self._folders = tuple({p: name for p, name in named.items() if p not in in_tables} for named in folders)
            self._label_by_folders()

    def _label_by_folders(self) -> None:
        """Take names of folders for labels where all are classes of the model, of which each image has one."""
        model = self.model
        names = model.card.class_names if model is not None and model.card.task == "single_label" else ()
        labels = labels_of_folders(self._folders, names)
        changes = {
            row: {"label": label}
            for named in self._folders
            for path in named
            if (row := self.cases.row_of(path)) is not None and (label := labels.get(path, "")) != self.cases[row].label
        }
        if changes:
            self.cases.update_many(changes)

    def _read_headers(self, paths: list[Path], left: list[Path]) -> None:
        """Read the headers of files some at a time, and group by them when all are known: headings must not jump."""
        if not left:
            work = partial(make_groups, self.cases.snapshot)
            self._lanes.ahead.submit(work, self.worklist.set_groups, self.failed.emit)
            self.annotating.know_cases()
            return
        now, later = left[:HEADERS_AT_ONCE], left[HEADERS_AT_ONCE:]
        self._lanes.ahead.submit(
            partial(backend.read_headers, now), partial(self._on_headers_read, paths, later), self.failed.emit
        )

    def _on_headers_read(self, paths: list[Path], left: list[Path], headers: dict[Path, ImageHeader]) -> None:
        if paths is self._paths:  # nothing else has been opened meanwhile
            self.cases.set_headers(headers)
            self._read_headers(paths, left)

    def _on_image_read(self, row: int, opened: backend.OpenedImage) -> None:
        if row == self.row:  # no other case has been chosen meanwhile
            if self.cases[row].error:
                self.cases.update_case(row, error="")  # it has come back
            self._show(opened)

    def _on_key_checked(self, row: int, known: backend.OpenedImage, key: tuple[object, ...]) -> None:
        if row == self.row and key != known.key:
            self._images.drop((known.image.source, known.image.frame))
            self._read(row, known.image.frame)

    def _on_read_failed(self, row: int, frame: int, message: str) -> None:
        self._images.drop((self.cases[row].path, frame))
        self.cases.update_case(row, error=message)
        if row == self.row:
            self._show(None)  # never the film of one case under the name of another
        self.failed.emit(message)

    def _show(self, opened: backend.OpenedImage | None) -> None:
        self.panes.clear()  # a map lies over its own image only
        self.film.show(opened)
        if opened is not None:
            self._images.put((opened.image.source, opened.image.frame), opened)
        self.panes.ask()
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Get the neighbours ready: frames of the same file, and the next and the previous case."""
        image = self.film.image
        if image is None:
            return
        frames = [f for f in (image.frame + 1, image.frame - 1) if 0 <= f < image.frame_count]
        rows = [row for by in (1, -1) if (row := self.worklist.neighbour(self.row, by)) is not None]
        places = [(image.source, frame) for frame in frames] + [(self.cases[row].path, 0) for row in rows]
        self._ahead.want(places)

    # Models

    def open_model(self, path: Path) -> None:
        """Load a model and explain the case in view with it."""
        self._learn_methods()
        work = partial(backend.load, path, self._device)
        self._wait_for(self._lanes.model, "Loading the model…", work, self._on_model_loaded)

    def add_model(self, path: Path) -> None:
        """Load a model to compare with, and show it in the active pane."""
        if self.model is None:
            self.open_model(path)
            return
        work = partial(backend.load_to_compare, path, self.model.card, self._device)
        self._wait_for(self._lanes.model, "Loading the model…", work, self._on_compared_loaded)

    @property
    def device(self) -> str:
        """Where networks run, as it was chosen."""
        return self._device

    def use_model(self, model: LoadedModel) -> None:
        """Make a loaded model the main one; the one before stays open to compare with."""
        self._learn_methods()
        before, others = self.model, tuple(other for other in self.compared if other is not model)
        self.compared = others if before in (None, model) else (before, *others)
        self._on_model_loaded(model)
        self.compared_changed.emit()

    def compare_with(self, model: LoadedModel) -> LoadedModel:
        """Have a loaded model among those that panes can show; gives the one with its weights that is open already."""
        known = next((m for m in self.models if m.key == model.key), None)
        if known is None:
            self.compared = (*self.compared, model)
            self.compared_changed.emit()
        return known or model

    def close_model(self, model: LoadedModel) -> None:
        """Close a model to compare with."""
        self.compared = tuple(other for other in self.compared if other is not model)
        self.panes.forget_model(model)
        self.compared_changed.emit()

    def close_compared(self) -> None:
        """Close all models but the main one."""
        closed, self.compared = self.compared, ()
        for model in closed:
            self.panes.forget_model(model)
        self.compared_changed.emit()

    def convert(self, request: backend.ConversionRequest) -> None:
        """Convert a file of weights, measured on the case in view, and use the model."""
        self._learn_methods()
        images = () if self.film.image is None else (self.film.image,)
        work = partial(backend.convert, request, images, self._device)
        self._wait_for(
            self._lanes.model, "Converting the model…", work, self._on_converted, self.conversion_failed.emit
        )

    def _learn_methods(self) -> None:
        if not self.panes.methods:
            # Before the model, which takes longer: the lane keeps the order.
            self._lanes.model.submit(list_methods, self.panes.set_methods, self.failed.emit)

    def _on_converted(self, model: LoadedModel) -> None:
        self._on_model_loaded(model)
        conversion = model.card.conversion
        self.converted.emit("" if conversion is None else conversion.summary())

    def _on_model_loaded(self, model: LoadedModel | backend.Convertible) -> None:
        if isinstance(model, backend.Convertible):
            self.conversion_wanted.emit(model)
            return
        self.model = model
        self.previews.use_model(model)
        self.cases.use_classes(model.card.class_names, model.card.task)
        self._label_by_folders()
        self.model_changed.emit()
        self.panes.use_model(model)

    def _on_compared_loaded(self, model: LoadedModel) -> None:
        self.panes.active.set_model(self.compare_with(model))

    def _on_predicted(self, explanation: Explanation) -> None:
        # By its file: while the next image is read, this one is still in view and its row no longer chosen.
        image = self.film.image
        row = None if image is None else self.cases.row_of(image.source)
        if image is not None and row is not None and image.frame == 0:  # which the worklist tells of
            name = explanation.class_names[explanation.predicted]
            self.cases.update_case(row, prediction=(name, float(explanation.probabilities[explanation.predicted])))

    # Waiting

    @property
    def busy(self) -> str:
        """What the user is waiting for, "" for nothing."""
        return next(filter(None, self._waits.values()), "")

    def _wait_for(
        self,
        lane: Lane,
        what: str,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None] | None = None,
    ) -> None:
        def finish(report: Callable[[Any], None], outcome: Any) -> None:  # noqa: ANN401 - whatever the work gives
            self._waits.pop(lane, None)
            report(outcome)
            self.busy_changed.emit(self.busy)

        self._waits[lane] = what
        self.busy_changed.emit(self.busy)
        lane.submit(work, partial(finish, done), partial(finish, failed or self.failed.emit))
