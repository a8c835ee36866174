"""Exporting: writes what is shown of a case, or the evidence of all cases, in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from softcam_core.errors import BorderError, SettingsError
from softcam_core.files import whole_file
from softcam_viewer.model.export_names import ExportNames, FolderNames, names_after, titles_of, with_frame
from softcam_viewer.model.methods import EVIDENCE

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation, Sign
    from softcam_core.export.case_files import CaseFiles
    from softcam_core.imaging.image import MedicalImage
    from softcam_core.models.classifier import Classifier
    from softcam_viewer.jobs.lanes import Lane
    from softcam_viewer.model.answers import Against, Aim
    from softcam_viewer.model.overlay import OverlaySettings
    from softcam_viewer.model.pane import PaneState
    from softcam_viewer.model.session import Session

Picture = npt.NDArray[np.uint8]
Report = Callable[[Path], None]
"""Writes a report to a file; runs off the UI thread, and raises OSError."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, and where to.

    Attributes
    ----------
    folder : Path
    formats : tuple of str
        Of `softcam_core.export.case_files.FORMATS`, and for a single case "picture" (what is seen, PNG) and "report"
        (PDF).
    keep_names : bool
        Name files after the images, with their folders where it takes these to tell them apart; they are numbered
        otherwise, since names may tell of whom they are. Files of other cases that are there are never replaced.
    keep_identity : bool
        DICOM files join the image's study, with its patient.
    """

    folder: Path
    formats: tuple[str, ...]
    keep_names: bool = False
    keep_identity: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A map as a pane shows it.

    Attributes
    ----------
    image : MedicalImage
    explanation : Explanation
    target, against : int, and int, "rest" or None
    threshold : float or None
        In the unit of the map; None for a share of its largest value.
    opacity : float
    colormap : str
    sign : {"both", "positive", "negative"}
    left_out : tuple of (int, int, bool)
        Regions that are not counted; see `softcam_core.export.case_files.CaseFiles`.
    """

    image: MedicalImage
    explanation: Explanation
    target: int
    against: Against
    threshold: float | None
    opacity: float
    colormap: str
    sign: Sign
    left_out: tuple[tuple[int, int, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes
    ----------
    folder : Path
    cases : int
        That are complete.
    problems : tuple of str
        What could not be read or written, and what is not named as usual, sentences; first those about cases that are
        not complete.
    cancelled : bool
    """

    folder: Path
    cases: int
    problems: tuple[str, ...] = ()
    cancelled: bool = False


@dataclass(eq=False, slots=True)
class _Job:
    stopped: threading.Event = field(default_factory=threading.Event)


class Exporting(QObject):
    """Writes files, one export at a time.

    Parameters
    ----------
    session : Session
    lane : Lane
    """

    progressed = Signal(int, int)  # cases done, and how many there are
    finished = Signal(object)  # Exported
    failed = Signal(str)

    def __init__(self, session: Session, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._lane = session, lane
        self._job: _Job | None = None
        self._names = ExportNames()

    @property
    def is_running(self) -> bool:
        """True until the last file is written."""
        return self._job is not None

    def export_case(self, request: ExportRequest, picture: Picture | None = None, report: Report | None = None) -> None:
        """Write what is shown of the case in view.

        Parameters
        ----------
        request : ExportRequest
        picture : ndarray, (H, W, 3) uint8, optional
            Of what is seen, for the formats "picture" and "secondary-capture".
        report : callable, optional
            For the format "report".
        """
        image = self._session.film.image
        if image is None or self.is_running:
            return
        panes, weighing = self._session.panes, self._session.weighing
        shown = [
            replace(view, left_out=weighing.places_left_out if pane is weighing.pane else ())
            for pane in panes.shown
            if (view := shown_in(pane)) is not None and view.image is image
        ]
        [(name, _)] = self._named([image.source], request)
        work = partial(_write_case, request, image, self._names, name, _without_repeats(shown), picture, report)
        self._start(work, 1)

    def export_all(self, request: ExportRequest, rows: Sequence[int]) -> None:
        """Write the main model's evidence for cases of the worklist, with the active pane's class and look."""
        model, pane = self._session.model, self._session.panes.active
        if model is None or self.is_running:
            return
        paths = [self._session.cases[row].path for row in rows]
        view = shown_in(pane)
        threshold = view.threshold if view is not None and view.explanation.about.name == EVIDENCE else None
        target = (pane.overlay.target, pane.overlay.against) if pane.aim is not None else None
        named = self._named(paths, request)
        work = partial(_write_all, request, model.network, paths, self._names, named, target, threshold, pane.overlay)
        self._start(work, len(paths))

    def cancel(self) -> None:
        """Stop after the case that is being written; what is written stays."""
        if self._job is not None:
            self._job.stopped.set()

    def _named(self, paths: Sequence[Path], request: ExportRequest) -> list[tuple[str, str]]:
        """How files of cases begin, and what tables call the cases: the same whichever of them are exported."""
        cases = self._session.cases
        rows = [cases.row_of(path) for path in paths]
        if request.keep_names:
            every = list(dict.fromkeys([*(case.path for case in cases.snapshot), *paths]))
            known = dict(zip(every, zip(names_after(every), titles_of(every), strict=True), strict=True))
            return [known[path] for path in paths]
        digits = max(4, len(str(len(cases))))
        names = [f"case_{0 if row is None else row + 1:0{digits}d}" for row in rows]
        return list(zip(names, names, strict=True))

    def _start(self, work: Callable[[Callable[[int], None], Callable[[], bool]], Exported], count: int) -> None:
        job = self._job = _Job()
        self.progressed.emit(0, count)
        report = partial(self._report, count)
        self._lane.submit(partial(work, report, job.stopped.is_set), self._on_done, self._on_failed)

    def _report(self, count: int, done: int) -> None:
        self.progressed.emit(done, count)  # from the lane's thread; receivers get it on theirs

    def _on_done(self, exported: Exported) -> None:
        self._job = None
        self.finished.emit(exported)

    def _on_failed(self, message: str) -> None:
        self._job = None
        self.failed.emit(message)


def shown_in(pane: PaneState) -> Shown | None:
    """The map of a pane as it is shown; None where there is none."""
    image, explanation, overlay, settings = pane.film.image, pane.explanation, pane.overlay_map, pane.overlay
    if image is None or explanation is None or overlay is None:
        return None
    level = settings.threshold * overlay.scale
    return Shown(
        image, explanation, settings.target, settings.against, level, settings.opacity, settings.colormap, settings.sign
    )


def _without_repeats(shown: Sequence[Shown]) -> list[Shown]:
    found = {(view.explanation.method, view.explanation.card.sha256, view.target, view.against): view for view in shown}
    return list(found.values())


# In the lane


def _files(request: ExportRequest, view: Shown) -> CaseFiles:
    from softcam_core.export.case_files import FORMATS, CaseFiles
    from softcam_core.export.colormaps import COLORMAPS

    signed = view.explanation.about.signed or view.against is not None
    fits = view.colormap in COLORMAPS and (not signed or COLORMAPS[view.colormap].kind == "diverging")
    return CaseFiles(
        request.folder,
        tuple(name for name in request.formats if name in FORMATS),
        request.keep_identity,
        view.threshold,
        view.opacity,
        view.colormap if fits else None,
        view.sign,
        view.left_out,
    )


def _make_folder(folder: Path, names: ExportNames) -> FolderNames:
    """Make a folder, and see that it can be written to: not every case shall be explained before that is told."""
    what = "cannot be made"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        what = "cannot be written to"
        probe = folder / ".softcam.partial"
        probe.touch()
        probe.unlink()
        return names.in_folder(folder)
    except OSError as error:
        reason = f"{what}: {error.strerror}"
        raise SettingsError(folder, reason, "Choose another folder to export to.") from error


def _write_case(
    request: ExportRequest,
    image: MedicalImage,
    names: ExportNames,
    name: str,
    shown: Sequence[Shown],
    picture: Picture | None,
    report: Report | None,
    on_done: Callable[[int], None],
    should_stop: Callable[[], bool],
) -> Exported:
    from softcam_core.export.overlay import save_picture

    here = _make_folder(request.folder, names)
    name = here.take(with_frame(name, image), (image.source, image.frame))
    problems: list[str] = []
    if picture is not None and "picture" in request.formats:
        save_picture(request.folder / f"{name}.png", picture)
    if report is not None and "report" in request.formats:
        with whole_file(request.folder / f"{name}.pdf") as partial_file:
            report(partial_file)
    taken: set[str] = set()
    for view in shown:
        if should_stop():
            return Exported(request.folder, 0, tuple(problems), cancelled=True)
        files = _files(request, view)
        source = files.source(image, name)
        part = name if view.explanation.about.name == EVIDENCE else f"{name}_{view.explanation.about.name}"
        part = next(free for n in range(1, len(shown) + 2) if (free := part if n == 1 else f"{part}_{n}") not in taken)
        taken.add(part)
        lack = files.write(image, view.explanation, (view.target, view.against), source, part)
        problems += [lack] if lack else []
    on_done(1)
    return Exported(request.folder, 1, (*problems, *_remarks(here)))


def _write_all(
    request: ExportRequest,
    network: Classifier,
    paths: Sequence[Path],
    names: ExportNames,
    named: Sequence[tuple[str, str]],
    target: Aim | None,
    threshold: float | None,
    look: OverlaySettings,
    on_done: Callable[[int], None],
    should_stop: Callable[[], bool],
) -> Exported:
    from softcam_core.explainers.methods import explain
    from softcam_core.export.tables import write_scores
    from softcam_core.imaging.readers import read_image

    here = _make_folder(request.folder, names)
    failed: list[str] = []
    lacking: list[str] = []
    rows = []
    cancelled = False
    for number, (path, (name, title)) in enumerate(zip(paths, named, strict=True)):
        if cancelled := should_stop():
            break
        try:
            image = read_image(path)
            explanation = explain(network, image)
            of, against = target if target is not None else explanation.default_view()
            name = here.take(with_frame(name, image), (path, image.frame))
            view = Shown(image, explanation, of, against, threshold, look.opacity, look.colormap, look.sign)
            files = _files(request, view)
            source = files.source(image, name)
            lack = files.write(image, explanation, (of, against), source, name)
            lacking += [lack] if lack else []
        except BorderError as error:
            failed.append(str(error))
            continue
        # The scores need no maps, which would fill the memory.
        scores = replace(explanation, grid=explanation.grid[:, :0])
        rows.append((title, name, scores))
        on_done(number + 1)
    if rows:
        table = here.take("scores", tuple(paths))
        write_scores(request.folder / f"{table}.csv", rows, network.card.class_names)
    return Exported(request.folder, len(rows), (*failed, *lacking, *_remarks(here)), cancelled)


def _remarks(here: FolderNames) -> tuple[str, ...]:
    return (here.remark,) if here.remark else ()
