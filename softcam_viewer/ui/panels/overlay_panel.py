"""How the active pane's map is shown: class, colours, sign, threshold, opacity."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QSlider, QWidget

from softcam_core.export.colormaps import COLORMAPS
from softcam_viewer.model.overlay import OverlayMap, OverlaySettings, Style
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.color_bar import scale_text
from softcam_viewer.ui.panels.section import Section
from softcam_viewer.ui.selectors import can_be_rest

SLIDER_STEPS = 500
STYLES: tuple[tuple[Style, str], ...] = (("both", "Fill and contour"), ("fill", "Fill"), ("contour", "Contour"))
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
        self._style = self._combo("Colours, outline or both")
        for key, text in STYLES:
            self._style.addItem(text, key)
        self._visible, self._shared = QCheckBox("Show overlay"), QCheckBox("Shared scale")
        self._shared.setToolTip("Panes whose maps have the same unit end their scales at the same value")
        self._smooth = QCheckBox("Smooth single pixels")
        self._smooth.setToolTip("Average over the neighbourhood; numbers then are of the average too")

        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        choices = (
            *(("Class", self._target), ("Against", self._against), ("Colours", self._colormap)),
            *(("Style", self._style), ("Sign", self._sign)),
        )
        for row, (name, widget) in enumerate(choices):
            grid.addWidget(QLabel(name), row, 0)
            grid.addWidget(widget, row, 1, 1, 2)
        for row, (name, slider, value) in enumerate(
            (("Threshold", self.threshold, self._threshold_value), ("Opacity", self.opacity, self._opacity_value)), 5
        ):
            grid.addWidget(QLabel(name), row, 0)
            grid.addWidget(slider, row, 1)
            grid.addWidget(value, row, 2)
        self.content.addLayout(grid)
        checks = QHBoxLayout()
        checks.addWidget(self._visible)
        checks.addWidget(self._shared)
        checks.addStretch()
        self.content.addLayout(checks)
        self.content.addWidget(self._smooth)

        self._target.activated.connect(self._on_target)
        self._against.activated.connect(lambda: self._set(against=self._against.currentData()))
        self._colormap.activated.connect(lambda: self._set(colormap=self._colormap.currentData()))
        self._sign.activated.connect(lambda: self._set(sign=self._sign.currentData()))
        self.threshold.valueChanged.connect(lambda value: self._set(threshold=value / SLIDER_STEPS))
        self.opacity.valueChanged.connect(lambda value: self._set(opacity=value / SLIDER_STEPS))
        self._style.activated.connect(lambda: self._set(style=self._style.currentData()))
        self._shared.toggled.connect(lambda on: session.panes.share_scale(on=on))
        self._smooth.toggled.connect(lambda on: self._set(smooth=on))
        self._visible.toggled.connect(lambda on: self._set(visible=on))
        for signal in (session.panes.explanation_changed, session.panes.overlay_changed, session.panes.layout_changed):
            signal.connect(self._refresh)
        self._refresh()

    def _set(self, **changes: object) -> None:
        self._session.panes.active.set_overlay(**changes)

    @staticmethod
    def _combo(name: str) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(name)
        combo.setToolTip(name)
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(6)
        combo.setPlaceholderText("–")
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
        target, settings = self._target.currentData(), self._session.panes.active.overlay
        against = settings.against
        if against == target:
            against = settings.target  # of two classes: the other one
        self._set(target=target, against=against)

    def _refresh(self) -> None:
        panes = self._session.panes
        pane = panes.active
        settings, overlay = pane.overlay, pane.overlay_map
        is_chosen = pane.aim is not None
        # Also while the map is being computed, and where it cannot be: another class may be wanted.
        self.setEnabled(is_chosen and self._session.film.image is not None)
        widgets = (self._target, self._against, self._colormap, self._sign, self.threshold, self.opacity)
        checks = (self._style, self._smooth, self._visible, self._shared)
        blockers = [QSignalBlocker(widget) for widget in (*widgets, *checks)]
        if is_chosen:
            assert pane.model is not None
            names = pane.model.card.class_names
            self._fill(self._target, [(name, i) for i, name in enumerate(names)], settings.target)
            choices: list[tuple[str, object]] = [("Nothing (its own logit)", None)]
            choices += [("The rest", "rest")] if can_be_rest(names) else []
            choices += [(name, i) for i, name in enumerate(names) if i != settings.target]
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
        can_outline = overlay is None or overlay.has_regions
        self._style.setEnabled(can_outline)
        self._style.setToolTip(
            "Colours, outline or both" if can_outline else "A map of single pixels has no regions to outline"
        )
        self._style.setCurrentIndex([key for key, _ in STYLES].index(settings.style if can_outline else "fill"))
        self._shared.setVisible(len(panes.shown) > 1)
        self._shared.setChecked(panes.shares_scale)
        self._smooth.setVisible(overlay is not None and overlay.is_of_pixels)
        self._smooth.setChecked(settings.smooth)
        self._visible.setChecked(settings.visible)
        self._threshold_value.setText(threshold_text(overlay, settings) if overlay else "")
        self._opacity_value.setText(f"{settings.opacity:.0%}".replace("%", " %"))
        parts = [f"pane {panes.active_index + 1}"] if len(panes.shown) > 1 else []
        self.remark.setText(", ".join([*parts, overlay.unit, scale_text(overlay)]) if overlay else "".join(parts))
        del blockers

    @staticmethod
    def _fill(combo: QComboBox, choices: list[tuple[str, object]], current: object) -> None:
        if [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())] != choices:
            combo.clear()
            for text, data in choices:
                combo.addItem(text, data)
        combo.setCurrentIndex(next((i for i, (_, data) in enumerate(choices) if data == current), 0))


def threshold_text(overlay: OverlayMap, settings: OverlaySettings) -> str:
    """The threshold as people read it: "±21.4", or "20 %"."""
    mark = "±" if overlay.signed and settings.sign == "both" else ""
    if overlay.is_relative:
        return f"{mark}{settings.threshold:.0%}".replace("%", " %")
    return f"{mark}{settings.threshold * overlay.scale:.3g}".replace("-", "−")
