"""What is known of the images in view beforehand: boxes and masks that came with them."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from softcam_viewer.model import backend

if TYPE_CHECKING:
    from softcam_core.imaging.image import MedicalImage
    from softcam_viewer.jobs.lanes import Lane
    from softcam_viewer.model.cases import CaseList

KEPT = 8
"""Masks in memory: more than there are panes."""

Mask = npt.NDArray[np.bool_]


class Annotation(NamedTuple):
    """What somebody marked in an image.

    Attributes
    ----------
    boxes : tuple of (float, float, float, float)
        x, y, width and height in pixels of the image.
    mask : ndarray, (H, W) bool, or None
    name : str
        Of what was found.
    """

    boxes: tuple[tuple[float, float, float, float], ...] = ()
    mask: Mask | None = None
    name: str = ""


class Annotated(QObject):
    """Boxes and masks of images; masks are read when they are asked for first.

    Parameters
    ----------
    cases : CaseList
    lane : Lane
    """

    changed = Signal(object)  # more is known of an image: its Path; or of many: None
    failed = Signal(str)

    def __init__(self, cases: CaseList, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cases, self._lane = cases, lane
        self._masks: OrderedDict[Path, Mask | None] = OrderedDict()
        cases.modelReset.connect(self._masks.clear)
        cases.case_changed.connect(self._on_case_changed)
        cases.facts_changed.connect(partial(self.changed.emit, None))

    def of(self, image: MedicalImage) -> Annotation:
        """What is known by now; annotations are of the first frame."""
        row = self._cases.row_of(image.source)
        if row is None or image.frame > 0:
            return Annotation()
        case = self._cases[row]
        names = dict.fromkeys(name for name in case.box_labels or (case.label,) if name)
        return Annotation(case.boxes, self._mask_of(case.mask, image), ", ".join(names) or "annotated")

    def _mask_of(self, path: Path | None, image: MedicalImage) -> Mask | None:
        if path is None:
            return None
        if path in self._masks:
            self._masks.move_to_end(path)
            return self._masks[path]
        self._masks[path] = None
        while len(self._masks) > KEPT:
            self._masks.popitem(last=False)
        work = partial(backend.read_mask, path, image.size)
        self._lane.submit(work, partial(self._on_read, path, image.source), self.failed.emit)
        return None

    def _on_read(self, path: Path, source: Path, mask: Mask) -> None:
        if path in self._masks:
            self._masks[path] = mask
            self.changed.emit(source)

    def _on_case_changed(self, row: int, fields: frozenset[str]) -> None:
        if fields & {"boxes", "mask", "label"}:
            self.changed.emit(self._cases[row].path)
