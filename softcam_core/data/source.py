"""Where labelled images come from: a table, class folders, COCO annotations or a data set's own release."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from softcam_core.data.assembly import assemble
from softcam_core.data.coco import read_coco
from softcam_core.data.folders import has_class_folders, read_folders
from softcam_core.data.releases import kaggle_dr_source, read_rsna, release_in, rsna_source
from softcam_core.data.samples import Manifest, Split
from softcam_core.data.tables import read_tables
from softcam_core.errors import ManifestError

Format = Literal["auto", "csv", "folders", "coco", "kaggle_dr", "rsna"]


class DataSource(BaseModel):
    """Which images, and how their labels and splits are found.

    Attributes
    ----------
    path : Path
        A CSV, a COCO JSON, a folder with one folder a class (perhaps within one a split), or a release's folder.
    format : {"auto", "csv", "folders", "coco", "kaggle_dr", "rsna"}
        "auto" tells by what `path` is; a folder with any of `files` in it holds tables. What concerns columns does
        not apply to the other formats, so that one description fits a table and a release.
    files : dict
        One CSV for each split instead of a split column, relative to `path`, which then is a folder.
    root : Path or None
        Folder that image names start from; by default that of the table, or `path` where it is a folder.
    image_column, label_column, split_column : str
        Names of the columns. The column "split" is used where there is one, another must be there; with an empty
        name splits are drawn. In COCO files `split_column` is the key of an image.
    image_suffix : str
        Added to image names that have none (".jpeg").
    replace_suffix : bool
        Put `image_suffix` in the place of other suffixes too: for a table of PNGs and images that are JPEG or DICOM.
    label_columns : tuple of str
        For multi-label tables: one column of 0 and 1 for each class.
    mask_column, boxes_column : str
        Lesion masks (image files, not 0 inside), and boxes as ``x y width height`` in pixels of the image, separated
        by semicolons. The columns "mask" and "boxes" are used where there are such, others must be there; empty for
        none.
    box_columns : (str, str, str, str) or None
        One box in four columns (x, y, width, height), in pixels; empty or NaN where there is none. Several rows of
        an image that differ in the box alone are its boxes.
    boxes_size : int or None
        Side of the square image that a table's boxes are measured on, where that is not the image itself.
    patient_column : str
        Keeps a patient's images in one split; checked where the data has splits. In COCO files a key of an image.
    patient_pattern : str
        Regular expression that finds the patient in the file's name (its first group), where no column does.
    shared_patients : {"refuse", "leave_out"}
        What to do about patients who are in two splits of the data: refuse it, or keep their images in the test
        split (without such, the validation split) alone.
    class_names : tuple of str
        In order; by default what the data names.
    labels : dict
        Label as written -> name of its class, where they differ; several labels may share a class.
    exclude : tuple of str
        Labels whose images are left out.
    negative_class : str
        COCO: the class of images without annotation.
    val_share, test_share : float
        Parts of the images that become validation and test where the data has no splits; 0 for none. Where it has,
        only a missing validation split is drawn, as `val_share` of the training images.
    split_seed : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)

    path: Path
    format: Format = "auto"
    files: dict[Split, Path] = Field(default_factory=dict)
    root: Path | None = None
    image_column: str = "image"
    label_column: str = "label"
    split_column: str = "split"
    image_suffix: str = ""
    replace_suffix: bool = False
    label_columns: tuple[str, ...] = ()
    mask_column: str = "mask"
    boxes_column: str = "boxes"
    box_columns: tuple[str, str, str, str] | None = None
    boxes_size: int | None = Field(default=None, ge=1)
    patient_column: str = ""
    patient_pattern: str = ""
    shared_patients: Literal["refuse", "leave_out"] = "refuse"
    class_names: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    negative_class: str = ""
    val_share: float = Field(default=0.15, ge=0, lt=1)
    test_share: float = Field(default=0.15, ge=0, lt=1)
    split_seed: int = Field(default=0, ge=0)

    @field_validator("class_names")
    @classmethod
    def _names_differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names) or not all(name.strip() for name in names):
            raise ValueError(f"the class names {', '.join(names)} must differ and not be empty")
        return names

    @field_validator("patient_pattern")
    @classmethod
    def _pattern_has_a_group(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"the patient pattern {pattern!r} is not a regular expression: {error}") from error
        if pattern and not groups:
            raise ValueError(f"the patient pattern {pattern!r} has no group: put the patient's part in parentheses")
        return pattern

    @field_validator("image_suffix")
    @classmethod
    def _suffix_has_a_dot(cls, suffix: str) -> str:
        if suffix and (not suffix.startswith(".") or len(suffix) == 1):
            raise ValueError(f"the image suffix {suffix!r} must start with a dot, as .png does")
        return suffix

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.val_share + self.test_share >= 1:
            raise ValueError("val_share and test_share leave nothing to train on: their sum must be below 1")
        if len(set(self.label_columns)) < len(self.label_columns):
            raise ValueError("the label columns must differ")
        if self.label_columns and (self.labels or self.exclude):
            raise ValueError("labels and exclude are for one label an image, not for label_columns")
        if self.label_columns and self.class_names and len(self.label_columns) != len(self.class_names):
            raise ValueError(
                f"{len(self.label_columns)} label columns need as many class names, not {len(self.class_names)}"
            )
        unknown = [name for name in self.labels.values() if self.class_names and name not in self.class_names]
        if unknown:
            raise ValueError(f"labels leads to {unknown[0]!r}, but the classes are {', '.join(self.class_names)}")
        if self.replace_suffix and not self.image_suffix:
            raise ValueError("replace_suffix needs an image_suffix")
        return self


