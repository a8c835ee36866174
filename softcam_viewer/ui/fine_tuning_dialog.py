"""Fine-tuning on flags: what will happen, in plain words, with defaults that make sense."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSlider,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from softcam_core.notice import NOTICE
from softcam_core.training.parts import PARTS
from softcam_viewer.model.fine_tuning import LONGEST_NAME, STRENGTHS, FineTuningPlan
from softcam_viewer.model.fine_tuning_words import (
    data_text,
    flags_text,
    intent_text,
    strength_text,
    time_text,
)
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.settings_page import SettingsPage

MOST_EPOCHS = 200
WIDTH, MARGIN = 700, 24


class FineTuningDialog(QDialog):
    """Shows a plan, changes it, and starts the job.

    Parameters
    ----------
    plan : FineTuningPlan
        Belongs to the dialog from now on.
    """

    started = Signal(object)  # the Job

    def __init__(self, plan: FineTuningPlan, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Fine-tune on flags")
        self.setMinimumWidth(WIDTH)
        plan.setParent(self)
        self._plan = plan
        self.name, self.part, self.device = QLineEdit(), QComboBox(), QComboBox()
        self.strength, self.epochs = QSlider(Qt.Orientation.Horizontal), QSpinBox()
        self.choose_data, self.advanced = QPushButton("Choose…"), QPushButton("All settings…")
        self.settings = SettingsPage()
        self._intent, self._start, self._data = QLabel(), ElidedLabel("strong"), ElidedLabel("strong")
        self._images, self._flags, self._weight, self._time = QLabel(), QLabel(), QLabel(), QLabel()
        self.problem = QLabel()
        self._pages, self._choices = QStackedWidget(), QWidget()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start = QPushButton("Start")
        self._fill()
        self._build()
        self._connect()
        self._refresh()
        self._show_time()

    # Layout

    def _fill(self) -> None:
        for key, title in PARTS.items():
            self.part.addItem(title, key)
        self.name.setMaxLength(LONGEST_NAME)
        self.strength.setRange(0, len(STRENGTHS) - 1)
        self.strength.setPageStep(1)
        self.epochs.setRange(1, MOST_EPOCHS)
        self.epochs.setFixedWidth(84)
        self.epochs.lineEdit().setTextMargins(8, 0, 8, 0)
        self.start.setObjectName("primary")
        self.start.setDefault(True)
        self.start.setEnabled(False)
        cancel = self.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        for button in (self.choose_data, self.advanced, self.settings.drop, cancel):
            button.setAutoDefault(False)
        menu = QMenu(self)
        menu.addAction("A table of labels…", self._ask_table)
        menu.addAction("A folder with a folder for each class…", self._ask_folder)
        self.choose_data.setMenu(menu)
        choices = self._plan.choices
        self.name.setText(choices.name)
        self.part.setCurrentIndex(self.part.findData(choices.part))
        self.strength.setValue(STRENGTHS.index(choices.strength))
        self.epochs.setValue(choices.epochs)
        for label in (self._intent, self._images, self._flags, self._time, self.problem):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        for label in (self._images, self._flags, self._weight):
            label.setObjectName("muted")
        self.problem.setObjectName("failure")
        self.problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def _build(self) -> None:
        grid = QGridLayout(self._choices)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        weight, epochs = QHBoxLayout(), QHBoxLayout()
        weight.setSpacing(12)
        weight.addWidget(self.strength, 1)
        weight.addWidget(self._weight)
        self._weight.setMinimumWidth(self.fontMetrics().horizontalAdvance("balanced with the labels · × 0.5"))
        epochs.addWidget(self.epochs)
        epochs.addStretch()
        rows: tuple[tuple[str, QWidget | QHBoxLayout, QWidget | None], ...] = (
            ("Start from", self._start, None),
            ("Images", self._data, self._images),
            ("Flags", self._flags, None),
            ("New model", self.name, None),
            ("Train", self.part, None),
            ("Weight of flags", weight, None),
            ("Epochs", epochs, None),
            ("Device", self.device, None),
            ("Time", self._time, None),
        )
        for title, widget, below in rows:
            row = grid.rowCount()
            label = QLabel(title)
            is_tall = widget is self._flags
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop if is_tall else Qt.AlignmentFlag(0))
            if isinstance(widget, QHBoxLayout):
                grid.addLayout(widget, row, 1, 1, 2)
            else:
                grid.addWidget(widget, row, 1, 1, 1 if widget is self._data else 2)
            if widget is self._data:
                grid.addWidget(self.choose_data, row, 2)
            if below is not None:
                grid.addWidget(below, row + 1, 1, 1, 2)
            grid.setRowMinimumHeight(row + 2, 10)
        for control, name in (
            (self.name, "Name of the new model"),
            (self.part, "What is trained"),
            (self.strength, "Weight of the flags"),
            (self.epochs, "Epochs"),
            (self.device, "Device"),
            (self.choose_data, "Choose the images to train on"),
        ):
            control.setAccessibleName(name)
        grid.setRowStretch(grid.rowCount(), 1)
        self._pages.addWidget(self._choices)
        self._pages.addWidget(self.settings)
        notice = QLabel(NOTICE)
        notice.setObjectName("notice")
        self.buttons.addButton(self.start, QDialogButtonBox.ButtonRole.AcceptRole)
        foot = QHBoxLayout()
        foot.addWidget(self.advanced)
        foot.addWidget(notice, 1, Qt.AlignmentFlag.AlignCenter)
        foot.addWidget(self.buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, 20, MARGIN, 16)
        column.setSpacing(14)
        column.addWidget(self._intent)
        column.addWidget(self._pages, 1)
        column.addWidget(self.problem)
        column.addLayout(foot)

    def _connect(self) -> None:
        plan = self._plan
        self.name.textChanged.connect(lambda text: plan.choose(name=text))
        self.part.currentIndexChanged.connect(lambda: plan.choose(part=self.part.currentData()))
        self.strength.valueChanged.connect(lambda place: plan.choose(strength=STRENGTHS[place]))
        self.epochs.valueChanged.connect(lambda count: plan.choose(epochs=count))
        self.device.currentIndexChanged.connect(lambda: plan.choose(device=self.device.currentData()))
        self.advanced.clicked.connect(self._turn_page)
        self.start.clicked.connect(self._begin)
        self.buttons.rejected.connect(self.reject)
        plan.changed.connect(self._refresh)
        plan.estimated.connect(self._show_time)
        plan.written.connect(self.settings.show_text)
        plan.refused.connect(self._say)
        plan.started.connect(self._on_started)
        self.settings.edited.connect(self._refresh)
        self.settings.dropped.connect(plan.write_out)
        self.finished.connect(plan.stop)

    # What is known

    def _refresh(self) -> None:
        plan = self._plan
        self._intent.setText(intent_text(plan))
        self._start.setText(
            "no model" if plan.model is None else f"{plan.model.card.name}   ·   {plan.model.path.name}"
        )
        if plan.model is not None:
            self._start.setToolTip(str(plan.model.path))
        path = None if plan.survey is None else plan.survey.path
        self._data.setText("" if path is None else f"{path.name}   ·   {path.parent}")
        self._images.setText(data_text(plan))
        self._flags.setText(flags_text(plan))
        self._weight.setText(strength_text(plan.choices.strength))
        self._fill_devices()
        why = plan.why_not
        self.problem.setText(why if not plan.is_reading else "")
        self.problem.setVisible(bool(self.problem.text()))
        is_open = not plan.is_starting and not plan.refusal
        for widget in (self.choose_data, self.name, self.part, self.strength, self.epochs, self.device):
            widget.setEnabled(is_open and not self.settings.is_edited)
        was_ready = self.start.isEnabled()
        self.start.setEnabled(not why and is_open)
        if not was_ready and not self.name.hasFocus():
            self.start.setFocus()  # the key that presses buttons would press another one
        self.start.setText("Starting…" if plan.is_starting else "Start")
        self.advanced.setEnabled(is_open and not (plan.survey is None or plan.survey.data_problem))
        self.advanced.setText("Back" if self._pages.currentWidget() is self.settings else "All settings…")
        self._fit()

    def _fit(self) -> None:
        """Be as high as all texts need, which wrap; a stack does not ask that of its pages."""
        whole, choices = self.layout(), self._choices.layout()
        assert whole is not None
        assert choices is not None
        width = max(self.width(), WIDTH)
        # Without any text that wraps there is no height for a width.
        self._pages.setMinimumHeight(max(0, choices.totalHeightForWidth(width - 2 * MARGIN)))
        self.resize(width, max(self.height(), whole.totalHeightForWidth(width)))

    def _fill_devices(self) -> None:
        if self.device.count() == len(self._plan.devices) + 1:
            return
        with QSignalBlocker(self.device):
            self.device.clear()
            best = f"   ·   {self._plan.devices[0][1]}" if self._plan.devices else ""
            self.device.addItem(f"The fastest there is{best}", "auto")
            for name, title in self._plan.devices:
                self.device.addItem(title, name)
            self.device.setCurrentIndex(max(0, self.device.findData(self._plan.choices.device)))

    def _show_time(self) -> None:
        self._time.setText(time_text(self._plan))

    # What is done

    def _turn_page(self) -> None:
        if self._pages.currentWidget() is self.settings:
            self._pages.setCurrentWidget(self._choices)
        else:
            self._pages.setCurrentWidget(self.settings)
            if not self.settings.is_edited:
                self._plan.write_out()
        self._refresh()

    def _begin(self) -> None:
        self.settings.say("")
        self._plan.start(self.settings.text if self.settings.is_edited else None)

    def _say(self, message: str) -> None:
        if self._pages.currentWidget() is self.settings:
            self.settings.say(message)
        else:
            self.problem.setText(message)
            self.problem.show()
        self._fit()

    def _on_started(self, job: object) -> None:
        self.started.emit(job)
        self.accept()

    def _ask_table(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Labelled images", self._folder, "Tables and COCO files (*.csv *.json);;All files (*)"
        )
        if name:
            self._plan.choose_data(Path(name))

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder with a folder for each class", self._folder)
        if name:
            self._plan.choose_data(Path(name))

    @property
    def _folder(self) -> str:
        path = None if self._plan.survey is None else self._plan.survey.path
        return "" if path is None else str(path.parent)
