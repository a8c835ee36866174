"""Every action once: its title, menu, keys and when it can be used.

Menus, the search for commands, the sheet and the dialog of shortcuts all read this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from softcam_core.annotations.annotation import VERDICTS
from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.presets import PRESETS
from softcam_viewer.model.tools import TOOLS

Need = Literal[
    "nothing", "something", "last_session", "cases", "image", "second_window", "model", "explanation",
    "pane", "options", "compared", "progress", "scan", "left_out", "curves", "undo", "redo", "chosen", "annotations",
    "finished_job", "comparison",
]  # fmt: skip

NEEDS: dict[Need, str] = {
    "nothing": "",
    "something": "needs an open image or model",
    "last_session": "there is no earlier session",
    "cases": "needs more than one case",
    "image": "needs an open image",
    "second_window": "needs an image with a second window",
    "model": "needs an open model",
    "explanation": "needs an image and a model",
    "pane": "needs more than one pane",
    "options": "needs a method that has options",
    "compared": "needs a model to compare with",
    "progress": "nothing is being computed",
    "scan": "not all cases are being explained",
    "left_out": "everything counts",
    "curves": "needs a map whose curves are not computed yet",
    "undo": "nothing was done",
    "redo": "nothing was undone",
    "chosen": "needs an annotation that is chosen",
    "annotations": "needs annotations of the image",
    "finished_job": "no fine-tuning has finished yet",
    "comparison": "no model is compared with the one before",
}
"""Why a command cannot be used now, for people."""


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
        Portable key sequences, at most two; people may choose others.
    needs : str
        What must be there for it to be used, a name of NEEDS.
    separated : bool
        A line stands above it in the menu.
    checkable : bool
        It is on or off.
    """

    name: str
    title: str
    menu: str
    keys: tuple[str, ...] = ()
    needs: Need = "nothing"
    separated: bool = False
    checkable: bool = False

    @property
    def label(self) -> str:
        """The title as people say it, without the dots that announce a dialog."""
        return self.title.rstrip("…")


TOOL_KEYS = {
    **{"window": "W", "ruler": "D", "angle": "A", "lasso": "L", "magnifier": "Z"},
    **{"flag": "Shift+F", "rectangle": "Shift+R", "ellipse": "Shift+E", "polygon": "Shift+P"},
    **{"freehand": "Shift+L", "brush": "Shift+B", "eraser": "Shift+X", "edit": "E"},
}

