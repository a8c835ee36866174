"""Image files of a folder, by the names that others give them and by the keys of their cases."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from softcam_core.annotations.annotation import CaseRecord
from softcam_core.annotations.identity import case_key
from softcam_core.errors import ImageReadError
from softcam_core.imaging.readers import find_images, read_header, read_image


class ImageFiles:
    """Image files in a folder and its folders.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    ImageReadError
        When there is no such folder, or no image in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths = find_images(folder)
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        for path in self._paths:
            self._by_name[path.name].append(path)

    def named(self, name: str) -> list[Path]:
        """Files that a name may mean: the one at that place in the folder, or all with the last part of the name."""
        relative = Path(name.replace("\\", "/"))
        place = self.folder / relative
        if not relative.is_absolute() and place in self._by_name[relative.name]:
            return [place]
        return self._by_name[relative.name]

    def by_key(self) -> dict[str, Path]:
        """Files by the keys of their cases. Reads headers, and pictures whole; those that cannot be read are absent."""
        found: dict[str, Path] = {}
        for path in self._paths:
            try:
                found.setdefault(case_key(path, read_header(path).identity.instance_uid), path)
            except ImageReadError:
                continue
        return found


def record_of(path: Path) -> CaseRecord:
    """The case of an image file.

    Raises
    ------
    ImageReadError
        When it cannot be read.
    """
    image = read_image(path)
    uid = image.identity.instance_uid
    height, width = image.size
    return CaseRecord(
        key=case_key(path, uid), height=height, width=width, sop_instance_uid=uid, path=str(path.resolve())
    )
