"""All files that can be written of an explanation: pictures, numbers, regions, the ledger, DICOM."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation, Sign
    from softcam_core.export.dicom_source import DicomSource
    from softcam_core.imaging.image import MedicalImage
    from softcam_core.ledger.regions import Ledger

View = tuple[int, int | Literal["rest"] | None]
"""A class, and what it is weighed against."""

FORMATS = {
    "overlay": "picture with colour bar, _overlay.png",
    "npz": "the map as numbers, on its own grid, .npz",
    "tiff": "on the original pixels, .tiff",
    "nifti": "the same, .nii.gz",
    "seg": "regions above the threshold as DICOM Segmentation, _regions.dcm; of evidence alone",
    "parametric-map": "on the original pixels as DICOM, _map.dcm",
    "secondary-capture": "the picture as DICOM, _overlay.dcm",
    "ledger": "regions above the threshold and all the rest, which add up to the logit, _ledger.csv; of evidence alone",
}
"""Names, and what is written under which endings."""
DEFAULT_FORMATS = ("overlay", "npz")
# Cut off the names of outputs; other files' dots (DICOM UIDs have many) are part of the name.
_SUFFIXES = {".dcm", ".dicom", ".dic", ".ima", ".png", ".jpg", ".jpeg", ".tif", ".tiff"}
_DICOM = {"seg", "parametric-map", "secondary-capture"}


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """What is written of each explanation, and how it is drawn.

    Attributes
    ----------
    folder : Path
    formats : tuple of str
        Names of `FORMATS`.
    keep_identity : bool
        For DICOM files: in the study of the image, with its patient.
    threshold : float or None
        In the unit of the map; None for a share of the largest value.
    opacity : float
    colormap : str or None
    sign : {"both", "positive", "negative"}
    left_out : collection of (int, int, bool)
        Regions that are not written as DICOM Segmentation: row and column of a pixel in them, and whether they are for
        the class. Names of regions are those of one raster and threshold; places are the same on any.
    """

    folder: Path
    formats: tuple[str, ...] = DEFAULT_FORMATS
    keep_identity: bool = False
    threshold: float | None = None
    opacity: float = 0.6
    colormap: str | None = None
    sign: Sign = "both"
    left_out: Collection[tuple[int, int, bool]] = ()

    def source(self, image: MedicalImage, name: str) -> DicomSource | None:
        """What DICOM files of an image refer to, written as NAME_image.dcm where it is no file of its own."""
        if not _DICOM.intersection(self.formats):
            return None
        from softcam_core.export.dicom_image import write_image
        from softcam_core.export.dicom_source import dicom_source

        source = dicom_source(image, keep_identity=self.keep_identity)
        if not source.is_identified:
            write_image(self.folder / f"{name}_image.dcm", source)
        return source

    def write(
        self,
        image: MedicalImage,
        explanation: Explanation,
        view: View,
        source: DicomSource | None,
        name: str,
    ) -> str:
        """Write an explanation in all formats.

        Parameters
        ----------
        image : MedicalImage
        explanation : Explanation
        view : (int, int or None)
            Target and opponent.
        source : DicomSource or None
            See `source`.
        name : str
            How files begin; the numbers of evidence are in NAME_evidence files, those of other methods in NAME files.

        Returns
        -------
        str
            What could not be written because there is nothing to write, a sentence; empty for nothing.

        Raises
        ------
        SettingsError
            When a file cannot be written.
        """
        numbers = self.folder / (f"{name}_evidence" if explanation.is_evidence else name)
        self._write_numbers(image, explanation, view, numbers)
        if {"overlay", "secondary-capture"}.intersection(self.formats):
            self._write_picture(image, explanation, view, source, name)
        if source is not None and "parametric-map" in self.formats:
            from softcam_core.export.dicom_parametric_map import write_parametric_map

            write_parametric_map(numbers.with_name(f"{numbers.name}_map.dcm"), source, explanation, *view)
        if not explanation.is_evidence or not {"seg", "ledger"}.intersection(self.formats):
            return ""
        ledger, level = self._ledger(explanation, view)
        if "ledger" in self.formats:
            from softcam_core.export.ledger_table import write_ledger

            path = self.folder / f"{name}_ledger.csv"
            write_ledger(path, ledger, explanation, *view, level=level, sign=self.sign, spacing=image.spacing)
        if source is None or "seg" not in self.formats:
            return ""
        left_out = {(int(ledger.labels[row, column]), positive) for row, column, positive in self.left_out}
        counted = replace(ledger, regions=tuple(r for r in ledger.regions if (r.number, r.positive) not in left_out))
        if not counted.regions:
            return f"{image.source.name}: no evidence above the threshold, so no regions are written."
        from softcam_core.export.dicom_segmentation import write_segmentation
        from softcam_core.export.facts import facts_of

        path = self.folder / f"{name}_regions.dcm"
        write_segmentation(path, source, counted, facts_of(explanation, *view), threshold=level)
        return ""

    def _ledger(self, explanation: Explanation, view: View) -> tuple[Ledger, float]:
        """On the image's own pixels, with its level."""
        import numpy as np

        from softcam_core.export.overlay import DEFAULT_THRESHOLD_SHARE
        from softcam_core.ledger.regions import ledger_of

        level = self.threshold
        if level is None:
            grid = explanation.map_of(*view) - explanation.offset_of(*view)
            level = DEFAULT_THRESHOLD_SHARE * float(np.nanmax(np.abs(explanation.geometry.on_image(grid))))
        return ledger_of(explanation, *view, level=level, sign=self.sign), level

    def _write_numbers(self, image: MedicalImage, explanation: Explanation, view: View, numbers: Path) -> None:
        # Names of images have dots: suffixes are added, not replaced.
        if "npz" in self.formats:
            from softcam_core.export.arrays import save_explanation

            save_explanation(numbers.with_name(f"{numbers.name}.npz"), explanation)
        if "tiff" in self.formats:
            from softcam_core.export.tiff import write_tiff

            write_tiff(numbers.with_name(f"{numbers.name}.tiff"), image, explanation, *view)
        if "nifti" in self.formats:
            from softcam_core.export.nifti import write_nifti

            write_nifti(numbers.with_name(f"{numbers.name}.nii.gz"), image, explanation, *view)

    def _write_picture(
        self,
        image: MedicalImage,
        explanation: Explanation,
        view: View,
        source: DicomSource | None,
        name: str,
    ) -> None:
        from softcam_core.export.overlay import render_overlay, save_picture

        picture = render_overlay(
            image,
            explanation,
            *view,
            threshold=self.threshold,
            opacity=self.opacity,
            colormap=self.colormap,
            sign=self.sign,
        )
        if "overlay" in self.formats:
            save_picture(self.folder / f"{name}_overlay.png", picture)
        if source is not None and "secondary-capture" in self.formats:
            from softcam_core.export.dicom_secondary_capture import write_secondary_capture
            from softcam_core.export.facts import facts_of

            facts = facts_of(explanation, *view)
            write_secondary_capture(self.folder / f"{name}_overlay.dcm", source, picture, facts)


def output_names(paths: Sequence[Path]) -> list[str]:
    """Distinct names of outputs, one an image: the file's name without its suffix, numbered where it was taken.

    Names that differ in case alone count as equal, since they do on some file systems.
    """
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        stem = path.stem if path.suffix.lower() in _SUFFIXES else path.name
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names
