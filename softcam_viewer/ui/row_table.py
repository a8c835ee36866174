"""Tables that are read row by row: nothing is edited in them, and the Tab key leaves them."""

from __future__ import annotations

from PySide6.QtWidgets import QAbstractItemView, QTableView


def read_by_rows(table: QTableView, name: str) -> None:
    """Set a table up to be read by rows.

    Parameters
    ----------
    table : QTableView
    name : str
        What a screen reader calls it.
    """
    table.setAccessibleName(name)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.horizontalHeader().setHighlightSections(False)
    table.verticalHeader().hide()
