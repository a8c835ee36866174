"""The evidence ledger: regions and all the rest, which add up to the prediction; as a table or as a waterfall."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from softcam_core.annotations.annotation import Verdict
from softcam_viewer.model.facts import why_no_ledger
from softcam_viewer.model.ledger_lines import Line, ledger_lines, rounded
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.color_bar import decimals_for, signed_number
from softcam_viewer.ui.panels.ledger_row import COLUMNS, LEFT, SQUARE_MM, LedgerRow
from softcam_viewer.ui.panels.section import Section
from softcam_viewer.ui.panels.verdict_buttons import VerdictButtons
from softcam_viewer.ui.panels.waterfall import Waterfall
from softcam_viewer.ui.tab_order import insert_before


class LedgerPanel(Section):
    """What the logit is made of, exactly; ticks leave parts of it out."""

    highlighted = Signal(object)  # box of a place on the image (top, left, bottom, right), or None
    zoom_wanted = Signal(object)  # the same, never None

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Evidence ledger", parent)
        self._session, self._weighing = session, session.weighing
        self._rows: list[LedgerRow] = []
        self._chosen: Line | None = None  # of a region that verdicts are about
        self._ledger: object = None
        self._selected = ""
        self._lines = QVBoxLayout()
        self._lines.setSpacing(0)
        self._waterfall = Waterfall()
        self._why, self._outcome = QLabel(), QLabel()
        self._why.setObjectName("muted")
        self._outcome.setObjectName("accent")
        for label in (self._why, self._outcome):
            label.setWordWrap(True)
        self.restore, self.as_waterfall = QToolButton(), QToolButton()
        self.restore.setText("Count all")
        self.as_waterfall.setText("Waterfall")
        self.as_waterfall.setCheckable(True)
        buttons = QHBoxLayout()
        for button in (self.as_waterfall, self.restore):
            button.setObjectName("small")
            buttons.addWidget(button)
        buttons.addStretch()
        self._head = QWidget()
        head = QHBoxLayout(self._head)
        head.setContentsMargins(LEFT, 0, 0, 0)
        head.setSpacing(0)
        self._area, self._unit = QLabel(), QLabel()
        region = QLabel("Region")
        region.setObjectName("muted")
        head.addWidget(region, 1)
        for label, width in zip((self._area, QLabel("Peak"), QLabel("Share"), self._unit), COLUMNS, strict=True):
            label.setObjectName("muted")
            label.setFixedWidth(width)
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            head.addWidget(label)
        self.content.addWidget(self._head)
        self.content.addLayout(self._lines)
        self.content.addWidget(self._waterfall)
        self.content.addWidget(self._why)
        self.content.addWidget(self._outcome)
        self.content.addLayout(buttons)
        self.verdicts = VerdictButtons(session.annotating)
        self.content.addWidget(self.verdicts)

        self.restore.clicked.connect(self._weighing.count_all)
        self.as_waterfall.toggled.connect(self.refresh)
        self._waterfall.hovered.connect(self._on_hovered)
        self._waterfall.clicked.connect(self._on_clicked)
        self.verdicts.said.connect(self._on_verdict)
        session.annotating.changed.connect(self._on_annotations_changed)
        self._weighing.changed.connect(self.refresh)
        self.refresh()

    @property
    def rows(self) -> dict[str, LedgerRow]:
        """Rows of the table by their titles."""
        return {row.line.title: row for row in self._rows if row.line is not None}

    def refresh(self) -> None:
        """Show the ledger of the active pane's evidence, or why there is none."""
        weighing, explanation = self._weighing, self._weighing.pane.explanation
        ledger, overlay = weighing.ledger, weighing.overlay
        self.setVisible(explanation is not None)
        if ledger is not self._ledger:  # regions of other numbers, or none
            self._ledger, self._chosen = ledger, None
        has_ledger = ledger is not None and overlay is not None
        for widget in (self.as_waterfall, self.restore):
            widget.setVisible(has_ledger)
        self._why.setVisible(explanation is not None and not has_ledger)
        if ledger is None or overlay is None:
            self.remark.setText("")
            self._why.setText(why_no_ledger(explanation) if explanation is not None else "")
            self._show_rows([])
            for part in (self._waterfall, self._outcome, self._head):
                part.hide()
            return
        self.remark.setText(f"adds up to the {overlay.unit}")
        lines = ledger_lines(weighing)
        is_waterfall = self.as_waterfall.isChecked()
        self._show_rows([] if is_waterfall else lines)
        self._head.setVisible(not is_waterfall)
        self._area.setText("Area" + (SQUARE_MM if any(line.area.endswith(SQUARE_MM) for line in lines) else ""))
        self._unit.setText("Change" if overlay.scale_unit else overlay.unit.capitalize())
        self._waterfall.setVisible(is_waterfall)
        self._waterfall.show_lines(
            [line for line in lines if line.kind not in ("shape", "outcome")] if is_waterfall else []
        )
        self.restore.setEnabled(bool(weighing.names_left_out))
        self._outcome.setVisible(weighing.outcome is not None)
        self._outcome.setText(outcome_text(self._session))

    def _show_rows(self, lines: list[Line]) -> None:
        if any(row.box.hasFocus() for row in self._rows[len(lines) :]):
            self.as_waterfall.setFocus()  # or Qt gives it to a pane, which becomes the active one
        while len(self._rows) > len(lines):
            row = self._rows.pop()
            self._lines.removeWidget(row)
            row.hide()
            row.deleteLater()
        while len(self._rows) < len(lines):
            row = LedgerRow()
            row.hovered.connect(self._on_hovered)
            row.clicked.connect(self._on_clicked)
            row.ticked.connect(self._on_ticked)
            row.focused.connect(self._choose)
            self._rows.append(row)
            self._lines.addWidget(row)
            insert_before(self.as_waterfall, [row.box])
        # One number of decimals for the column, or nobody could add it up.
        decimals = decimals_for(max((abs(line.contribution) for line in lines), default=1.0), 3)
        largest = max((abs(line.contribution) for line in lines if line.kind not in ("sum", "outcome")), default=1.0)
        for row, line, shown in zip(self._rows, lines, rounded(lines, decimals), strict=True):
            row.show_line(line, signed_number(shown, decimals), largest=largest)
        self._show_chosen()

    def _on_hovered(self, line: Line | None) -> None:
        self.highlighted.emit(line.box if line else None)

    def _on_clicked(self, line: Line | None) -> None:
        if line is not None and line.box is not None:
            self._choose(line)
            self.zoom_wanted.emit(line.box)

    # Verdicts

    def _choose(self, line: Line | None) -> None:
        """Let verdicts be about a region; the annotation that was chosen is not any more."""
        if line is not None and line.kind == "region":
            self._chosen = line
            self._session.annotating.select("")
            self._show_chosen()

    def _show_chosen(self) -> None:
        number = self._chosen.number if self._chosen is not None else None
        for row in self._rows:
            row.set_chosen(number is not None and row.line is not None and row.line.number == number)
        self.verdicts.be_about("" if self._chosen is None else self._chosen.title)

    def _on_annotations_changed(self) -> None:
        before, self._selected = self._selected, self._session.annotating.selected
        if self._selected and self._selected != before:
            self._chosen = None
        self._show_chosen()

    def _on_verdict(self, verdict: Verdict) -> None:
        annotating = self._session.annotating
        if self._chosen is not None and self._chosen.number is not None:
            annotating.flag_region(self._chosen.number, verdict)
        elif annotating.selected:
            annotating.change(annotating.selected, verdict=verdict)

    def _on_ticked(self, line: Line, is_counted: bool) -> None:
        if line.kind == "shape":
            self._weighing.remove_shape(line.title)
        elif line.number is not None:
            self._weighing.set_counted(line.number, counted=is_counted)


def outcome_text(session: Session) -> str:
    """What the prediction is without what is left out, a sentence; empty where all of it counts."""
    weighing, explanation = session.weighing, session.weighing.pane.explanation
    outcome, overlay = weighing.outcome, weighing.overlay
    if outcome is None or explanation is None or overlay is None:
        return ""
    from softcam_viewer.ui.panels.prediction import percent

    target = weighing.pane.overlay.target
    names = weighing.names_left_out
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    before, after = float(explanation.probabilities[target]), float(outcome.probabilities[target])
    name = explanation.class_names[target]
    what = f"the change in {listed}" if overlay.scale_unit else listed
    return f"Without {what}: {name} {percent(after)}, not {percent(before)} (exact, network not run)."
