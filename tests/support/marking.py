"""A view that is annotated, without a window around it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget

from softcam_core.annotations.annotation import Annotation
from softcam_core.annotations.shapes import Polygon, Rectangle
from softcam_core.imaging.image import MedicalImage, Window
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.image_view import ImageView

SIZE = (100, 120)
BOX = Rectangle(top=20, left=30, height=40, width=50)
TRIANGLE = Polygon(points=((10, 10), (10, 90), (70, 50)))


class Book:
    """Keeps what a view tells, and shows it there as the window does."""

    def __init__(self, view: ImageView) -> None:
        self.view, self.marks, self.selected, self.said = view, list[Annotation](), "", list[tuple]()
        self.verdict = "wrong"
        view.drawn.connect(self.draw)
        view.reshaped.connect(self.change)
        view.picked.connect(self.pick)
        view.mark_removed.connect(self.remove)
        view.flagged.connect(lambda row, column: self.said.append(("flagged", row, column)))

    def draw(self, shape, verdict=None, **fields) -> Annotation:
        mark = Annotation(case="a", class_name="opacity", verdict=verdict or self.verdict, shape=shape, **fields)
        self.marks.append(mark)
        self.said.append(("drawn",))
        self.pick(mark.id)
        return mark

    def change(self, mark_id, shape) -> None:
        self.marks = [m.model_copy(update={"shape": shape}) if m.id == mark_id else m for m in self.marks]
        self.said.append(("reshaped", mark_id))
        self.show()

    def pick(self, mark_id) -> None:
        self.selected = mark_id
        self.said.append(("picked", mark_id))
        self.show()

    def remove(self, mark_id) -> None:
        self.marks = [mark for mark in self.marks if mark.id != mark_id]
        self.said.append(("removed", mark_id))
        self.pick("")

    def show(self) -> None:
        self.view.show_marks(self.marks, self.selected, self.verdict)

    @property
    def shapes(self) -> list:
        return [mark.shape for mark in self.marks]

    def count(self, what: str) -> int:
        return sum(said[0] == what for said in self.said)


def grey_image(name: str) -> MedicalImage:
    """A film on which nothing is to be seen."""
    values = np.full(SIZE, 40, np.float32)
    return MedicalImage(Path(name), values, values, values, Window.from_limits(0, 255))


def shown_view() -> Iterator[ImageView]:
    """A view of a film, for a fixture."""
    window = QWidget()
    view = ImageView(Tools(window), window)
    for widget in (window, view):
        widget.resize(600, 500)
    window.show()
    view.show_image(grey_image("a.png"))
    view.show_window(Window.from_limits(0, 255), inverted=False)
    view.setFocus()
    yield view
    window.deleteLater()


def at(view: ImageView, row: float, column: float) -> QPoint:
    """Place on the image -> position on the widget."""
    return view.widget_position(row, column).toPoint()


def near(points, expected, within: float = 0.3) -> bool:
    """Whether positions on the image are those expected, to about a pixel of the screen."""
    return bool(np.abs(np.subtract(points, expected)).max() <= within)
