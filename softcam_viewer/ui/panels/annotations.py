"""Annotations: what is said about the evidence in view, by whom, and about the case as a whole."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from softcam_core.annotations.annotation import VERDICTS, Annotation, Verdict
from softcam_viewer.model.annotation_facts import AnnotationFacts, facts_of
from softcam_viewer.model.session import Session
from softcam_viewer.ui.panels.annotation_form import AnnotationForm
from softcam_viewer.ui.panels.annotation_list import AnnotationListModel, AnnotationView
from softcam_viewer.ui.panels.case_review import CaseReview
from softcam_viewer.ui.panels.saving_banner import ReviewerQuestion, SavingBanner
from softcam_viewer.ui.panels.section import Section
from softcam_viewer.ui.verdict_marks import SHORT, verdict_icon

EMPTY = "No annotations yet. Press F over evidence that is wrong, or draw."


class AnnotationsPanel(Section):
    """List of annotations with a form for the one that is chosen, and the review of the case.

    Parameters
    ----------
    session : Session
    """

    jump_wanted = Signal(object)  # where an annotation is on the image: top, left, bottom, right
    copy_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Annotations", parent)
        self._session, self._annotating = session, session.annotating
        self.banner, self.question = SavingBanner(self._annotating), ReviewerQuestion(self._annotating)
        self.review = CaseReview(session)
        self._model = AnnotationListModel(self._facts_of, self)
        self.list, self.form = AnnotationView(self._model), AnnotationForm(session)
        self._empty = QLabel(EMPTY)
        self._empty.setObjectName("muted")
        self._empty.setWordWrap(True)
        self.verdicts: dict[Verdict, QToolButton] = {}
        self.mine = QToolButton()
        self.mine.setObjectName("small")
        self.mine.setCheckable(True)
        self.mine.setText("Mine only")
        self.mine.setToolTip("Leave out what other reviewers said")
        notices, said = (self.banner, self.question), (self._empty, self.list, self.form)
        for widget in (*notices, self.review, self._make_verdicts(), *said):
            self.content.addWidget(widget)
        self.content.addWidget(self.mine, 0, Qt.AlignmentFlag.AlignLeft)

        self.mine.toggled.connect(self.refresh)
        self.banner.copy_wanted.connect(self.copy_wanted)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self.list.jump_wanted.connect(self._jump)
        self.list.removal_wanted.connect(self._annotating.remove)
        self.form.jump_wanted.connect(self._jump)
        self._annotating.changed.connect(self.refresh)
        self._annotating.saved_changed.connect(self._tell_saved)
        session.weighing.changed.connect(self._model.refresh)
        session.model_changed.connect(self.refresh)
        session.cases.case_changed.connect(self._on_case_changed)
        self.refresh()

    def _make_verdicts(self) -> QWidget:
        """What drawing and pointing say: all four verdicts, each with its mark."""
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for name, title in SHORT.items():
            button = QToolButton()
            button.setObjectName("small")
            button.setText(title)
            button.setIconSize(QSize(12, 12))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setStyleSheet("QToolButton { padding: 3px 2px; }")
            button.setToolTip(f"What is drawn or pointed at with a tool is said to be: {VERDICTS[name].lower()}")
            button.setAccessibleName(f"Tools say: {VERDICTS[name].lower()}")
            button.clicked.connect(lambda _checked=False, name=name: self._annotating.set_verdict(name))
            row.addWidget(button)
            self.verdicts[name] = button
        self._color_verdicts()
        return line

    def _color_verdicts(self) -> None:
        for name, button in self.verdicts.items():
            button.setIcon(verdict_icon(name))

    def _facts_of(self, annotation: Annotation) -> AnnotationFacts:
        # An annotation is of the case in view; a pane that keeps another case tells nothing of it.
        is_of_case = self._session.weighing.pane.film is self._session.film
        return facts_of(annotation, self._session.weighing) if is_of_case else AnnotationFacts()

    # What is there

    def refresh(self) -> None:
        """Show what is said."""
        annotating = self._annotating
        self.setVisible(self._session.film.image is not None)
        every = annotating.annotations
        others = [a for a in every if a.reviewer != annotating.reviewer]
        self.mine.setVisible(bool(others))
        shown = [a for a in every if not (self.mine.isChecked() and a in others)]
        self._model.show_annotations(shown)
        row = self._model.row_of(annotating.selected)
        with QSignalBlocker(self.list.selectionModel()):
            if row is None:
                self.list.setCurrentIndex(QModelIndex())
                self.list.clearSelection()
            else:
                self.list.setCurrentIndex(self._model.index(row))
        self.list.viewport().update()
        self.list.setVisible(bool(shown))
        hidden = f"{len(others)} of other reviewers {'is' if len(others) == 1 else 'are'} hidden." if others else ""
        more = f" {annotating.elsewhere} on other frames." if annotating.elsewhere else ""
        self._empty.setText((hidden or EMPTY) + more)
        self._empty.setVisible(not shown)
        self.form.show_annotation(annotating.get(annotating.selected) if row is not None else None)
        self.review.refresh()
        for name, button in self.verdicts.items():
            button.setChecked(name == annotating.verdict)
        self._tell_saved()

    def _tell_saved(self) -> None:
        annotating, count = self._annotating, len(self._annotating.annotations)
        state = (
            "not saved" if annotating.unsaved and annotating.problem else "saving…" if annotating.unsaved else "saved"
        )
        self.remark.setText(f"{count}  ·  {state}" if count or annotating.unsaved else "")

    def _on_case_changed(self, row: int, fields: frozenset[str]) -> None:
        if row == self._session.row and "reviewed" in fields:
            self.review.refresh()

    # What the user asks for

    def write_comment(self) -> None:
        """Let the user type a remark on the annotation that is chosen."""
        if not self.form.isHidden():
            self.form.comment.setFocus()
            self.form.comment.selectAll()

    def _on_current_changed(self, index: QModelIndex) -> None:
        annotation = index.data(AnnotationListModel.ANNOTATION_ROLE)
        if annotation is not None:
            self._annotating.select(annotation.id)

    def _jump(self, id: str) -> None:
        annotation = self._annotating.get(id)
        if annotation is not None:
            self.jump_wanted.emit(annotation.shape.bounds)

    def changeEvent(self, event: QEvent) -> None:
        """Qt: take over another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._color_verdicts()
