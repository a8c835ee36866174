"""Colours can be read, follow the theme at once, and words have room."""

from pathlib import Path

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel

from softcam_viewer.app import Viewer
from softcam_viewer.ui.panels.prediction import BAR_TOP, ClassBar
from softcam_viewer.ui.theme import DARK, LIGHT, THEMES, Theme

BESIDE_TEXT = ("background", "panel", "raised")


def contrast(first: str, second: str) -> float:
    """Of two colours, 1 to 21, by WCAG 2.2."""

    def luminance(name: str) -> float:
        shares = [channel / 255 for channel in QColor(name).getRgb()[:3]]
        red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)  # the standard's well-known example


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_words_stand_out_from_what_is_behind_them(theme: Theme) -> None:
    found = {
        (role, behind): contrast(getattr(theme, role), getattr(theme, behind))
        for role in ("text", "muted", "accent", "ok", "warning", "error")
        for behind in BESIDE_TEXT
    }
    found["on_accent", "accent"] = contrast(theme.on_accent, theme.accent)
    assert {pair: ratio for pair, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_bars_stand_out_from_the_panel(theme: Theme) -> None:
    assert min(contrast(getattr(theme, role), theme.panel) for role in ("evidence_for", "evidence_against")) >= 3


def test_films_are_read_on_the_same_ground_in_either_theme() -> None:
    assert LIGHT.canvas == DARK.canvas


@pytest.fixture
def opened(viewer: Viewer, folder: Path, three_class_file: Path, settle) -> Viewer:
    viewer.session.open_model(three_class_file)
    viewer.session.open_paths([folder / "case_0.png", folder / "damaged.png"])
    settle()
    return viewer


def test_bars_of_classes_take_the_colours_of_another_theme(opened: Viewer, pixels) -> None:
    opened.session.panes.active.set_overlay(target=1, against=None)
    bar = opened.window.prediction.findChildren(ClassBar)[1]
    for theme in (LIGHT, DARK):
        if opened.window.palette().window().color() != QColor(theme.background):
            opened.window.appearance.toggle()
        assert tuple(pixels(bar)[BAR_TOP + 2, 3][::-1]) == QColor(theme.evidence_for).getRgb()[:3]


def test_what_the_mouse_does_is_readable_while_the_cursor_is_over_an_image(opened: Viewer, settle) -> None:
    window = opened.window
    window.resize(1280, 720)
    settle()
    view, status = window.grid.active.view, window.status
    view.pointed.emit(40.0, 30.0)
    settle()
    shown = {label.text(): label for label in status.findChildren(QLabel)}
    hint = shown[status.hint]
    assert hint.fontMetrics().horizontalAdvance(status.hint) <= hint.width()
    assert any(text.startswith("x 30  y 40") for text in shown)
    assert "cell" in status.text
    window.resize(2400, 720)
    settle()
    assert status.text in {label.text() for label in status.findChildren(QLabel)}


def test_the_empty_window_says_that_files_can_be_dropped(viewer: Viewer) -> None:
    assert "dropped" in viewer.window.status.hint


def test_a_case_that_cannot_be_read_is_not_asked_for_again(opened: Viewer, settle) -> None:
    opened.session.select(1)
    settle()
    assert any("cannot be read" in label.text() for label in opened.window.prediction.findChildren(QLabel))
