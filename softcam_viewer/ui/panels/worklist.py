"""The worklist: cases with thumbnail, prediction and status, sorted, filtered, grouped and explained in a scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QActionGroup, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QProgressBar,
    QPushButton,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.model.case_filter import EXAMPLES, what_there_is
from softcam_viewer.model.cases import AnyIndex
from softcam_viewer.model.previews import time_left
from softcam_viewer.model.session import Session
from softcam_viewer.model.worklist import Worklist
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.panels.case_delegate import CaseDelegate

NO_INDICATOR = "QToolButton::menu-indicator { image: none; }"
"""For buttons whose text says already that they open a menu."""
EMPTY = "No cases are open. File → Open folder… takes images and DICOM studies, Open files… also a table of labels."


class CaseView(QListView):
    """The lines; headings fold by a click, Enter, or Left and Right."""

    fold_wanted = Signal(QModelIndex, object)  # a heading; True to fold it, False to unfold it, None for the other

    def dataChanged(self, first: AnyIndex, last: AnyIndex, roles: Sequence[int] = ()) -> None:
        """Qt: draw what changed; Qt itself would lay out all lines anew, though none changes its height."""
        if first == last:
            self.update(first)
        else:
            self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: a click on a heading folds it."""
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and index.data(Worklist.HEADING_ROLE) is not None:
            if event.button() == Qt.MouseButton.LeftButton:
                self.fold_wanted.emit(index, None)
            return
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: fold and unfold the heading one is on."""
        index = self.currentIndex()
        heading = index.data(Worklist.HEADING_ROLE) if index.isValid() else None
        ways = {
            Qt.Key.Key_Left: True,
            Qt.Key.Key_Right: False,
            **dict.fromkeys((Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)),
        }
        if heading is not None and event.key() in ways:
            self.fold_wanted.emit(index, ways[Qt.Key(event.key())])
            return
        super().keyPressEvent(event)


class WorklistPanel(QWidget):
    """List of cases, what it is sorted and filtered by, and the scan that explains all of them."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session, self._worklist = session, session.worklist
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._make_head())
        column.addLayout(self._make_filter())
        self._make_list()
        self._empty = QLabel()
        self._empty.setObjectName("muted")
        self._empty.setWordWrap(True)
        self._empty.setMargin(14)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._body = QStackedLayout()
        self._body.addWidget(self.list)
        self._body.addWidget(self._empty)
        column.addLayout(self._body, 1)
        column.addLayout(self._make_scan())

        worklist = self._worklist
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        worklist.modelAboutToBeReset.connect(self._on_about_to_reset)
        worklist.order_changed.connect(self._on_order_changed)
        worklist.settings_changed.connect(self._on_settings_changed)
        session.row_changed.connect(self._show_current)
        session.previews.scan_changed.connect(self._on_scan_changed)
        session.model_changed.connect(self._on_scan_changed)
        session.cases.case_changed.connect(self._on_case_changed)
        self._on_order_changed()
        self._on_settings_changed()
        self._on_scan_changed()

    def focus_filter(self) -> None:
        """Let the user type a filter."""
        self.filter.setFocus()
        self.filter.selectAll()

    # Building

    def _make_head(self) -> QHBoxLayout:
        title, self._count = QLabel("WORKLIST"), ElidedLabel("muted")
        title.setObjectName("panelTitle")
        self._count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.sort = QToolButton()
        self.sort.setObjectName("flat")
        self.sort.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._sort_menu = QMenu(self.sort)
        self._sort_menu.aboutToShow.connect(self._fill_sort_menu)
        self.sort.setMenu(self._sort_menu)
        self.sort.setStyleSheet(NO_INDICATOR)
        head = QHBoxLayout()
        head.setContentsMargins(14, 12, 10, 0)
        head.setSpacing(6)
        head.addWidget(title)
        head.addWidget(self._count, 1)
        head.addWidget(self.sort)
        return head

    def _make_filter(self) -> QVBoxLayout:
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter: wrong, uncertain…")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Filter of the worklist")
        self.filter.setToolTip(f"Words are looked for in names; “not” turns a fact round. {what_there_is()}")
        self.filter.textChanged.connect(self._worklist.filter_by)
        self.choose_filter = QToolButton()
        self.choose_filter.setObjectName("flat")
        self.choose_filter.setText("▾")
        self.choose_filter.setStyleSheet(NO_INDICATOR)
        self.choose_filter.setAccessibleName("Common filters")
        self.choose_filter.setToolTip("Common filters")
        self.choose_filter.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.choose_filter)
        for text, title in EXAMPLES:
            menu.addAction(f"{title}\t{text}").triggered.connect(partial(self._use_example, text))
        menu.addSeparator()
        menu.addAction("All cases").triggered.connect(partial(self._use_example, ""))
        self.choose_filter.setMenu(menu)
        self._trouble = QLabel()
        self._trouble.setObjectName("failure")
        self._trouble.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.filter, 1)
        row.addWidget(self.choose_filter)
        box = QVBoxLayout()
        box.setContentsMargins(10, 8, 6, 6)
        box.addLayout(row)
        box.addWidget(self._trouble)
        return box

    def _make_list(self) -> None:
        self.list = CaseView()
        self._delegate = CaseDelegate()
        self.list.setModel(self._worklist)
        self.list.setItemDelegate(self._delegate)
        self.list.setMouseTracking(True)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("Worklist")
        self.list.setIconSize(QSize(1, 1))
        self.list.fold_wanted.connect(self._on_fold_wanted)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._on_menu_wanted)
        self._scrolled = 0

    def _make_scan(self) -> QVBoxLayout:
        self.scan, self.stop = QPushButton("Explain all cases"), QPushButton("Stop")
        self.scan.setToolTip(
            "Predict every case in the background, and measure how much of its evidence is in the border"
        )
        self.scan.clicked.connect(self._session.explain_all)
        self.stop.clicked.connect(self._session.previews.stop_scan)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setAccessibleName("Cases explained")
        self._progress = ElidedLabel("muted")
        running = QWidget()
        row = QHBoxLayout()
        row.addWidget(self._bar, 1)
        row.addWidget(self.stop)
        box = QVBoxLayout(running)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        box.addWidget(self._progress)
        box.addLayout(row)
        idle = QWidget()
        alone = QVBoxLayout(idle)
        alone.setContentsMargins(0, 0, 0, 0)
        alone.addStretch()
        alone.addWidget(self.scan)
        # One above the other, so that a scan does not move the list.
        self._scan_pages = QStackedLayout()
        self._scan_pages.addWidget(idle)
        self._scan_pages.addWidget(running)
        outer = QVBoxLayout()
        outer.setContentsMargins(10, 6, 10, 10)
        outer.addLayout(self._scan_pages)
        return outer

    # What the user asks for

    def _use_example(self, text: str, _checked: bool = False) -> None:
        self.filter.setText(text)

    def _fill_sort_menu(self) -> None:
        menu, worklist = self._sort_menu, self._worklist
        menu.clear()
        group = QActionGroup(menu)
        for order in worklist.orders:
            action = menu.addAction(order.title)
            action.setCheckable(True)
            action.setChecked(order.name == worklist.order.name)
            action.triggered.connect(partial(self._on_order_chosen, order.name))
            group.addAction(action)
        menu.addSeparator()
        self._add_switch(menu, "The other way round", worklist.is_turned, self._turn)
        menu.addSeparator()
        self._add_switch(menu, "Group by patient, study and folder", worklist.is_grouped, self._group)

    @staticmethod
    def _add_switch(menu: QMenu, title: str, is_on: bool, run: Callable[[bool], None]) -> None:
        action = menu.addAction(title)
        action.setCheckable(True)
        action.setChecked(is_on)
        action.triggered.connect(run)

    def _on_order_chosen(self, name: str, _checked: bool = False) -> None:
        self._worklist.sort_by(name)

    def _turn(self, is_on: bool) -> None:
        self._worklist.sort_by(self._worklist.sorted_by, is_turned=is_on)

    def _group(self, is_on: bool) -> None:
        self._worklist.group(on=is_on)

    def _on_menu_wanted(self, at: QPoint) -> None:
        row = self._worklist.row_at(self.list.indexAt(at).row())
        if row is None:
            return
        case, menu = self._session.cases[row], QMenu(self.list)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        title = "Mark as not reviewed" if case.reviewed else "Mark as reviewed"
        menu.addAction(title).triggered.connect(
            lambda: self._session.annotating.set_reviewed(row, on=not case.reviewed)
        )
        menu.popup(self.list.viewport().mapToGlobal(at))

    def _on_fold_wanted(self, index: QModelIndex, on: bool | None) -> None:
        heading, line = index.data(Worklist.HEADING_ROLE), index.row()
        self._worklist.fold(heading.key, on=not heading.is_folded if on is None else on)
        if self.list.hasFocus():  # stay on it: its line is the same
            self.list.selectionModel().setCurrentIndex(
                self._worklist.index(line), QItemSelectionModel.SelectionFlag.NoUpdate
            )

    def _on_current_changed(self, index: QModelIndex) -> None:
        row = self._worklist.row_at(index.row()) if index.isValid() else None
        if row is not None and row != self._session.row:
            self._session.select(row)

    # What the session says

    def _show_current(self, row: int) -> None:
        line = self._worklist.line_of(row)
        if line is None:
            self.list.clearSelection()
            return
        index = self._worklist.index(line)
        if index != self.list.currentIndex():
            self.list.setCurrentIndex(index)
        self.list.scrollTo(index)

    def _on_about_to_reset(self) -> None:
        self._scrolled = self.list.verticalScrollBar().value()

    def _on_order_changed(self) -> None:
        worklist, cases = self._worklist, self._session.cases
        total, count = len(cases), worklist.matching
        noun = "" if total > 999 else " case" if total == 1 else " cases"  # there is room for no more
        self._count.setText((f"{total:,}{noun}" if count == total else f"{count:,} of {total:,}") if total else "")
        self._delegate.is_tall = any(case.label or case.frames > 1 for case in map(cases.__getitem__, range(total)))
        # Rows of one height need not be asked one by one.
        self.list.setUniformItemSizes(not worklist.has_headings)
        line = worklist.line_of(self._session.row)
        if line is not None:
            self.list.setCurrentIndex(worklist.index(line))
        self.list.verticalScrollBar().setValue(self._scrolled)
        self._tell_if_empty()
        self._on_scan_changed()

    def _tell_if_empty(self) -> None:
        worklist, total = self._worklist, len(self._session.cases)
        self._body.setCurrentWidget(self.list if worklist.rowCount() else self._empty)
        if not total:
            self._empty.setText(self._session.busy or EMPTY)
        elif not worklist.rowCount():
            hint = ""
            if worklist.filter_needs_model and self._session.model is None:
                hint = " Predictions are asked for, but no model is open."
            elif worklist.filter_needs_model and not self._session.previews.is_scanning and self._has_unexplained:
                hint = " Cases that have not been explained do not meet it: explain all cases first."
            self._empty.setText(f"No case meets the filter.{hint}")

    @property
    def _has_unexplained(self) -> bool:
        cases = self._session.cases
        return any(case.prediction is None and not case.error for case in map(cases.__getitem__, range(len(cases))))

    def _on_case_changed(self, row: int, fields: frozenset[str]) -> None:
        if "frames" in fields and not self._delegate.is_tall and self._session.cases[row].frames > 1:
            self._delegate.is_tall = True
            self.list.scheduleDelayedItemsLayout()

    def _on_settings_changed(self) -> None:
        worklist, has_cases = self._worklist, len(self._session.cases) > 0
        if self.filter.text() != worklist.filter_text:
            self.filter.setText(worklist.filter_text)
        self._trouble.setText(worklist.filter_error)
        self._trouble.setVisible(bool(worklist.filter_error))
        order = worklist.order
        arrow = "▾" if order.name == "opened" else "↓" if worklist.order.falls != worklist.is_turned else "↑"
        self.sort.setText(f"{worklist.order.short} {arrow}")
        self.sort.setToolTip(f"Sorted by {worklist.order.title.lower()}")
        self.sort.setAccessibleName(f"Sort and group, now by {worklist.order.title.lower()}")
        for widget in (self.filter, self.choose_filter, self.sort):
            widget.setEnabled(has_cases)

    def _on_scan_changed(self) -> None:
        previews, total = self._session.previews, len(self._session.cases)
        was_running = self._scan_pages.currentIndex() == 1
        has_focus = self.scan.hasFocus() or self.stop.hasFocus()
        self._scan_pages.setCurrentIndex(1 if previews.is_scanning else 0)
        self.scan.setEnabled(total > 0 and self._session.model is not None)
        if previews.is_scanning:
            self._bar.setRange(0, total)
            self._bar.setValue(previews.done)
            parts = (f"{previews.done:,} of {total:,}", time_left(previews.seconds_left))
            self._progress.setText(", ".join(filter(None, parts)))
        if was_running != previews.is_scanning:
            if has_focus:
                (self.stop if previews.is_scanning else self.scan).setFocus()
            self._tell_if_empty()
