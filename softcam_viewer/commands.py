"""Every action once: its title, menu, keys and when it can be used. Menus and the shortcut sheet read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from softcam_viewer.model.layouts import LAYOUTS

Need = Literal["nothing", "cases", "image", "model", "explanation", "pane", "options", "compared", "progress"]


@dataclass(frozen=True, slots=True)
class Command:
    """An action.

    Attributes
    ----------
    name : str
        Key of its handler.
    title : str
    menu : str
        Where it stands.
    keys : tuple of str
        Portable key sequences.
    needs : str
        What must be there for it to be used.
    separated : bool
        A line stands above it in the menu.
    """

    name: str
    title: str
    menu: str
    keys: tuple[str, ...] = ()
    needs: Need = "nothing"
    separated: bool = False


COMMANDS: tuple[Command, ...] = (
    Command("open_files", "Open files…", "File", ("Ctrl+O",)),
    Command("open_folder", "Open folder…", "File", ("Ctrl+Shift+O",)),
    Command("open_model", "Open model…", "File", ("Ctrl+M",)),
    Command("add_model", "Add a model to compare…", "File", ("Ctrl+Shift+M",), "model"),
    Command("close_compared", "Close the models to compare", "File", (), "compared"),
    Command("show_card", "About this model…", "File", ("Ctrl+I",), "model"),
    Command("open_demo", "Open the demo cases and model", "File", separated=True),
    Command("save_screenshot", "Save a picture of the window…", "File", ("Ctrl+Shift+S",), "image", separated=True),
    Command("quit", "Quit", "File", ("Ctrl+Q",), separated=True),
    Command("next_case", "Next case", "View", ("N", "PgDown"), "cases"),
    Command("previous_case", "Previous case", "View", ("P", "PgUp"), "cases"),
    Command("fit", "Fit the image to the window", "View", ("=",), "image", separated=True),
    Command("zoom_in", "Zoom in", "View", ("Ctrl++",), "image"),
    Command("zoom_out", "Zoom out", "View", ("Ctrl+-",), "image"),
    Command("window_1", "Window of the file", "View", ("1",), "image", separated=True),
    Command("window_2", "Window of the middle 98 % of the values", "View", ("2",), "image"),
    Command("window_3", "Window of all values", "View", ("3",), "image"),
    Command("window_4", "Second window of the file", "View", ("4",), "image"),
    Command("invert", "Invert black and white", "View", ("I",), "image"),
    Command("threshold_down", "Lower the threshold", "Evidence", ("[",), "explanation"),
    Command("threshold_up", "Raise the threshold", "Evidence", ("]",), "explanation"),
    Command("next_class", "Next class", "Evidence", ("Tab",), "explanation"),
    Command("toggle_overlay", "Show or hide the overlay", "Evidence", ("H",), "explanation"),
    *(Command(f"layout_{name}", layout.title, "Compare", (layout.keys,)) for name, layout in LAYOUTS.items()),
    Command("next_pane", "Next pane", "Compare", ("F6",), "pane", separated=True),
    Command("previous_pane", "Previous pane", "Compare", ("Shift+F6",), "pane"),
    *(Command(f"pane_{n}", f"Pane {n}", "Compare", (f"Ctrl+{n}",), "pane") for n in range(1, 5)),
    Command("maximise", "Show the pane alone, or all again", "Compare", ("F11",), "pane", separated=True),
    Command("swap_panes", "Swap with the next pane", "Compare", ("Alt+S",), "pane"),
    Command("blink", "Blink between this pane and the next", "Compare", ("B",), "pane"),
    Command("copy_overlay", "Show all panes' maps as this one's", "Compare", ("Alt+C",), "pane"),
    Command("share_scale", "One scale for all panes of a unit", "Compare", ("Alt+E",), "pane"),
    Command("pin_case", "Keep this case in the pane, or follow the worklist", "Compare", ("K",), "image"),
    Command("choose_method", "Choose the method of the pane", "Compare", ("M",), "model", separated=True),
    Command("choose_class", "Choose the class of the pane", "Compare", ("C",), "model"),
    Command("choose_model", "Choose the model of the pane", "Compare", ("Shift+M",), "compared"),
    Command("method_options", "Options of the method…", "Compare", ("O",), "options"),
    Command("cancel", "Stop computing the pane", "Compare", ("Esc",), "progress", separated=True),
    Command("toggle_theme", "Light or dark theme", "View", ("Ctrl+T",), separated=True),
    Command("show_shortcuts", "Keys and mouse", "Help", ("?",)),
    Command("show_about", "About", "Help"),
)

MENUS = ("File", "View", "Evidence", "Compare", "Help")

MOUSE: tuple[tuple[str, str], ...] = (
    ("Left drag", "Window width and level"),
    ("Middle drag", "Pan"),
    ("Right drag, Ctrl + wheel", "Zoom"),
    ("Wheel", "Next or previous frame or case"),
    ("Double click", "Show the pane alone; with one pane, fit the image to it"),
    ("Space, held", "Hide the overlays"),
)

MOUSE_HINT = "Left: window/level    Middle: pan    Right or Ctrl+wheel: zoom    Wheel: next case    Space: hide overlay"

Handlers = dict[str, Callable[[], object]]
