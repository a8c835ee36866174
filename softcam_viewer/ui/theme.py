"""Colours, spacing and fonts: one dark and one light theme, and the style sheet made from them."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

from softcam_core.resources import resource

FONT_FAMILIES = ["Inter", "SF Pro Text", "Segoe UI", "Noto Sans", "Open Sans", "DejaVu Sans"]


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours ("#rrggbb") by what they are for."""

    name: str
    background: str
    canvas: str
    panel: str
    raised: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    evidence_for: str
    evidence_against: str
    ok: str
    warning: str
    error: str


DARK = Theme(
    name="dark",
    background="#12151a",
    canvas="#0b0d11",
    panel="#191d24",
    raised="#222832",
    line="#2c3440",
    text="#e7eaf0",
    muted="#93a0b4",
    accent="#56b8ff",
    on_accent="#0b1016",
    evidence_for="#ff9a3c",
    evidence_against="#4aa3ff",
    ok="#5ad19a",
    warning="#ffcc66",
    error="#ff6b6b",
)

LIGHT = Theme(
    name="light",
    background="#eef1f5",
    canvas=DARK.canvas,  # films are read in the dark in either theme
    panel="#ffffff",
    raised="#f1f4f8",
    line="#d3dae4",
    text="#1b2330",
    muted="#586577",
    accent="#0b6fc2",
    on_accent="#ffffff",
    evidence_for="#c25e00",
    evidence_against="#0b6fc2",
    ok="#13794a",
    warning="#8a5a00",
    error="#c02929",
)

THEMES = {theme.name: theme for theme in (DARK, LIGHT)}


def _icon(name: str, theme: Theme) -> str:
    return resource(f"icons/{name}-{theme.name}.svg").as_posix()


