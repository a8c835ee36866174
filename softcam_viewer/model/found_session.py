"""A session file that was found, and what of the files it names is there. Runs off the UI thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from softcam_viewer.model.session_file import SessionFile, file_digest, read_session


@dataclass(frozen=True, slots=True)
class Found:
    """A session file, and what of it is there.

    Attributes
    ----------
    content : SessionFile
    missing : frozenset of Path
        Cases, tables and models that are gone.
    digests : dict of Path to str
        SHA-256 of the files of models.
    """

    content: SessionFile
    missing: frozenset[Path]
    digests: dict[Path, str]


def look_up(path: Path) -> Found:
    """Read a session file and look which of its files are there; raises SessionFileError."""
    content = read_session(path)
    models = [model.path for model in content.models]
    missing = frozenset(file for file in (*content.cases, *content.tables, *models) if not file.is_file())
    return Found(content, missing, {model: file_digest(model) for model in models if model not in missing})
