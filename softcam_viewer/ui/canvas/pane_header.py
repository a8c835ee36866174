"""Above a pane's image: what it shows, how the map came about, and how far the next one is."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QApplication,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QSpacerItem,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.model.facts import Remark, facts, remark
from softcam_viewer.model.methods import name_of
from softcam_viewer.model.pane import PaneState
from softcam_viewer.model.session import Session
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.icons import IconButton
from softcam_viewer.ui.selectors import Selector, class_lines, method_lines

# What takes less shows no progress: it would only flicker.
PATIENCE_MS = 200
LINE_HEIGHT = 22
WIDEST = 280
WIDEST_NAME = 150


class PaneHeader(QWidget):
    """Selectors of method, class and model over one line of facts or progress.

    Parameters
    ----------
    session : Session
    pane : PaneState
    """

    options_wanted = Signal()
    dragged = Signal(QPoint)  # by its background, to a position on the screen
    dropped = Signal(QPoint)

    def __init__(self, session: Session, pane: PaneState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("paneHeader")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session, self._pane = session, pane
        self.method, self.target, self.model = (Selector(name, self) for name in ("Method", "Class", "Model"))
        self.options = IconButton("options", self)
        self.options.setAccessibleName("Options of the method")
        self._facts, self._remark = ElidedLabel("muted"), ElidedLabel("muted")
        self.state_label = QLabel()
        self._said: tuple[str, Remark] | None = None
        self._pressed: QPoint | None = None
        self._is_dragging = False
        self.bar, self._share = QProgressBar(), QLabel()
        self.cancel = QToolButton()
        self._selectors, self._line = QGridLayout(), QStackedLayout()
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._build()

        self.method.activated.connect(self._on_method)
        self.target.activated.connect(self._on_target)
        self.model.activated.connect(self._on_model)
        self.options.clicked.connect(self.options_wanted)
        self.cancel.clicked.connect(lambda: session.panes.cancel(pane))
        self._patience.timeout.connect(self._show_line)
        for signal in (pane.chosen, session.panes.methods_changed, session.model_changed, session.compared_changed):
            signal.connect(self.refresh)
        for signal in (session.panes.layout_changed, session.panes.active_changed, pane.film_changed, pane.chosen):
            signal.connect(self._show_state)
        pane.explained.connect(self.refresh)
        pane.overlay_changed.connect(self._show_facts)
        pane.progressed.connect(self._on_progressed)
        self.refresh()
        self._show_state()
        self._on_progressed()

    @property
    def title(self) -> str:
        """Which pane it is, for people."""
        return f"pane {self._session.panes.number_of(self._pane)} · {self.method.currentText()}"

    def _build(self) -> None:
        # With several models the class has a line of its own, or no name would fit.
        self._selectors.setHorizontalSpacing(6)
        self._selectors.setVerticalSpacing(4)
        self._selectors.addWidget(self.method, 0, 0)
        self._selectors.addWidget(self.model, 0, 1)
        self._selectors.addWidget(self.options, 0, 2)
        # Takes what the selectors, at their widest, leave.
        self._selectors.addItem(QSpacerItem(0, 0, QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum), 0, 3)
        for selector in (self.method, self.model):
            selector.setMaximumWidth(WIDEST)

        texts, working = QWidget(), QWidget()
        line = QHBoxLayout(texts)
        line.setContentsMargins(2, 0, 0, 0)
        line.setSpacing(12)
        self._facts.setMinimumWidth(90)
        self._remark.setMinimumWidth(60)
        self.state_label.setObjectName("accent")
        line.addWidget(self.state_label)
        line.addWidget(self._facts)
        line.addWidget(self._remark)
        self._texts = line
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName("Progress")
        self._share.setObjectName("muted")
        self._share.setMinimumWidth(36)
        self._share.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.cancel.setObjectName("small")
        self.cancel.setText("Cancel")
        progress = QHBoxLayout(working)
        progress.setContentsMargins(2, 0, 0, 0)
        progress.setSpacing(10)
        progress.addWidget(self.bar, 1)
        progress.addWidget(self._share)
        progress.addWidget(self.cancel)
        lines = QWidget()
        lines.setFixedHeight(LINE_HEIGHT)
        lines.setLayout(self._line)
        self._line.setContentsMargins(0, 0, 0, 0)
        for page in (texts, working):
            self._line.addWidget(page)

        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 6)
        column.setSpacing(4)
        column.addLayout(self._selectors)
        column.addWidget(lines)
        for before, after in pairwise((self.method, self.target, self.model, self.options)):
            self.setTabOrder(before, after)

    # What is chosen

    def refresh(self) -> None:
        """Show what is chosen, and what there is to choose from."""
        session, pane = self._session, self._pane
        methods, model, name = session.panes.methods, pane.model, name_of(pane.method)
        self.method.fill(method_lines(methods.values(), model.refusals) if model else [], name)
        if model is None:
            self.target.fill([], None)
        else:
            card = model.card
            self.target.fill(class_lines(card.class_names, card.task, pane.aim), pane.aim)
        self.model.fill(
            [
                (m.card.name, m, "black box" if m.is_black_box else "SoftCAM", f"{m.card.name}\n{m.path}", False)
                for m in session.models
            ],
            model,
        )
        has_models = len(session.models) > 1
        self.model.setVisible(has_models)
        self.target.setMaximumWidth(WIDEST * (2 if has_models else 1))
        self._selectors.removeWidget(self.target)
        self._selectors.addWidget(self.target, int(has_models), int(not has_models), 1, 2 if has_models else 1)
        for place, selector in enumerate((self.method, self.model if has_models else self.target)):
            self._selectors.setColumnStretch(place, selector.sizeHint().width())  # the longer name has more of the room
        self.options.setEnabled(name in methods and bool(methods[name].options))
        self.options.mark(is_marked=pane.method != name)
        changed = pane.method.partition(":")[2].replace(",", ", ")
        self.options.setToolTip(f"Options of the method: {changed}" if changed else "Options of the method")
        self._show_facts()

    def _on_method(self) -> None:
        if self.method.value is None:
            self.refresh()  # a heading
        elif self.method.value != name_of(self._pane.method):
            self._pane.set_method(str(self.method.value))

    def _on_target(self) -> None:
        if self.target.value is not None:
            of, against = self.target.value
            self._pane.set_overlay(target=of, against=against)

    def _on_model(self) -> None:
        self._pane.set_model(self.model.value)

    # What came of it

    def _show_facts(self) -> None:
        pane, found = self._pane, remark(self._pane)
        said = facts(pane, self._session.panes.methods.get(name_of(pane.method))), found
        if said == self._said:
            return  # a threshold changes nothing here, and should not wait for a new layout
        self._said = said
        self._facts.setText(said[0])
        name = "warning" if found.kind == "warning" else "muted"
        if self._remark.objectName() != name:
            self._remark.setObjectName(name)
            self._remark.style().polish(self._remark)
        # A warning takes the room that it needs, a note what the facts leave.
        needs = QSizePolicy.Policy.Maximum
        takes = QSizePolicy.Policy.Ignored
        labels = self._facts, self._remark
        first, second = labels if found.kind == "note" and found.text else reversed(labels)
        for label, policy, stretch in ((first, needs, 0), (second, takes, 1)):
            label.setSizePolicy(policy, QSizePolicy.Policy.Fixed)
            self._texts.setStretchFactor(label, stretch)
        mark = {"warning": "▲ ", "note": "● "}[found.kind]
        self._remark.setText(f"{mark}{found.text}" if found.text else "")
        self._remark.setVisible(bool(found.text))

    def _show_state(self) -> None:
        """Say what it stands for and what is out of the ordinary: a case of its own, or that it takes turns."""
        panes, pane = self._session.panes, self._pane
        parts = [pane.caption] if pane.caption else []
        if panes.is_blinking and pane is panes.active:
            parts.append(f"◐ Blinking: pane {panes.number_of(pane)}")
        if panes.is_pinned(pane):
            name = pane.film.image.source.name if pane.film.image is not None else "no case"
            parts.append("◆ Pinned: " + self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, WIDEST_NAME))
            self.state_label.setToolTip(f"This pane keeps {name} while the others follow the worklist.")
        else:
            self.state_label.setToolTip("")
        self.state_label.setText("   ".join(parts))
        self.state_label.setVisible(bool(parts))

    def _on_progressed(self) -> None:
        progress = self._pane.progress
        if progress is None:
            self._patience.stop()
            self._line.setCurrentIndex(0)
            return
        self.bar.setValue(round(progress * self.bar.maximum()))
        self._share.setText(f"{progress:.0%}".replace("%", " %"))
        if self._line.currentIndex() == 0 and not self._patience.isActive():
            self._patience.start()

    def _show_line(self) -> None:
        self._line.setCurrentIndex(int(self._pane.progress is not None))

    # Qt events: dragged by whatever of it is no control

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: a drag may begin."""
        if event.button() == Qt.MouseButton.LeftButton and len(self._session.panes.visible) > 1:
            self._pressed = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: drag."""
        if self._pressed is None:
            return
        far = (event.position().toPoint() - self._pressed).manhattanLength() >= QApplication.startDragDistance()
        if far and not self._is_dragging:
            self._is_dragging = True
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        if self._is_dragging:
            self.dragged.emit(event.globalPosition().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt: drop."""
        was_dragging, self._pressed, self._is_dragging = self._is_dragging, None, False
        if was_dragging:
            self.unsetCursor()
            self.dropped.emit(event.globalPosition().toPoint())
