"""The film is the same picture whether it is drawn anew or as it was drawn last."""

import numpy as np
import pytest
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QWidget

from softcam_core.imaging.image import Window
from softcam_viewer.ui.canvas.film import FilmItem

GREY = Window.from_limits(0, 1)


@pytest.fixture
def film(qapp):
    item = FilmItem()
    item.set_film(np.random.default_rng(0).random((90, 120), dtype=np.float32))
    item.set_window(GREY, inverted=False)
    return item


def drawn(film, widget: QWidget | None, scale: float, at: tuple[float, float], ratio: float) -> np.ndarray:
    """A widget of 100 x 80, at a place of a screen with so many pixels a unit."""
    screen = QImage(round(100 * ratio), round(80 * ratio), QImage.Format.Format_RGB32)
    screen.setDevicePixelRatio(ratio)
    screen.fill(0x203040)
    painter = QPainter(screen)
    painter.translate(*at)
    painter.scale(scale, scale)
    film.paint(painter, None, widget)
    painter.end()
    rows = np.frombuffer(screen.constBits(), np.uint8).reshape(screen.height(), screen.bytesPerLine() // 4, 4)
    return rows[:, : screen.width(), :3].astype(int)


@pytest.fixture
def widget(qapp):
    widget = QWidget()
    widget.resize(100, 80)
    yield widget
    widget.deleteLater()


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
@pytest.mark.parametrize(
    ("scale", "at"), [(0.5, (12.25, 3.5)), (0.83, (0, 0)), (2.0, (-30.5, -41.0)), (9.0, (-500, -300))]
)
def test_what_was_drawn_before_is_drawn_again(film, widget, scale, at, ratio):
    anew = drawn(film, None, scale, at, ratio)
    for _ in range(2):
        again = drawn(film, widget, scale, at, ratio)
        # Pixels that the film's edge cuts are blended twice over.
        assert np.abs(again - anew).max() <= 2 or (np.abs(again - anew).max(axis=2) > 2).mean() < 0.01
    assert (anew != anew[0, 0]).any()


def test_a_change_of_window_film_or_place_is_seen(film, widget):
    place = (0.5, (4, 4), 1.0)
    pictures = [drawn(film, widget, *place)]
    film.set_window(GREY, inverted=True)
    pictures.append(drawn(film, widget, *place))
    pictures.append(drawn(film, widget, 0.5, (9, 4), 1.0))
    film.set_film(np.zeros((90, 120), np.float32))
    pictures.append(drawn(film, widget, *place))
    film.set_film(None)
    pictures.append(drawn(film, widget, *place))
    assert all((a != b).any() for n, a in enumerate(pictures) for b in pictures[:n])


def test_a_film_out_of_sight_is_no_reason_to_complain(film, widget):
    assert (drawn(film, widget, 1.0, (5000, 0), 1.0) == (0x40, 0x30, 0x20)).all()
