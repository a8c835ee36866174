"""Evidence as NIfTI: real numbers on the original pixels, for tools that read volumes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Extension, Nifti1Image

from softcam_core.explainers.explanation import Class, Explanation
from softcam_core.export.facts import facts_of
from softcam_core.files import write_whole
from softcam_core.imaging.image import MedicalImage
from softcam_core.notice import NOTICE

_ALIGNED = 2  # NIFTI_XFORM_ALIGNED_ANAT: coordinates belong to another file, here the image
_COMMENT = 6  # NIFTI_ECODE_COMMENT


def write_nifti(
    path: Path | str, image: MedicalImage, explanation: Explanation, target: Class, against: Class | None = None
) -> None:
    """Write the map of a class as NIfTI-1, float32, one voxel deep.

    Voxel (i, j, 0) is the pixel in column i and row j of the image; NaN lies outside the analysed area. Columns run to
    the patient's left (-x of NIfTI's RAS axes) and rows along -y. This is how ITK writes a flat picture that says
    nothing of the patient, so that a picture converted by its tools and the map lie on each other. On a frontal
    radiograph left is then left, and y stands for down; no anatomical direction is known, and none is claimed (both
    transforms have the code "aligned"). Where the spacing is not known it is 1 mm, and ``descrip`` says so. A comment
    in the header is the JSON object of `softcam_core.export.facts.Facts`. A file that is there is replaced as a whole.

    Parameters and errors are those of `softcam_core.export.tiff.write_tiff`; the path ends in .nii, or in .nii.gz for a
    compressed file.
    """
    path = Path(path)
    facts = facts_of(explanation, target, against)
    down, across = image.spacing or (1.0, 1.0)
    volume = explanation.on_image(target, against).T[:, :, None]
    file = Nifti1Image(volume, np.diag([-across, -down, 1.0, 1.0]))
    header = file.header
    file.set_qform(file.affine, code=_ALIGNED)
    file.set_sform(file.affine, code=_ALIGNED)
    header.set_xyzt_units("mm")
    header.set_intent("estimate", name=facts.unit)
    # 80 bytes at most.
    header["descrip"] = (NOTICE if image.spacing else f"Spacing unknown, 1 mm assumed. {NOTICE}").encode("ascii")
    header.extensions.append(Nifti1Extension(_COMMENT, facts.to_json(outside="NaN").encode("ascii")))
    content: bytes = file.to_bytes()
    # The fastest level: noise in the last bits of a smooth map does not get smaller with more.
    write_whole(path, gzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content)
