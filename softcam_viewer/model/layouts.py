"""How panes are laid out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows and columns of panes."""

    rows: int
    columns: int
    title: str
    keys: str

    @property
    def count(self) -> int:
        """Number of panes."""
        return self.rows * self.columns


LAYOUTS: dict[str, Layout] = {
    "1x1": Layout(1, 1, "One pane", "Alt+1"),
    "1x2": Layout(1, 2, "Two panes side by side", "Alt+2"),
    "2x1": Layout(2, 1, "Two panes, one above the other", "Alt+Shift+2"),
    "2x2": Layout(2, 2, "Four panes", "Alt+4"),
    "1x3": Layout(1, 3, "Three panes side by side", "Alt+3"),
    "1x4": Layout(1, 4, "Four panes side by side", "Alt+Shift+4"),
}
MOST_PANES = max(layout.count for layout in LAYOUTS.values())