def read_source(source: DataSource, *, check_images: bool = True, make_splits: bool = True) -> Manifest:
    """Read labelled images and check them as a whole.

    Parameters
    ----------
    source : DataSource
    check_images : bool
        Look for image and mask files. Without, boxes stay as they are written (in pixels of `boxes_size`), because
        the size of the images is not known. For counting and for tests.
    make_splits : bool
        Draw splits where the data has none. Without, such data are refused.

    Returns
    -------
    Manifest
        Boxes are in pixels of the image: the headers of images with boxes have been read for that.

    Raises
    ------
    ManifestError
        When the data cannot be read or any image has a problem: an empty field, an unknown label or split, labels of
        mixed types, a missing file, a patient or a box that is not found where it should be, an image listed twice,
        or a patient in two splits. All images concerned are listed.
    """
    kind = _kind(source)
    if kind == "csv":
        return assemble(read_tables(source), source, check_images=check_images, make_splits=make_splits)
    if kind == "kaggle_dr":
        source = kaggle_dr_source(source)
        return assemble(read_tables(source), source, check_images=check_images, make_splits=make_splits)
    if kind == "rsna":
        source = rsna_source(source)
        return assemble(read_rsna(source), source, check_images=check_images, make_splits=make_splits)
    listing = read_coco(source) if kind == "coco" else read_folders(source)
    return assemble(listing, source, check_images=check_images, make_splits=make_splits)


def _kind(source: DataSource) -> Format:
    """What `path` is, where the format is "auto"."""
    if source.format != "auto":
        return source.format
    path = source.path
    if not path.is_dir():
        return "coco" if path.suffix.lower() == ".json" else "csv"
    if any((path / name).exists() for name in source.files.values()):
        return "csv"
    release = release_in(path)
    if release is not None:
        return release
    tables = sorted(file.name for file in path.glob("*.csv"))
    if has_class_folders(path) and not tables:
        return "folders"
    if source.files:
        return "csv"
    if tables:
        advice = f"Choose {path / tables[0]}, or set the format to folders if its folders are classes."
        raise ManifestError(path, f"is a folder of tables ({', '.join(tables[:5])})", advice)
    raise ManifestError(
        path,
        "is a folder with nothing in it that lists or sorts images",
        "It needs a folder for each class, trainLabels.csv (Kaggle DR) or stage_2_train_labels.csv (RSNA); "
        "or choose a CSV table or a COCO JSON.",
    )
