"""The ledger as users work with it: ticks, hovering, the waterfall; on the bundled demo."""

from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from softcam_viewer.app import Viewer


def rows(viewer: Viewer) -> dict[str, object]:
    QApplication.processEvents()
    return viewer.window.ledger.rows


def number(row) -> float:
    return float(row.number.replace("−", "-"))


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.2, 0.6, 1.0])
def test_the_column_adds_up_as_it_is_shown(demo, threshold):
    demo.session.panes.active.set_overlay(threshold=threshold)
    shown = {title: number(row) for title, row in rows(demo).items()}
    total = shown.pop("Sum")
    assert sum(shown.values()) == pytest.approx(total, abs=1e-9)
    explanation = demo.session.panes.active.explanation
    assert total == pytest.approx(explanation.logits[1] - explanation.logits[0], abs=0.005)


def test_unticking_a_region_tells_the_probability_without_it_and_does_not_run_the_network(demo, qtbot, settle, texts):
    row = rows(demo)["R1"]
    explanation = demo.session.panes.active.explanation
    contribution = row.line.contribution
    ran = []
    handle = demo.session.model.network.register_forward_hook(lambda *_: ran.append(1))
    qtbot.mouseClick(row.box, Qt.MouseButton.LeftButton, pos=QPoint(8, row.box.height() // 2))
    settle()
    handle.remove()
    assert not ran
    log_odds = float(explanation.logits[1] - explanation.logits[0]) - contribution
    expected = 1 / (1 + np.exp(-log_odds))
    assert demo.session.weighing.outcome.probabilities[1] == pytest.approx(expected, abs=1e-6)
    assert "Without R1: opacity" in texts(demo.window.ledger)
    assert "exact, network not run" in texts(demo.window.ledger)
    qtbot.mouseClick(demo.window.ledger.restore, Qt.MouseButton.LeftButton)
    assert demo.session.weighing.outcome is None
    assert "Without" not in texts(demo.window.ledger)


def test_hovering_and_clicking_a_region_tell_where_it_is(demo, qtbot):
    told = {"highlighted": [], "zoom": []}
    demo.window.ledger.highlighted.connect(told["highlighted"].append)
    demo.window.ledger.zoom_wanted.connect(told["zoom"].append)
    row = rows(demo)["R1"]
    qtbot.mouseMove(row, QPoint(60, 10))
    QApplication.processEvents()
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton, pos=QPoint(60, 10))
    assert told["zoom"] == [row.line.box]
    top, left, bottom, right = row.line.box
    height, width = demo.session.film.image.size
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width
    assert "R1" in rows(demo)
    qtbot.mouseClick(rows(demo)["Sum"], Qt.MouseButton.LeftButton, pos=QPoint(60, 10))
    assert len(told["zoom"]) == 1  # it is no place


def test_the_waterfall_begins_with_the_offset_and_ends_with_the_sum(demo, qtbot):
    qtbot.mouseClick(demo.window.ledger.as_waterfall, Qt.MouseButton.LeftButton)
    waterfall = demo.window.ledger._waterfall
    assert waterfall.isVisible()
    spans = waterfall.spans()
    total = demo.session.weighing.ledger.total
    assert spans[0][0] == 0
    assert spans[-2][1] == pytest.approx(total)
    assert spans[-1] == pytest.approx((0, total))
    assert all(end == start for (_, end), (start, _) in pairwise(spans[:-1]))
    assert waterfall.line_at(4).title == "Offset"


def test_a_shape_is_a_line_that_counts_again_when_it_is_ticked(demo, qtbot, texts):
    demo.session.weighing.add_shape([(100, 200), (100, 320), (300, 320), (300, 200)])
    row = rows(demo)["L1"]
    assert not row.box.isChecked()
    assert "Without L1" in texts(demo.window.ledger)
    qtbot.mouseClick(row.box, Qt.MouseButton.LeftButton, pos=QPoint(8, row.box.height() // 2))
    assert "L1" not in rows(demo)
    assert demo.session.weighing.shapes == ()


def test_hiding_the_row_that_has_the_focus_leaves_the_active_pane_active(demo, qtbot, settle):
    demo.session.panes.set_layout("1x2")
    settle()
    box = rows(demo)["R1"].box
    box.setFocus()
    assert box.hasFocus()
    demo.window.commands["show_waterfall"].trigger()
    QApplication.processEvents()
    assert demo.session.panes.active_index == 0
    assert demo.window.ledger.as_waterfall.hasFocus()
