"""What is said by the annotation that is chosen, to be changed in place."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from softcam_core.annotations.annotation import VERDICTS, Annotation
from softcam_viewer.model.annotating import Annotating
from softcam_viewer.model.session import Session
from softcam_viewer.ui.verdict_marks import SHORT, verdict_icon

CONFIDENCES: tuple[tuple[str, float | None], ...] = (
    ("Confidence not said", None),
    ("Low confidence", 0.33),
    ("Middle confidence", 0.67),
    ("High confidence", 1.0),
)
LONGEST_REMARK = 10_000


class AnnotationForm(QWidget):
    """Verdict, class, remark and confidence of an annotation; those of other reviewers are shown and not changed.

    Parameters
    ----------
    session : Session
    """

    jump_wanted = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._annotation: Annotation | None = None
        self.verdict, self.class_name, self.confidence = QComboBox(), QComboBox(), QComboBox()
        for verdict, words in SHORT.items():
            self.verdict.addItem(verdict_icon(verdict), words, verdict)
            self.verdict.setItemData(self.verdict.count() - 1, VERDICTS[verdict], Qt.ItemDataRole.ToolTipRole)
        for words, value in CONFIDENCES:
            self.confidence.addItem(words, value)
        self.comment = QLineEdit()
        self.comment.setMaxLength(LONGEST_REMARK)
        self.comment.setPlaceholderText("Remark: why?")
        self.show_button, self.delete_button = QPushButton("Show"), QPushButton("Delete")
        self.show_button.setToolTip("Bring the place into view (Enter or a double click on its line)")
        for box, name in ((self.verdict, "Verdict"), (self.class_name, "Class"), (self.confidence, "Confidence")):
            box.setAccessibleName(f"{name} of the annotation")
            box.setMinimumContentsLength(4)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.comment.setAccessibleName("Remark on the annotation")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for widgets in (
            (self.verdict, self.class_name),
            (self.comment,),
            (self.confidence, self.show_button, self.delete_button),
        ):
            row = QHBoxLayout()
            row.setSpacing(6)
            for widget in widgets:
                row.addWidget(widget, 0 if isinstance(widget, QPushButton) else 1)
            column.addLayout(row)
        self.verdict.activated.connect(lambda _: self._change(verdict=self.verdict.currentData()))
        self.class_name.activated.connect(lambda _: self._change_class())
        self.confidence.activated.connect(lambda _: self._change(confidence=self.confidence.currentData()))
        self.comment.editingFinished.connect(lambda: self._change(comment=self.comment.text().strip()))
        self.show_button.clicked.connect(lambda: self._tell_jump())
        self.delete_button.clicked.connect(lambda: self._remove())

    @property
    def _annotating(self) -> Annotating:
        return self._session.annotating

    def show_annotation(self, annotation: Annotation | None) -> None:
        """Show another annotation, or hide for none."""
        is_other = annotation is None or self._annotation is None or annotation.id != self._annotation.id
        if is_other and self._annotation is not None and self.comment.isModified():
            self._change(comment=self.comment.text().strip())  # typed, and then another one was chosen on the image
            self.comment.setModified(False)
        self._annotation = annotation
        self.setVisible(annotation is not None)
        if annotation is None:
            return
        may_change = self._annotating.may_change(annotation)
        why = "" if may_change else f"This is what {annotation.reviewer} said; only {annotation.reviewer} changes it."
        for widget in (self.verdict, self.class_name, self.confidence, self.comment, self.delete_button):
            widget.setEnabled(may_change)
            widget.setToolTip(why)
        model = self._session.model
        names = model.card.class_names if model is not None else ()
        with QSignalBlocker(self.class_name):
            self.class_name.clear()
            for name in dict.fromkeys((*names, annotation.class_name)):
                self.class_name.addItem(name or "No class", name)
            self.class_name.setCurrentIndex(self.class_name.findData(annotation.class_name))
        self.class_name.setToolTip(why or annotation.class_name)
        self.verdict.setCurrentIndex(self.verdict.findData(annotation.verdict))
        known = [value for _, value in CONFIDENCES]
        nearest = min(known[1:], key=lambda value: abs((value or 0) - (annotation.confidence or 0)))
        self.confidence.setCurrentIndex(0 if annotation.confidence is None else known.index(nearest))
        if is_other or not self.comment.hasFocus():
            self.comment.setText(annotation.comment)
            self.comment.setCursorPosition(0)

    def _change(self, **fields: object) -> None:
        annotation = self._annotation
        if annotation is not None and any(getattr(annotation, name) != value for name, value in fields.items()):
            self._annotating.change(annotation.id, **fields)

    def _change_class(self) -> None:
        name, annotation = self.class_name.currentData(), self._annotation
        if annotation is not None and annotation.against == name:
            self._change(class_name=name, against=annotation.class_name)  # no class is weighed against itself
        else:
            self._change(class_name=name)

    def _remove(self) -> None:
        if self._annotation is not None:
            self._annotating.remove(self._annotation.id)

    def _tell_jump(self) -> None:
        if self._annotation is not None:
            self.jump_wanted.emit(self._annotation.id)

    def changeEvent(self, event: QEvent) -> None:
        """Qt: take over another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            for index in range(self.verdict.count()):
                self.verdict.setItemIcon(index, verdict_icon(self.verdict.itemData(index)))
