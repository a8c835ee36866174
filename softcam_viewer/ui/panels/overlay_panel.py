"""How the evidence is shown: class, colours, sign, threshold, opacity."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QSlider, QWidget

from softcam_core.export.colormaps import COLORMAPS
from softcam_viewer.model.session import Session
from softcam_viewer.ui.panels.section import Section

SLIDER_STEPS = 500
SIGNS = (("both", "For and against"), ("positive", "Only for"), ("negative", "Only against"))


class OverlayPanel(Section):
    """Controls of the overlay; they act at once."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Overlay", parent)
        self._session = session
        self._target, self._against = self._combo("Class shown"), self._combo("Class it is weighed against")
        self._colormap, self._sign = self._combo("Colour map"), self._combo("Which evidence is drawn")
        for key, text in SIGNS:
            self._sign.addItem(text, key)
        self.threshold, self._threshold_value = self._slider("Threshold")
        self.opacity, self._opacity_value = self._slider("Opacity")
        self._contour, self._visible = QCheckBox("Contour"), QCheckBox("Show overlay")

        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for row, (name, widget) in enumerate(
            (("Class", self._target), ("Against", self._against), ("Colours", self._colormap), ("Sign", self._sign))
        ):
            grid.addWidget(QLabel(name), row, 0)
            grid.addWidget(widget, row, 1, 1, 2)
        for row, (name, slider, value) in enumerate(
            (("Threshold", self.threshold, self._threshold_value), ("Opacity", self.opacity, self._opacity_value)), 4
        ):
            grid.addWidget(QLabel(name), row, 0)
            grid.addWidget(slider, row, 1)
            grid.addWidget(value, row, 2)
        self.content.addLayout(grid)
        checks = QHBoxLayout()
        checks.addWidget(self._visible)
        checks.addWidget(self._contour)
        checks.addStretch()
        self.content.addLayout(checks)

        self._target.activated.connect(self._on_target)
        self._against.activated.connect(lambda: session.set_overlay(against=self._against.currentData()))
        self._colormap.activated.connect(lambda: session.set_overlay(colormap=self._colormap.currentData()))
        self._sign.activated.connect(lambda: session.set_overlay(sign=self._sign.currentData()))
        self.threshold.valueChanged.connect(lambda value: session.set_overlay(threshold=value / SLIDER_STEPS))
        self.opacity.valueChanged.connect(lambda value: session.set_overlay(opacity=value / SLIDER_STEPS))
        self._contour.toggled.connect(lambda on: session.set_overlay(contour=on))
        self._visible.toggled.connect(lambda on: session.set_overlay(visible=on))
        session.explanation_changed.connect(self._on_explanation_changed)
        session.overlay_changed.connect(self._refresh)
        self._on_explanation_changed()

    @staticmethod
    def _combo(name: str) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(name)
        combo.setToolTip(name)
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(6)
        combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return combo

    @staticmethod
    def _slider(name: str) -> tuple[QSlider, QLabel]:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setAccessibleName(name)
        slider.setRange(0, SLIDER_STEPS)
        slider.setPageStep(SLIDER_STEPS // 20)
        value = QLabel()
        value.setObjectName("muted")
        value.setMinimumWidth(58)
        value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return slider, value

    def _on_target(self) -> None:
        target, settings = self._target.currentData(), self._session.overlay
        against = settings.against
        if against == target:
            against = settings.target  # of two classes: the other one
        self._session.set_overlay(target=target, against=against)

    def _on_explanation_changed(self) -> None:
        explanation = self._session.explanation
        self.setEnabled(explanation is not None)
        if explanation is not None:
            names = explanation.class_names
            if [self._target.itemText(i) for i in range(self._target.count())] != list(names):
                self._target.clear()
                for index, name in enumerate(names):
                    self._target.addItem(name, index)
        self._refresh()

    def _refresh(self) -> None:
        settings, overlay, explanation = self._session.overlay, self._session.overlay_map, self._session.explanation
        widgets = (self._target, self._against, self._colormap, self._sign, self.threshold, self.opacity)
        blockers = [QSignalBlocker(widget) for widget in (*widgets, self._contour, self._visible)]
        if explanation is not None:
            self._target.setCurrentIndex(settings.target)
            choices: list[tuple[str, object]] = [("Nothing (its own logit)", None)]
            choices += [(name, i) for i, name in enumerate(explanation.class_names) if i != settings.target]
            self._fill(self._against, choices, settings.against)
        signed = overlay is None or overlay.signed
        maps: list[tuple[str, object]] = [
            (m.title, m.name) for m in COLORMAPS.values() if m.kind == "diverging" or not signed
        ]
        self._fill(self._colormap, [("Standard", ""), *maps], settings.colormap)
        self._sign.setCurrentIndex(next(i for i, (key, _) in enumerate(SIGNS) if key == settings.sign))
        self._sign.setEnabled(signed)
        self.threshold.setValue(round(settings.threshold * SLIDER_STEPS))
        self.opacity.setValue(round(settings.opacity * SLIDER_STEPS))
        self._contour.setChecked(settings.contour)
        self._visible.setChecked(settings.visible)
        limit = overlay.limit if overlay else 0.0
        mark = "±" if signed and settings.sign == "both" else ""
        self._threshold_value.setText(f"{mark}{settings.threshold * limit:.3g}" if overlay else "")
        self._opacity_value.setText(f"{settings.opacity:.0%}".replace("%", " %"))
        self.remark.setText(f"{overlay.unit}, this case" if overlay else "")
        del blockers

    @staticmethod
    def _fill(combo: QComboBox, choices: list[tuple[str, object]], current: object) -> None:
        if [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())] != choices:
            combo.clear()
            for text, data in choices:
                combo.addItem(text, data)
        combo.setCurrentIndex(max(0, next((i for i, (_, data) in enumerate(choices) if data == current), 0)))
