"""Evidence as TIFF: real numbers on the original pixels."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import tifffile

from softcam_core.explainers.explanation import Class, Explanation
from softcam_core.export.facts import facts_of
from softcam_core.files import write_whole
from softcam_core.imaging.image import MedicalImage

_MM_PER_CM = 10


def write_tiff(
    path: Path | str, image: MedicalImage, explanation: Explanation, target: Class, against: Class | None = None
) -> None:
    """Write the map of a class as a float32 TIFF of the image's size, uncompressed.

    Pixels outside the analysed area are NaN. ImageDescription is a JSON object (`softcam_core.export.facts.Facts`, and
    ``"outside": "NaN"``). The resolution is given where the image has spacing. Nothing tells whose image it is. A file
    that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        Ends in .tiff.
    image : MedicalImage
        The image explained.
    explanation : Explanation
    target, against : str or int
        As `Explanation.map_of` takes them.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    KeyError, IndexError
        See `Explanation.map_of`.
    """
    values = explanation.on_image(target, against)
    facts = facts_of(explanation, target, against)
    resolution = None
    if image.spacing is not None:
        down, across = image.spacing
        resolution = (_MM_PER_CM / across, _MM_PER_CM / down)
    buffer = BytesIO()
    tifffile.imwrite(
        buffer,
        values,
        photometric="minisblack",
        description=facts.to_json(outside="NaN"),
        metadata=None,
        software=facts.software,
        resolution=resolution,
        resolutionunit="CENTIMETER" if resolution else None,
    )
    write_whole(Path(path), buffer.getvalue())
