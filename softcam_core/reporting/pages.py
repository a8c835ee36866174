"""Pages for people: one HTML file that needs no network, no scripts and no other file."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from softcam_core.files import write_whole
from softcam_core.reporting.plot_style import DOTS_PER_INCH
from softcam_core.resources import resource


def write_page(path: Path, template: str, page: Mapping[str, Any]) -> None:
    """Fill a template of ``resources/report`` and write the page.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    environment = Environment(
        loader=FileSystemLoader(resource("report")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template).render(page)
    write_whole(path, text.encode("utf-8", "backslashreplace"))


def embedded_png(picture: bytes) -> str:
    """A PNG as the address of an image within the page."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def embedded_figure(path: Path) -> dict[str, str]:
    """A figure of `softcam_core.reporting.plot_style`: its address (``uri``), and its ``width`` in pixels."""
    picture = path.read_bytes()
    width = int.from_bytes(picture[16:20])  # of a PNG's header
    return {"uri": embedded_png(picture), "width": f"{width * 100 / DOTS_PER_INCH:.0f}"}


def without_folders(value: Any) -> Any:  # noqa: ANN401
    """Settings with absolute paths reduced to names: a page is passed on, and folders tell of people."""
    if isinstance(value, Mapping):
        return {name: without_folders(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_folders(item) for item in value]
    is_path = isinstance(value, str) and re.match(r"[/\\~]|[A-Za-z]:[/\\]|\.\.", value)
    return re.split(r"[/\\]", value.rstrip("/\\"))[-1] if is_path else value
