"""The figures beside the panes, on real networks, with mouse and keyboard."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QVBoxLayout, QWidget

from softcam_core.evaluation.one_image import curves_of, shown_map
from softcam_core.notice import NOTICE
from softcam_viewer.jobs.lanes import Lanes
from softcam_viewer.model import figures_backend
from softcam_viewer.model.figure_columns import COLUMNS, NOTHING, WAITING
from softcam_viewer.model.figures import Figures
from softcam_viewer.model.session import Session
from softcam_viewer.ui.panels.curves_plot import CurvesPlot
from softcam_viewer.ui.panels.figures import FiguresDialog, FiguresPanel
from softcam_viewer.ui.theme import DARK, LIGHT, apply_theme

METHODS = ("evidence", "gradcam", "layercam", "gradxinput")
NARROW = 280


class Host:
    """A session, and the panel in a window as narrow as the column beside the panes."""

    def __init__(self, session: Session, lanes: Lanes, qtbot) -> None:
        self.session, self.lanes, self.qtbot = session, lanes, qtbot
        self.figures = Figures(session, session._lanes.quick, session._lanes.slow, session)
        self.panel = FiguresPanel(self.figures)
        self.window = QWidget()
        column = QVBoxLayout(self.window)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.panel)
        column.addStretch()
        self.window.resize(NARROW, 700)

    def settle(self) -> None:
        """Wait until nothing is computed any more, and what was is shown."""
        for _ in range(2):
            self.qtbot.waitUntil(lambda: all(lane.is_idle for lane in self.lanes), timeout=60_000)
            QApplication.processEvents()

    def click(self, widget) -> None:
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)

    def row(self, name: str) -> list[str]:
        """A figure of all panes as it is shown."""
        model = self.panel.table.model()
        place = [column.name for column in COLUMNS].index(name)
        return [model.index(place, pane).data() for pane in range(model.columnCount())]

    def places(self) -> list[tuple[int, int, int, int]]:
        """Where the parts of the panel are."""
        parts = [self.panel.table, self.panel.controls, self.panel.open_table, *self.panel.findChildren(CurvesPlot)]
        return [(p.mapTo(self.panel, QPoint()).x(), p.mapTo(self.panel, QPoint()).y(), p.width(), p.height())
                for p in parts]  # fmt: skip


@pytest.fixture
def empty(qtbot, session, lanes) -> Iterator[Host]:
    host = Host(session, lanes, qtbot)
    host.window.show()
    qtbot.waitExposed(host.window)
    yield host
    host.window.close()
    host.figures.stop()
    host.window.deleteLater()


@pytest.fixture
def host(empty, three_class_file, folder) -> Host:
    """Four methods on the first film, which has a box."""
    empty.session.open_model(three_class_file)
    empty.session.open_paths([folder / "case_0.png"])
    empty.settle()
    empty.session.cases.update_case(0, boxes=((20.0, 30.0, 40.0, 30.0),))
    empty.session.panes.set_layout("2x2")
    for pane, method in zip(empty.session.panes.shown, METHODS, strict=True):
        pane.set_method(method)
    empty.settle()
    return empty


def test_without_a_model_the_panel_says_what_to_do(empty, texts):
    assert "Open an image and a model" in texts(empty.panel)
    assert not empty.panel.table.isVisible()


def test_a_click_computes_the_curves_that_the_core_computes(host):
    assert host.row("deletion") == [NOTHING] * 4
    assert set(host.row("pointing_game")) <= {"hit", "miss"}
    host.click(host.panel.controls.button)
    host.settle()
    panes = host.session.panes
    maps = {str(n): shown_map(pane.explanation, *pane.aim) for n, pane in enumerate(panes.shown)}
    model, image = panes.active.model.network, host.session.film.image
    expected = curves_of(model, image, maps, panes.active.aim[0])
    for name in ("deletion", "insertion"):
        assert host.row(name) == [f"{expected[str(n)][name].area:.2f}" for n in range(4)]
        curve = host.figures.rows[2].curves[name].values
        np.testing.assert_allclose(curve, expected["2"][name].values, atol=1e-6)
    assert not host.panel.controls.button.isEnabled()  # there is nothing left to compute


def test_curves_are_stopped_by_the_button_that_started_them(host, monkeypatch):
    entered = threading.Event()

    def endless(model, image, maps, of, on_progress, should_stop):
        entered.set()
        while not should_stop():
            on_progress(0.4)
            threading.Event().wait(0.01)

    monkeypatch.setattr(figures_backend, "removal", endless)
    before = host.places()
    host.click(host.panel.controls.button)
    host.qtbot.waitUntil(lambda: host.panel.controls.progress.value() == 400, timeout=10_000)
    assert entered.is_set()
    QApplication.processEvents()
    assert host.panel.controls.button.text() == "Cancel"
    assert host.row("insertion") == [WAITING] * 4
    assert host.places() == before  # nothing jumps
    host.click(host.panel.controls.button)
    host.settle()
    assert host.panel.controls.button.text() == "Compute curves"
    assert host.row("insertion") == [NOTHING] * 4
    assert host.places() == before


def test_nothing_moves_when_curves_are_there(host):
    before = host.places()
    host.click(host.panel.controls.button)
    host.settle()
    assert host.places() == before


def test_always_computes_them_for_the_next_case_too(host, folder):
    host.panel.controls.automatic.setFocus()
    host.qtbot.keyClick(host.panel.controls.automatic, Qt.Key.Key_Space)
    host.settle()
    assert NOTHING not in host.row("deletion")
    host.session.open_paths([folder / "case_1.png"])
    host.settle()
    host.settle()
    assert NOTHING not in host.row("deletion")
    assert host.row("relevance_mass") == [NOTHING] * 4  # this one has no box


def test_all_numbers_fit_a_column_of_280_pixels(host):
    host.click(host.panel.controls.button)
    host.settle()
    table = host.panel.table
    assert host.panel.width() == NARROW
    assert table.verticalHeader().width() + sum(table.columnWidth(c) for c in range(4)) <= table.width()
    metrics = table.fontMetrics()
    for text in ("100 %", "−0.56", *(text for column in COLUMNS for text in host.row(column.name))):
        assert metrics.horizontalAdvance(text) + 4 <= min(table.columnWidth(c) for c in range(4)), text
    names = table.verticalHeader()
    for section, column in enumerate(COLUMNS):
        assert names.fontMetrics().horizontalAdvance(column.title) <= names.width(), section


def test_cells_and_names_explain_themselves(host):
    model = host.panel.table.model()
    tip = model.headerData(0, Qt.Orientation.Vertical, Qt.ItemDataRole.ToolTipRole)
    assert "Petsiuk" in tip
    assert "Lower is better" in tip
    assert "Compute curves" in model.index(0, 1).data(Qt.ItemDataRole.ToolTipRole)
    said = model.index(2, 1).data(Qt.ItemDataRole.AccessibleTextRole)
    assert said.startswith("Sparsity (Gini), pane 2, Grad-CAM: 0.")
    assert model.index(6, 0).data(Qt.ItemDataRole.AccessibleTextRole).startswith("Like pane 1, pane 1, ")
    assert host.panel.table.accessibleName()
    assert all(plot.accessibleDescription() for plot in host.panel.findChildren(CurvesPlot))


def test_the_table_is_walked_and_copied_with_the_keyboard(host):
    table = host.panel.table
    host.window.activateWindow()
    table.setFocus()
    table.setCurrentIndex(table.model().index(0, 0))
    host.qtbot.keyClick(table, Qt.Key.Key_Down)
    host.qtbot.keyClick(table, Qt.Key.Key_Right)
    assert (table.currentIndex().row(), table.currentIndex().column()) == (1, 1)
    QApplication.clipboard().clear()
    host.qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text() == host.figures.text()
    host.qtbot.keyClick(table, Qt.Key.Key_Tab)
    assert not table.hasFocus()


def test_the_wide_table_opens_once_saves_and_goes(host, monkeypatch, tmp_path):
    host.click(host.panel.controls.button)
    host.settle()
    host.click(host.panel.open_table)
    dialog = host.panel.open_dialog()
    assert len(host.panel.findChildren(FiguresDialog)) == 1
    model = dialog.table.model()
    assert (model.rowCount(), model.columnCount()) == (4, len(COLUMNS))
    assert model.headerData(1, Qt.Orientation.Vertical) == "2  Grad-CAM"
    target = tmp_path / "figures.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    host.click(dialog.save_button)
    host.settle()
    lines = target.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    assert all(line.endswith(NOTICE) for line in lines[1:])
    host.click(dialog.close_button)
    host.qtbot.waitUntil(lambda: not host.panel.findChildren(FiguresDialog))


def test_a_hidden_panel_computes_nothing(host):
    host.panel.hide()
    host.session.panes.shown[1].set_method("hirescam")
    host.settle()
    assert host.figures.rows[1].cells["gini"].is_waiting
    host.panel.show()
    host.settle()
    assert host.figures.rows[1].cells["gini"].value is not None


def test_fewer_panes_leave_fewer_columns_and_lines(host, texts):
    host.session.panes.set_layout("1x1")
    host.settle()
    assert host.panel.table.model().columnCount() == 1
    shown = texts(host.panel).splitlines()
    assert "1  SoftCAM evidence" in shown
    assert not any(text.startswith("2  ") for text in shown)


def test_another_theme_reaches_the_table(host, pixels):
    dark = pixels(host.panel.table)
    apply_theme(QApplication.instance(), LIGHT)
    QApplication.processEvents()
    try:
        assert LIGHT.line in host.panel.table.styleSheet()
        assert not np.array_equal(dark, pixels(host.panel.table))
    finally:
        apply_theme(QApplication.instance(), DARK)


def test_the_plot_tells_the_probabilities_under_the_mouse(qtbot):
    plot = CurvesPlot("Deletion")
    qtbot.addWidget(plot)
    plot.resize(130, 112)
    plot.show_curves({}, "Not computed")
    assert plot.step_at(60) is None
    assert plot.accessibleDescription() == "Not computed"
    plot.show_curves({1: np.array([0.9, 0.5, 0.1]), 3: np.array([0.8, 0.8])}, "")
    area = plot.area
    assert [plot.step_at(x) for x in (area.left(), area.center().x(), area.right(), 0)] == [0, 1, 2, None]
    assert plot.reading(1) == "1 block\npane 1: 0.50\npane 3: 0.80"
    assert plot.reading(2) == "2 blocks\npane 1: 0.10"


def test_lines_of_panes_differ_by_dashes_as_well_as_by_colour(qtbot, pixels):
    plot = CurvesPlot("Deletion")
    qtbot.addWidget(plot)
    plot.resize(400, 200)

    def drawn(number: int) -> np.ndarray:
        plot.show_curves({number: np.full(5, 0.75)}, "")
        at = QPointF(0, plot.area.bottom() - 0.75 * plot.area.height()).toPoint().y()
        line = pixels(plot)[at, int(plot.area.left()) + 2 : int(plot.area.right()) - 2]
        return np.abs(line - line[0]).sum(1) > 60  # where it is unlike its beginning

    patterns = [drawn(number) for number in (1, 2, 3, 4)]
    assert not patterns[0].any()
    assert len({pattern.tobytes() for pattern in patterns}) == 4
