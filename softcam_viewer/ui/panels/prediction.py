"""The prediction: probability of each class, and the logit as what it is, the mean of the map."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from softcam_viewer.model.pane import PaneState
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.color_bar import signed_number
from softcam_viewer.ui.panels.section import Section
from softcam_viewer.ui.tab_order import insert_before
from softcam_viewer.ui.theme import current_theme

BAR_TOP, BAR_HEIGHT = 23, 29
FEW = 4
"""So many classes have room between them; more stand closer, so that the panels below them are in sight."""
STEPS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}


class ClassBar(QWidget):
    """Name, probability and a bar; a click shows the class, and so do the arrow keys from the one before or after."""

    clicked = Signal(int)
    stepped = Signal(int)  # to which class

    def __init__(self, index: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._index = index
        self._name, self._probability, self._role, self._strong = "", 0.0, "accent", False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_class(self, name: str, probability: float, logit: float, *, role: str, strong: bool) -> None:
        """Show a class; its role is the name of a colour of the theme."""
        self._name, self._probability, self._role, self._strong = name, probability, role, strong
        text = f"{name}: probability {percent(probability)}, logit {signed_number(logit, 3)}"
        self.setToolTip(text)
        self.setAccessibleName(text)
        self.update()

    def sizeHint(self) -> QSize:
        """Qt: one line and a bar."""
        return QSize(120, BAR_HEIGHT)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: choose the class."""
        self.clicked.emit(self._index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: the arrow keys choose the next class."""
        step = STEPS.get(Qt.Key(event.key()))
        if step is None:
            event.ignore()
        else:
            self.stepped.emit(self._index + step)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = current_theme()
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold if self._strong else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(theme.text))
        line = QRectF(0, 0, self.width(), 20)
        number = percent(self._probability)
        room = self.width() - painter.fontMetrics().horizontalAdvance(number) - 12
        name = painter.fontMetrics().elidedText(self._name, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, number)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.line))
        painter.drawRoundedRect(QRectF(0, BAR_TOP, self.width(), 4), 2, 2)
        painter.setBrush(QColor(getattr(theme, self._role)))
        painter.drawRoundedRect(QRectF(0, BAR_TOP, max(4.0, self.width() * self._probability), 4), 2, 2)
        if self.hasFocus():
            painter.setPen(QColor(theme.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)


class PredictionPanel(Section):
    """Class bars."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Prediction", parent)
        self._session = session
        self._empty = QLabel()
        self._empty.setObjectName("muted")
        self._empty.setWordWrap(True)
        self.content.addWidget(self._empty)
        self._bars: list[ClassBar] = []
        self._rows = QVBoxLayout()
        self.content.addLayout(self._rows)
        panes = session.panes
        for signal in (session.model_changed, session.film.image_changed, session.busy_changed):
            signal.connect(self.refresh)
        for signal in (panes.explanation_changed, panes.overlay_changed, panes.predicted, panes.layout_changed):
            signal.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the active pane's model says of the case."""
        session, pane = self._session, self._session.panes.active
        explanation = session.panes.prediction_of(pane)
        self._empty.setVisible(explanation is None)
        if explanation is None:
            self._empty.setText(
                "No model is open. File → Open model… takes a SoftCAM or a file of weights."
                if session.model is None
                else session.busy or self._without_prediction(pane)
            )
        names = explanation.class_names if explanation else ()
        while len(self._bars) > len(names):
            bar = self._bars.pop()
            bar.hide()  # it is deleted when Qt comes to it
            bar.deleteLater()
        while len(self._bars) < len(names):
            bar = ClassBar(len(self._bars))
            bar.clicked.connect(self._on_class_clicked)
            bar.stepped.connect(self._on_class_stepped)
            self._bars.append(bar)
            self._rows.addWidget(bar)
            bar.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            insert_before(self, [bar])
        self._rows.setSpacing(10 if len(names) <= FEW else 4)
        if explanation is None:
            self.remark.setText("")
            return
        kind = "softmax" if explanation.card.task == "single_label" else "each class by itself"
        is_compared = pane.model is not None and pane.model is not session.model
        self.remark.setText(explanation.card.name if is_compared else kind)
        shown = pane.overlay
        roles: dict[object, str] = {shown.target: "evidence_for", shown.against: "evidence_against"}
        for index, bar in enumerate(self._bars):
            bar.show_class(
                names[index],
                float(explanation.probabilities[index]),
                float(explanation.logits[index]),
                role=roles.get(index, "muted"),
                strong=index == explanation.predicted,
            )
            # One stop for the Tab key, at the class shown, as in a group of radio buttons.
            bar.setFocusPolicy(Qt.FocusPolicy.TabFocus if index == shown.target else Qt.FocusPolicy.NoFocus)

    def _without_prediction(self, pane: PaneState) -> str:
        session = self._session
        if 0 <= session.row < len(session.cases) and session.cases[session.row].error:
            return "Nothing to predict: this case cannot be read."
        if pane.error and session.cases[session.row].refusal:
            return "The model takes no such image: see the pane."
        if pane.progress is not None:
            return "Waiting for the model…"
        if pane.error or pane.is_stopped:
            return "Not known yet: the pane's method has said nothing of this model."
        return "Open an image to see what the model makes of it."

    def _on_class_stepped(self, index: int) -> None:
        if 0 <= index < len(self._bars):
            self._on_class_clicked(index)
            self._bars[index].setFocus()

    def _on_class_clicked(self, index: int) -> None:
        pane = self._session.panes.active
        settings = pane.overlay
        if index == settings.target:
            return
        against = settings.target if settings.against == index else settings.against
        pane.set_overlay(target=index, against=against)


def percent(probability: float) -> str:
    """Probability for people: never "100.0 %" or "0.0 %", which nothing is."""
    share = probability * 100
    if share >= 99.95:
        return "> 99.9 %"
    if share < 0.05:
        return "< 0.1 %"
    return f"{share:.1f} %"