COMMANDS: tuple[Command, ...] = (
    Command("open_files", "Open files…", "File", ("Ctrl+O",)),
    Command("open_folder", "Open folder…", "File", ("Ctrl+Shift+O",)),
    Command("open_model", "Open model…", "File", ("Ctrl+M",)),
    Command("add_model", "Add a model to compare…", "File", ("Ctrl+Shift+M",), "model"),
    Command("close_compared", "Close the models to compare", "File", (), "compared"),
    Command("show_card", "About this model…", "File", ("Ctrl+I",), "model"),
    Command("open_session", "Open session…", "File", ("Ctrl+R",), separated=True),
    Command("reopen_session", "Reopen the last session", "File", ("Ctrl+Shift+R",), "last_session"),
    Command("save_session", "Save session", "File", ("Ctrl+S",), "something"),
    Command("save_session_as", "Save session as…", "File", ("Ctrl+Shift+S",), "something"),
    Command("open_demo", "Open the demo cases and model", "File", separated=True),
    Command("export", "Export…", "File", ("Ctrl+E",), "image", separated=True),
    Command("copy_picture", "Copy the picture of the panes", "File", ("Ctrl+Shift+C",), "image"),
    Command("show_settings", "Settings…", "File", ("Ctrl+,",), separated=True),
    Command("quit", "Quit", "File", ("Ctrl+Q",), separated=True),
    Command("next_case", "Next case", "View", ("N", "PgDown"), "cases"),
    Command("previous_case", "Previous case", "View", ("P", "PgUp"), "cases"),
    Command("next_frame", "Next frame, after the last the next case", "View", (".",), "image"),
    Command("previous_frame", "Previous frame, before the first the previous case", "View", (",",), "image"),
    Command("toggle_reviewed", "This case is reviewed", "View", ("R",), "image", checkable=True),
    Command("next_unreviewed", "Next case that is not reviewed", "View", ("Shift+N",), "cases"),
    Command("focus_filter", "Filter the worklist", "View", ("Ctrl+F",), "cases"),
    Command("toggle_grouping", "Group the worklist by study", "View", (), "cases", checkable=True),
    Command("explain_all", "Explain all cases", "View", ("Ctrl+Shift+E",), "model"),
    Command("stop_scan", "Stop explaining all cases", "View", (), "scan"),
    Command("fit", "Fit the image to the window", "View", ("=",), "image", separated=True),
    Command("zoom_in", "Zoom in", "View", ("Ctrl++",), "image"),
    Command("zoom_out", "Zoom out", "View", ("Ctrl+-",), "image"),
    Command("window_1", "Window of the file, or the standard one", "View", ("1",), "image", separated=True),
    Command("window_2", "Window of the middle 98 % of the values", "View", ("2",), "image"),
    Command("window_3", "Window of all values", "View", ("3",), "image"),
    Command("window_4", "Second window of the file", "View", ("4",), "second_window"),
    Command("invert", "Invert black and white", "View", ("I",), "image", checkable=True),
    Command("toggle_theme", "Light or dark theme", "View", ("Ctrl+T",), separated=True),
    *(Command(f"tool_{tool.name}", tool.title, "Annotate" if tool.group == "annotating" else "Tools",
              (TOOL_KEYS[tool.name],), "image", checkable=True)
      for tool in TOOLS.values()),
    Command("brush_smaller", "Smaller brush", "Annotate", ("Ctrl+[",), "image", separated=True),
    Command("brush_larger", "Larger brush", "Annotate", ("Ctrl+]",), "image"),
    Command("show_marks", "Show annotations", "Annotate", ("Shift+Y",), "image", separated=True, checkable=True),
    Command("clear_measures", "Remove all measurements of the image", "Tools", (), "image"),
    Command("show_crosshair", "Crosshair in all panes", "Tools", ("X",), "image", separated=True, checkable=True),
    Command("show_cells", "Show the cell and what it sees", "Tools", ("G",), "image", checkable=True),
    Command("show_annotations", "Show boxes and masks that are known", "Tools", ("Y",), "image", checkable=True),
    Command("threshold_down", "Lower the threshold", "Evidence", ("[",), "explanation"),
    Command("threshold_up", "Raise the threshold", "Evidence", ("]",), "explanation"),
    Command("opacity_down", "Lower the opacity", "Evidence", ("{",), "explanation"),
    Command("opacity_up", "Raise the opacity", "Evidence", ("}",), "explanation"),
    Command("next_class", "Next class", "Evidence", ("Tab",), "explanation"),
    Command("toggle_overlay", "Show the overlay", "Evidence", ("H",), "explanation", checkable=True),
    Command("outline_only", "Outline instead of colours", "Evidence", ("V",), "explanation", checkable=True),
    Command("show_waterfall", "Ledger as a table or a waterfall", "Evidence", ("Shift+W",), "explanation"),
    Command("count_all", "Count all regions and shapes again", "Evidence", ("Ctrl+0",), "left_out", separated=True),
    Command("compute_curves", "Compute the curves of the figures", "Evidence", ("Alt+F",), "curves"),
    Command("open_figures", "Open the figures as a table…", "Evidence", ("Ctrl+Shift+F",), "explanation"),
    Command("flag", "Flag evidence under the cursor", "Annotate", ("F",), "explanation"),
    *(Command(f"verdict_{verdict}", f"Tools say: {title.lower()}", "Annotate", (), "image",
              separated=number == 1, checkable=True)
      for number, (verdict, title) in enumerate(VERDICTS.items(), 1)),
    Command("undo", "Undo", "Annotate", ("Ctrl+Z",), "undo", separated=True),
    Command("redo", "Redo", "Annotate", ("Ctrl+Shift+Z",), "redo"),
    Command("next_annotation", "Next annotation of the image", "Annotate", ("J",), "annotations", separated=True),
    Command("previous_annotation", "Previous annotation of the image", "Annotate", ("Shift+J",), "annotations"),
    Command("comment_annotation", "Write a remark on the annotation", "Annotate", ("T",), "chosen"),
    Command("delete_annotation", "Delete the annotation", "Annotate", ("Ctrl+Del",), "chosen"),
    Command("find_annotations", "Find annotations…", "Annotate", ("Ctrl+Shift+A",), separated=True),
    Command("fine_tune", "Fine-tune on flags…", "Train", ("Ctrl+Shift+T",)),
    Command("show_jobs", "Jobs…", "Train", ("Ctrl+J",)),
    Command("compare_before", "Compare with the model before", "Train", ("Ctrl+Shift+J",), "finished_job",
            separated=True),
    Command("accept_model", "Accept the new model", "Train", (), "comparison"),
    Command("discard_model", "Discard the new model", "Train", (), "comparison"),
    Command("leave_comparison", "Close the comparison", "Train", (), "comparison"),
    *(Command(f"layout_{name}", layout.title, "Compare", (layout.keys,), checkable=True)
      for name, layout in LAYOUTS.items()),
    *(Command(f"preset_{name}", preset.title, "Compare", (f"Shift+F{number}",),
              "compared" if name == "models" else "explanation", separated=number == 1)
      for number, (name, preset) in enumerate(PRESETS.items(), 1)),
    Command("next_pane", "Next pane", "Compare", ("F6",), "pane", separated=True),
    Command("previous_pane", "Previous pane", "Compare", ("Shift+F6",), "pane"),
    *(Command(f"pane_{n}", f"Pane {n}", "Compare", (f"Ctrl+{n}",), "pane") for n in range(1, 5)),
    Command("maximise", "Show the pane alone", "Compare", ("F11",), "pane", separated=True, checkable=True),
    Command("swap_panes", "Swap with the next pane", "Compare", ("Alt+S",), "pane"),
    Command("blink", "Blink between this pane and the next", "Compare", ("B",), "pane", checkable=True),
    Command("copy_overlay", "Show all panes' maps as this one's", "Compare", ("Alt+C",), "pane"),
    Command("link_views", "Same part of the image in all panes", "Compare", ("Alt+L",), "pane", checkable=True),
    Command("share_scale", "One scale for all panes of a unit", "Compare", ("Alt+E",), "pane", checkable=True),
    Command("pin_case", "Keep this case in the pane", "Compare", ("K",), "image", checkable=True),
    Command("choose_method", "Choose the method of the pane", "Compare", ("M",), "model", separated=True),
    Command("choose_class", "Choose the class of the pane", "Compare", ("C",), "model"),
    Command("choose_model", "Choose the model of the pane", "Compare", ("Shift+M",), "compared"),
    Command("method_options", "Options of the method…", "Compare", ("O",), "options"),
    Command("cancel", "Stop computing the pane", "Compare", ("Esc",), "progress", separated=True),
    Command("show_palette", "Search commands…", "Help", ("Ctrl+Shift+P",)),
    Command("show_shortcuts", "Keys and mouse", "Help", ("?",)),
    Command("edit_shortcuts", "Change keys…", "Help", ("Ctrl+K",)),
    Command("show_about", "About", "Help", separated=True),
)  # fmt: skip

COMMAND: dict[str, Command] = {command.name: command for command in COMMANDS}
"""By name."""

MENUS = ("File", "View", "Tools", "Evidence", "Compare", "Annotate", "Train", "Help")

MOUSE: tuple[tuple[str, str], ...] = (
    ("Left drag", "Window width and level"),
    ("Middle drag", "Pan"),
    ("Right drag, Ctrl + wheel", "Zoom"),
    ("Wheel", "Next or previous frame or case"),
    ("Double click", "Show the pane alone, or fit the image"),
    ("Space, held", "Hide the overlays"),
    ("Arrow keys", "Pan"),
)

Handlers = dict[str, Callable[[], object]]
