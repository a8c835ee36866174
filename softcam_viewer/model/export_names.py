"""Names of exported files: another one for each case and frame, and never that of files that are there already."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_viewer.model.cases import tell_apart

if TYPE_CHECKING:
    from softcam_core.imaging.image import MedicalImage

_ENDS = re.compile(r"[._]")
_SEPARATORS = re.compile(r"[\\/:]+")


class ExportNames:
    """Remembers which files are of which case, so that a case that is exported again replaces its own files alone."""

    def __init__(self) -> None:
        self._written: dict[Path, Hashable] = {}

    def in_folder(self, folder: Path) -> FolderNames:
        """Names that are free in a folder as it is now; raises OSError where it cannot be listed."""
        return FolderNames(folder, self._written)


class FolderNames:
    """Gives out names in one folder.

    Parameters
    ----------
    folder : Path
    written : dict of Path to owner
        Names that were given out before, in any folder; those given out are added.

    Attributes
    ----------
    changed : list of str
        Names that were wanted and taken by files of others.
    """

    def __init__(self, folder: Path, written: dict[Path, Hashable]) -> None:
        self._folder, self._written = folder, written
        # NAME is taken by NAME.suffix and NAME_part.suffix. Some file systems do not tell capitals from small letters.
        files = [entry.name.casefold() for entry in folder.iterdir()]
        self._taken = {file[: end.start()] for file in files for end in _ENDS.finditer(file)}
        self.changed: list[str] = []

    def take(self, name: str, owner: Hashable) -> str:
        """A name for the files of an owner: the one that is wanted, numbered where it is taken by another one's."""
        free, number = name, 1
        while not self._is_free(free, owner):
            number += 1
            free = f"{name}-{number}"
        self._written[self._place(free)] = owner
        if free != name:
            self.changed.append(name)
        return free

    def _is_free(self, name: str, owner: Hashable) -> bool:
        known = self._written.get(self._place(name))
        return known == owner if known is not None else name.casefold() not in self._taken

    def _place(self, name: str) -> Path:
        return self._folder.absolute() / name.casefold()

    @property
    def remark(self) -> str:
        """Which names are not those that were wanted, a sentence; empty for none."""
        if not self.changed:
            return ""
        more = f" and {len(self.changed) - 1:,} more" if len(self.changed) > 1 else ""
        return f"Other files named {self.changed[0]}{more} were there already and are kept: the new ones are numbered."


def titles_of(paths: Sequence[Path]) -> list[str]:
    """Names of images with as many of their folders as it takes to tell them apart."""
    return tell_apart(paths, [path.name for path in paths])


def names_after(paths: Sequence[Path]) -> list[str]:
    """Names of outputs after those of the images, another one for each."""
    from softcam_core.export.case_files import output_names

    return output_names([Path(_SEPARATORS.sub("_", title).strip("_")) for title in titles_of(paths)])


def with_frame(name: str, image: MedicalImage) -> str:
    """A name that tells which of several frames is meant, from 1."""
    count = image.frame_count
    return name if count == 1 else f"{name}_frame_{image.frame + 1:0{len(str(count))}d}"
