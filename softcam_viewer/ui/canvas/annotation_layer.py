"""Marks: what people said about places of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen, QPixmap, QTransform

from softcam_core.annotations.annotation import Annotation, Verdict
from softcam_viewer.model.shape_editing import handles_of
from softcam_viewer.ui.canvas.drawing import CHIP_HEIGHT, CHIP_PADDING, HALO, chip, mark_font
from softcam_viewer.ui.canvas.lines_picture import Lines, LinesPicture, Weight
from softcam_viewer.ui.canvas.reach import REACH, distance
from softcam_viewer.ui.canvas.shape_path import path_of_shape
from softcam_viewer.ui.canvas.verdict_looks import LOOKS

if TYPE_CHECKING:
    from softcam_viewer.ui.canvas.image_view import ImageView

LABEL_WIDTH, LABEL_HEIGHT = 160.0, CHIP_HEIGHT + 5
"""Most that a label takes, with what is between it and the mark."""
NAMED_FROM = 48.0
"""Pixels of the screen from which on a place is wide enough for the name of its class."""
HANDLE = 4.0
HANDLE_GAP = 12.0
"""On the screen, between two handles; what is closer shows when one looks closer."""


class Marks:
    """Annotations by verdict, those of others thinner, the selected one thicker."""

    def __init__(self) -> None:
        self.marks: tuple[Annotation, ...] = ()
        self.selected = ""
        self.reviewer = ""
        self.verdict: Verdict = "wrong"
        """That drawing gives."""
        self.is_shown = True
        self.has_handles = False
        self.held = ""
        """Id of the one that is being changed, and not drawn as it was."""
        self._paths: dict[str, QPainterPath] = {}
        self._bounds = np.zeros((0, 4))
        self._lines: Lines | None = None
        self._chosen_lines: Lines | None = None
        self._picture, self._chosen_picture = LinesPicture(), LinesPicture()
        self._labels: dict[tuple[str, str, float], QPixmap] = {}

    def show(self, marks: Sequence[Annotation], selected: str, verdict: Verdict, reviewer: str) -> None:
        """Take others, or choose another one."""
        self.verdict = verdict
        is_same = len(marks) == len(self.marks) and all(a is b for a, b in zip(marks, self.marks, strict=True))
        if not is_same or reviewer != self.reviewer:
            self.marks, self.reviewer, self._lines = tuple(marks), reviewer, None
            self._paths = {mark.id: path_of_shape(mark.shape) for mark in self.marks}
            self._bounds = np.array([mark.shape.bounds for mark in self.marks], dtype=np.float64).reshape(-1, 4)
        if not is_same or selected != self.selected:
            self.selected, self._chosen_lines = selected, None
        if not self.marks:
            self._picture, self._chosen_picture = LinesPicture(), LinesPicture()  # those before take room

    def hold(self, mark_id: str) -> None:
        """Do not draw one as it was, because it is being changed; "" for none."""
        if mark_id != self.held:
            self.held, self._lines = mark_id, None

    @property
    def chosen(self) -> Annotation | None:
        """The selected one, as long as it is seen."""
        return next((mark for mark in self.marks if self.is_shown and mark.id == self.selected), None)

    def path(self, mark: Annotation) -> QPainterPath:
        """Outline of one of them, in image coordinates."""
        return self._paths[mark.id]

    def at(self, position: QPointF, view: ImageView) -> tuple[Annotation, ...]:
        """Those under a position of the widget, the topmost first."""
        if not self.is_shown:
            return ()
        reach = REACH / 2 / view.scale_factor
        here = view.image_position(position)
        area = QRectF(here.x() - reach, here.y() - reach, 2 * reach, 2 * reach)
        found = [mark for mark in reversed(self.marks) if self.path(mark).intersects(area)]
        return tuple(sorted(found, key=lambda mark: mark.id != self.selected))

    def handle_at(self, position: QPointF, view: ImageView) -> int | None:
        """Which handle of the selected one is under a position of the widget."""
        places = self.handles(view)
        near = {index: distance(place, position) for index, place in places.items()}
        best = min(near, key=lambda index: near[index], default=None)
        return best if best is not None and near[best] <= REACH else None

    def handles(self, view: ImageView) -> dict[int, QPointF]:
        """Handles of the selected one on the widget, without those that are too close to another."""
        chosen = self.chosen
        if chosen is None or not self.has_handles:
            return {}
        shown: dict[int, QPointF] = {}
        points = handles_of(chosen.shape)
        for index, point in enumerate(points):
            place = view.widget_position(*point)
            last = next(reversed(shown.values()), None)
            if last is None or len(points) <= 4 or distance(last, place) >= HANDLE_GAP:
                shown[index] = place
        return shown

    # What is seen

    def paint(self, painter: QPainter, view: ImageView) -> None:
        """Draw them."""
        if not self.is_shown or not self.marks:
            return
        self._picture.paint(painter, view, self._merged(), self._label_places)
        self._paint_chosen(painter, view)
        self._paint_labels_at_edges(painter, view)
        if not self.held:
            self._paint_handles(painter, view)

    def _merged(self) -> Lines:
        """Outlines that look alike as one path; another dictionary where anything looks otherwise."""
        if self._lines is None:
            lines: dict[tuple[Verdict, Weight], QPainterPath] = {}
            for mark in self.marks:
                if mark.id != self.held:
                    weight: Weight = "usual" if mark.reviewer == self.reviewer else "thin"
                    lines.setdefault((mark.verdict, weight), QPainterPath()).addPath(self.path(mark))
            self._lines = lines
        return self._lines

    def _paint_chosen(self, painter: QPainter, view: ImageView) -> None:
        """Draw the selected one over the others: choosing another draws no more anew than these two."""
        chosen = self.chosen
        if chosen is None or chosen.id == self.held:
            return
        if self._chosen_lines is None:
            self._chosen_lines = {(chosen.verdict, "thick"): self.path(chosen)}
        self._chosen_picture.paint(painter, view, self._chosen_lines, lambda _scale, _ratio: ())

    def _label_places(self, scale: float, ratio: float) -> list[tuple[QPointF, QPixmap]]:
        """Labels above the marks' upper left corners, in pixels of the screen from the image's corner."""
        placed = QTransform.fromScale(scale, scale)
        return [
            self._label_place(mark, placed.mapRect(self.path(mark).boundingRect()), ratio)
            for mark in self.marks
            if mark.id != self.held
        ]

    def _paint_labels_at_edges(self, painter: QPainter, view: ImageView) -> None:
        """Draw the label of the selected mark, and those that would be cut off by the view's edges within it."""
        ratio, placed = painter.device().devicePixelRatioF(), view.to_widget
        seen = QRectF(view.rect()).adjusted(2, 2, -2, -2)
        to_image = placed.inverted()[0]
        view_area, inner = to_image.mapRect(seen), to_image.mapRect(seen.adjusted(0, LABEL_HEIGHT, -LABEL_WIDTH, 0))
        top, left, bottom, right = self._bounds.T
        is_seen = (bottom > view_area.top()) & (top < view_area.bottom())
        is_seen &= (right > view_area.left()) & (left < view_area.right())
        for index in np.flatnonzero(is_seen & ((top < inner.top()) | (left < inner.left()) | (left > inner.right()))):
            self._paint_label(painter, self.marks[index], placed, seen, ratio)
        if self.chosen is not None:
            self._paint_label(painter, self.chosen, placed, seen, ratio)

    def _paint_label(self, painter: QPainter, mark: Annotation, placed: QTransform, seen: QRectF, ratio: float) -> None:
        place = placed.mapRect(self.path(mark).boundingRect())
        if mark.id == self.held or not place.intersects(seen):
            return
        corner, pixmap = self._label_place(mark, place, ratio, is_named=mark.id == self.selected)
        x = min(corner.x(), seen.right() - pixmap.width() / ratio)
        painter.drawPixmap(QPointF(max(seen.left(), x), max(seen.top(), corner.y())), pixmap)

    def _label_place(
        self, mark: Annotation, place: QRectF, ratio: float, *, is_named: bool = False
    ) -> tuple[QPointF, QPixmap]:
        look = LOOKS[mark.verdict]
        is_named = is_named or place.width() >= NAMED_FROM
        text = f"{look.sign} {mark.class_name}" if is_named and mark.class_name else look.sign
        pixmap = self._label(text, look.color, ratio)
        return QPointF(place.left(), place.top() - LABEL_HEIGHT), pixmap

    def _label(self, text: str, color: str, ratio: float) -> QPixmap:
        """A chip as a picture: words are slow to draw."""
        key = text, color, ratio
        if key not in self._labels:
            metrics = QFontMetricsF(mark_font(bold=True))
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, LABEL_WIDTH - 2 * CHIP_PADDING - 4)
            width = metrics.horizontalAdvance(shown) + 2 * CHIP_PADDING
            pixmap = QPixmap(round((width + 2) * ratio), round((CHIP_HEIGHT + 2) * ratio))
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            chip(painter, QRectF(1, 1, width, CHIP_HEIGHT), shown, color)
            painter.end()
            self._labels[key] = pixmap
        return self._labels[key]

    def _paint_handles(self, painter: QPainter, view: ImageView) -> None:
        chosen = self.chosen
        if chosen is None:
            return
        painter.setPen(QPen(HALO, 1.5))
        painter.setBrush(QColor(LOOKS[chosen.verdict].color))
        for place in self.handles(view).values():
            painter.drawRect(QRectF(place.x() - HANDLE, place.y() - HANDLE, 2 * HANDLE, 2 * HANDLE))