def _style_sheet(t: Theme) -> str:
    return f"""
QWidget {{ color: {t.text}; background: transparent; font-size: 13px; }}
QMainWindow, QDialog, #central {{ background: {t.background}; }}
QToolTip {{ color: {t.text}; background: {t.raised}; border: 1px solid {t.line}; padding: 4px 6px; }}

#header {{ background: {t.panel}; border-bottom: 1px solid {t.line}; }}
QMenuBar {{ background: transparent; padding: 3px; spacing: 4px; }}
QMenuBar::item {{ padding: 5px 10px; border-radius: 5px; }}
QMenuBar::item:selected {{ background: {t.raised}; }}
QMenu {{ background: {t.panel}; border: 1px solid {t.line}; padding: 6px; }}
QMenu::item {{ padding: 6px 28px 6px 12px; border-radius: 4px; }}
QMenu::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
QMenu::item:disabled {{ color: {t.muted}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {t.line}; margin: 5px 8px; }}

QSplitter::handle {{ background: {t.line}; }}
#panel, QScrollArea#panel > QWidget > QWidget {{ background: {t.panel}; }}
#section {{ border-bottom: 1px solid {t.line}; }}
#panelTitle {{ color: {t.muted}; font-size: 11px; font-weight: 600; letter-spacing: 0.6px; }}
#muted {{ color: {t.muted}; }}
#strong {{ font-weight: 600; }}
#accent {{ color: {t.accent}; }}
#warning {{ color: {t.warning}; }}
#emptyTitle {{ font-size: 19px; font-weight: 600; }}
#canvas {{ background: {t.canvas}; border: none; }}
#caseLine {{ background: {t.background}; border-bottom: 1px solid {t.line}; }}
#paneHeader {{ background: {t.panel}; }}
#paneHeader QLabel {{ font-size: 12px; }}
#paneNotice {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 6px; }}
#success {{ color: {t.ok}; font-weight: 600; }}
#failure {{ color: {t.error}; }}
#notice {{ color: {t.warning}; font-weight: 600; }}
#statusLine {{ background: {t.panel}; border-top: 1px solid {t.line}; }}
#comparison {{ background: {t.panel}; border-top: 1px solid {t.line}; }}
#statusLine QLabel {{ font-size: 12px; }}
#message {{ background: {t.raised}; border: 1px solid {t.error}; border-radius: 6px; }}
#messageMark {{ color: {t.error}; font-size: 15px; }}

QPushButton, QToolButton {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 5px;
    padding: 6px 14px; }}
QPushButton:hover, QToolButton:hover {{ border-color: {t.muted}; }}
QPushButton:focus, QComboBox:focus, QLineEdit:focus, QPlainTextEdit:focus {{
    border-color: {t.accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {t.muted}; }}
QPushButton:disabled:hover, QToolButton:disabled:hover {{ border-color: {t.line}; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QPushButton#primary {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; font-weight: 600; }}
QPushButton#primary:disabled {{ background: {t.raised}; color: {t.muted}; border-color: {t.line}; }}
QToolButton#iconButton {{ padding: 0; background: transparent; border-color: transparent; }}
QToolButton#iconButton:hover {{ border-color: {t.muted}; }}
QToolButton:focus, QToolButton#iconButton:focus {{ border-color: {t.accent}; }}
QToolButton#iconButton:checked {{ border-color: {t.accent}; background: {t.raised}; }}
QToolButton#iconButton:disabled {{ border-color: transparent; background: transparent; }}
QToolButton#small {{ padding: 1px 10px; font-size: 12px; }}
QToolButton#small:checked {{ color: {t.accent}; border-color: {t.accent}; }}
QToolButton#flat {{ background: transparent; border-color: transparent; padding: 1px 5px; color: {t.muted}; }}
QToolButton#flat:hover {{ color: {t.text}; }}
QToolButton#flat:focus {{ border-color: {t.accent}; }}
QPushButton#jobName {{ background: transparent; border-color: transparent; padding: 0 3px; margin-left: -4px;
    text-align: left; font-weight: 600; }}
QPushButton#jobName:hover {{ color: {t.accent}; }}
QPushButton#jobName:focus {{ border-color: {t.accent}; }}

QLineEdit, QPlainTextEdit {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 5px;
    padding: 6px 9px; selection-background-color: {t.accent}; selection-color: {t.on_accent};
    placeholder-text-color: {t.muted}; }}
QComboBox {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 5px; padding: 5px 9px; }}
QComboBox:disabled, QCheckBox:disabled, QLabel:disabled, QLineEdit:disabled, QPlainTextEdit:disabled {{
    color: {t.muted}; }}
QComboBox#selector {{ padding: 3px 2px 3px 8px; }}
QComboBox:hover {{ border-color: {t.muted}; }}
QComboBox::drop-down {{ border: none; width: 22px; }}
QComboBox#selector::drop-down {{ width: 18px; }}
QComboBox::down-arrow {{ image: url({_icon("chevron", t)}); width: 12px; height: 12px; }}
QComboBox QAbstractItemView {{ background: {t.panel}; border: 1px solid {t.line}; outline: none; padding: 4px;
    selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QSpinBox {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 5px; padding: 5px 9px;
    selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QSpinBox:focus {{ border-color: {t.accent}; }}
QSpinBox QLineEdit {{ background: transparent; border: none; padding: 0; }}
QSpinBox::up-button, QSpinBox::down-button {{ width: 0; border: none; }}
QProgressBar {{ background: {t.line}; border: none; border-radius: 3px; }}
QProgressBar::chunk {{ background: {t.accent}; border-radius: 3px; }}
QCheckBox {{ spacing: 8px; }}
QCheckBox::indicator {{ width: 14px; height: 14px; border: 1px solid {t.muted}; border-radius: 3px;
    background: {t.raised}; }}
QCheckBox::indicator:checked {{ background: {t.accent}; border-color: {t.accent};
    image: url({_icon("check", t)}); }}
QRadioButton {{ spacing: 8px; }}
QRadioButton::indicator {{ width: 14px; height: 14px; border: 1px solid {t.muted}; border-radius: 8px;
    background: {t.raised}; }}
QRadioButton::indicator:checked {{ border: 4px solid {t.accent}; width: 8px; height: 8px; background: {t.on_accent}; }}
QRadioButton:disabled {{ color: {t.muted}; }}
QCheckBox::indicator:focus, QRadioButton::indicator:focus {{ width: 12px; height: 12px;
    border: 2px solid {t.accent}; }}
QCheckBox::indicator:checked:focus {{ border: 2px solid {t.text}; }}
QRadioButton::indicator:checked:focus {{ border: 4px solid {t.text}; width: 8px; height: 8px; }}
QCheckBox::indicator:disabled {{ background: {t.line}; border-color: {t.line}; }}

QSlider {{ min-height: 22px; }}
QSlider::groove:horizontal {{ height: 4px; background: {t.line}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {t.accent}; border-radius: 2px; }}
QSlider::sub-page:horizontal:disabled {{ background: {t.line}; }}
QSlider::handle:horizontal {{ width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: {t.text}; }}
QSlider::handle:horizontal:disabled {{ background: {t.muted}; }}
QSlider::handle:horizontal:focus {{ background: {t.accent}; }}

#palette {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 8px; }}
QToolButton#recent {{ background: transparent; border: 1px solid transparent; padding: 4px 6px; color: {t.accent}; }}
QToolButton#recent:hover {{ border-color: {t.muted}; }}
QToolButton#recent:focus {{ border-color: {t.accent}; }}
QToolButton#recent:disabled {{ color: {t.muted}; }}

QTableView {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 5px; outline: none;
    selection-background-color: {t.raised}; selection-color: {t.text}; }}
QTableView::item {{ padding: 4px 8px; }}
QTableView::item:selected {{ background: {t.raised}; color: {t.text}; }}
QTableView:focus {{ border-color: {t.accent}; }}
QHeaderView {{ background: {t.panel}; border: none; }}
QHeaderView::section {{ background: {t.panel}; color: {t.muted}; border: none;
    border-bottom: 1px solid {t.line}; padding: 6px 8px 6px 11px; font-size: 12px; }}
QListView {{ background: {t.panel}; border: none; outline: none; }}
QScrollArea {{ border: none; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {t.line}; border-radius: 4px; min-height: 32px; margin: 1px; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle:horizontal {{ background: {t.line}; border-radius: 4px; min-width: 32px; margin: 1px; }}
QScrollBar::handle:vertical:hover, QScrollBar::handle:horizontal:hover {{ background: {t.muted}; }}
QAbstractScrollArea::corner {{ background: transparent; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{ height: 0; width: 0;
    background: none; }}
"""


def current_theme() -> Theme:
    """The theme that `apply_theme` set last."""
    app = QApplication.instance()
    name = app.property("theme") if app else None
    return THEMES.get(str(name), DARK)


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Give the whole application a theme, which takes a moment where it has another one."""
    if app.property("theme") == theme.name:
        return
    app.setProperty("theme", theme.name)
    app.setStyle("Fusion")  # the one style that takes a style sheet alike on all systems
    font = QFont()
    font.setFamilies(FONT_FAMILIES)
    font.setPixelSize(13)
    app.setFont(font)
    palette = QPalette()
    for role, color in {
        QPalette.ColorRole.Window: theme.background,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.panel,
        QPalette.ColorRole.AlternateBase: theme.raised,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.Button: theme.raised,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.Highlight: theme.accent,
        QPalette.ColorRole.HighlightedText: theme.on_accent,
        QPalette.ColorRole.PlaceholderText: theme.muted,
        QPalette.ColorRole.ToolTipBase: theme.raised,
        QPalette.ColorRole.ToolTipText: theme.text,
    }.items():
        palette.setColor(role, QColor(color))
    app.setPalette(palette)
    app.setStyleSheet(_style_sheet(theme))
