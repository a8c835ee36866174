"""Icons are drawn from files, in the colours of the theme."""

import pytest
from PySide6.QtGui import QColor, QImage, QPainter

from softcam_core.resources import resource
from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.tools import TOOLS
from softcam_viewer.ui.icons import IconButton, icon

NAMES = [*TOOLS, *(f"layout-{name}" for name in LAYOUTS), "options", "linked", "unlinked"]


def test_every_icon_that_has_a_file_is_used():
    standard = {"softcam", *(f"{name}-{theme}" for name in ("check", "chevron") for theme in ("dark", "light"))}
    assert {path.stem for path in resource("icons").glob("*.svg")} == standard | set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_icons_are_drawn_in_the_colour_asked_for_alone(qapp, name):
    image = QImage(64, 64, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    icon(name, "#ff2000").render(painter)
    painter.end()
    drawn = [QColor.fromRgba(image.pixel(x, y)) for x in range(64) for y in range(64) if image.pixel(x, y) >> 24 == 255]
    assert 150 < len(drawn) < 2000
    assert {color.name() for color in drawn} == {"#ff2000"}


def test_a_button_looks_different_checked_marked_and_disabled(qapp, pixels):
    button = IconButton("unlinked", checked="linked")
    button.setCheckable(True)
    button.resize(button.sizeHint())
    states = [pixels(button)]
    button.setChecked(True)
    states.append(pixels(button))
    button.mark(is_marked=True)
    states.append(pixels(button))
    button.setEnabled(False)
    states.append(pixels(button))
    assert all((a != b).any() for n, a in enumerate(states) for b in states[:n])
    button.deleteLater()
