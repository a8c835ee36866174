"""Small files that outlive the program: readable, checked when read, and never a reason not to start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from softcam_core.errors import SettingsError
from softcam_core.files import write_whole

DAMAGED = ".damaged"


class Kept(BaseModel):
    """What such a file holds. What this version does not know is kept: a newer one wrote it."""

    model_config = ConfigDict(extra="allow", frozen=True)


K = TypeVar("K", bound=Kept)


def read_kept(path: Path, kind: type[K]) -> tuple[K, str]:
    """Read such a file.

    Parameters
    ----------
    path : Path
    kind : type
        A subclass of `Kept` whose fields all have a standard.

    Returns
    -------
    (Kept, str)
        What it holds, with the standard for what cannot be used; and what is wrong with it, a message for the user, ""
        for nothing. A damaged file is set aside under another name, so that nothing in it is lost.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return kind(), ""
    except OSError as error:
        return kind(), f"{path}: cannot be read: {error.strerror}. The standard is used."
    except UnicodeDecodeError:
        return kind(), _set_aside(path, "is no text")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return kind(), _set_aside(path, "is not valid JSON")
    if not isinstance(values, dict):
        return kind(), _set_aside(path, "does not hold names and values")
    return _checked(path, kind, values)


def _checked(path: Path, kind: type[K], values: dict[str, Any]) -> tuple[K, str]:
    try:
        return kind.model_validate(values), ""
    except ValidationError as error:
        wrong = {str(e["loc"][0]) for e in error.errors() if e["loc"]}
    good = {name: value for name, value in values.items() if name not in wrong}
    return kind.model_validate(good), _set_aside(path, f"has values that cannot be used: {', '.join(sorted(wrong))}")


def _set_aside(path: Path, reason: str) -> str:
    aside = path.with_name(path.name + DAMAGED)
    try:
        path.replace(aside)
    except OSError:
        return f"{path}: {reason}. The standard is used instead."
    return f"{path}: {reason}. The standard is used instead; the file was set aside as {aside.name}."


def write_kept(path: Path, content: Kept) -> None:
    """Write such a file; raises SettingsError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(path.parent, f"cannot be made: {error.strerror}", "Check its permissions.") from error
    text = json.dumps(content.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_whole(path, (text + "\n").encode())
