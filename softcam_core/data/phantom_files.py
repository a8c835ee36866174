"""Phantom studies on disk: DICOM or PNG images, lesion masks and the manifest that lists them."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid

from softcam_core.data.phantom_fundus import FundusPhantom, make_fundus_phantom
from softcam_core.data.phantoms import CLASS_NAMES, SIZE_LIMITS, Phantom, make_phantom
from softcam_core.errors import SettingsError

#: Columns of the manifest that :func:`write_phantoms` writes.
MANIFEST_COLUMNS = ("image", "label", "split", "mask", "boxes", "seed")
SPLIT_NAMES = ("train", "val", "test")

Kind = Literal["chest", "fundus"]
KINDS: tuple[Kind, ...] = ("chest", "fundus")

_WIDTH_RANGE = (0.85, 1.15)  # of the asked size, where sizes vary
_ASPECT_RANGE: dict[Kind, tuple[float, float]] = {"chest": (0.95, 1.25), "fundus": (0.67, 1.0)}  # height / width
_TAG_STREAM = 1000  # none of a phantom's own
_SYNTHETIC = "Synthetic phantom, computed; not an image of a person"


def write_phantoms(
    folder: Path | str,
    count: int,
    *,
    kind: Kind = "chest",
    seed: int = 0,
    size: int = 512,
    lesion_fraction: float = 0.5,
    splits: tuple[float, float, float] = (0.7, 0.15, 0.15),
    vary_size: bool = False,
    compress: bool = False,
    tags: tuple[float, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a data set of phantoms: ``images/*.dcm`` or ``*.png``, ``masks/*.png`` and ``manifest.csv``.

    Parameters
    ----------
    folder : Path or str
        Where to; made if missing, and must be empty.
    count : int
        Number of studies, at least 1.
    kind : {"chest", "fundus"}
        Chest films with large lesions as DICOM files, or colour fundus photographs with small ones as PNG files.
    seed : int
        Of the data set, at least 0. The same arguments give the same files.
    size : int
        Side of the square images in pixels, 64 to 4096.
    lesion_fraction : float
        Part of the studies with lesions, 0 to 1; met to the nearest study.
    splits : (float, float, float)
        Parts of training, validation and test studies; they add up to 1. Each split has nearly the same
        proportion of lesions.
    vary_size : bool
        Draw each study's width (0.85 to 1.15 of `size`) and aspect (height / width of 0.95 to 1.25, of a fundus 0.67
        to 1).
    compress : bool
        Write RLE Lossless, which every DICOM reader knows and is about two thirds as large. PNG files always are
        compressed.
    tags : (float, float), optional
        A planted shortcut, chest films alone: how many of the studies with lesions, and of those without, wear a lead
        tag in a corner, 0 to 1. Without it none does.
    progress : callable, optional
        Called with the number of studies written and `count` after each.

    Returns
    -------
    Path
        The manifest, with the columns image, label, split, mask, boxes (``x y width height`` in pixels, separated
        by semicolons) and seed, with `tags` also tag (a box, or nothing); paths are relative to its folder.

    Raises
    ------
    SettingsError
        When the folder is not empty or cannot be written, or a number is out of range.
    """
    folder = Path(folder)
    _check(folder, count, kind, seed, size, lesion_fraction, splits, vary_size)
    if tags is not None:
        _check_tags(kind, tags)
    try:
        for name in ("images", "masks"):
            (folder / name).mkdir(parents=True)
    except OSError as error:
        raise SettingsError(folder, f"cannot be made: {error.strerror}", "Choose another folder.") from error
    has_lesion, split = _plan(np.random.default_rng(seed), count, lesion_fraction, splits)
    # 53 bits, because spreadsheets hold whole numbers as floats.
    seeds = np.random.SeedSequence(seed).generate_state(count, np.uint64) >> np.uint64(11)
    manifest = folder / "manifest.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(MANIFEST_COLUMNS + ("tag",) * (tags is not None))
        for number in range(1, count + 1):
            study_seed = int(seeds[number - 1])
            shape = _draw_shape(study_seed, size, _ASPECT_RANGE[kind]) if vary_size else (size, size)
            is_ill = bool(has_lesion[number - 1])
            phantom: Phantom | FundusPhantom
            if kind == "chest":
                image = f"images/phantom_{number:05d}.dcm"
                wears_tag = tags is not None and _wears_tag(study_seed, tags[0] if is_ill else tags[1])
                phantom = make_phantom(study_seed, shape, lesion=is_ill, tag=wears_tag)
                write_dicom(phantom, folder / image, number=number, compress=compress)
            else:
                image = f"images/phantom_{number:05d}.png"
                phantom = make_fundus_phantom(study_seed, shape, lesion=is_ill)
                write_png(phantom, folder / image)
            mask = f"masks/phantom_{number:05d}.png"
            encoded = cv2.imencode(".png", phantom.mask.astype(np.uint8) * 255)[1]
            (folder / mask).write_bytes(encoded.tobytes())
            boxes = ";".join(" ".join(map(str, box)) for box in phantom.boxes)
            row = [image, phantom.class_name, split[number - 1], mask, boxes, study_seed]
            if tags is not None:
                box = phantom.tag_box if isinstance(phantom, Phantom) else None
                row.append("" if box is None else " ".join(map(str, box)))
            table.writerow(row)
            if progress is not None:
                progress(number, count)
    return manifest


def write_dicom(phantom: Phantom, path: Path | str, *, number: int = 1, compress: bool = False) -> None:
    """Write a phantom as a Computed Radiography image.

    Parameters
    ----------
    phantom : Phantom
    path : Path or str
        The file; replaced if it exists.
    number : int
        Of the study; part of the patient's name and ID.
    compress : bool
        RLE Lossless instead of uncompressed.
    """
    dataset = _dataset(phantom, number)
    if compress:
        # Deterministic UIDs: the compressed image is the same image.
        dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)


def write_png(phantom: FundusPhantom, path: Path | str) -> None:
    """Write a fundus phantom as a PNG image; the file is replaced if it exists."""
    notes = PngInfo()
    notes.add_text("Comment", _SYNTHETIC)
    Image.fromarray(phantom.pixels).save(path, pnginfo=notes)


def _dataset(phantom: Phantom, number: int) -> Dataset:
    height, width = phantom.pixels.shape
    identity = f"{phantom.seed}/{phantom.label}/{height}x{width}/{number}"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["softcam phantom instance", identity])
    ds = Dataset()
    ds.file_meta = meta

    ds.PatientName = f"Phantom^Synthetic {number:05d}"
    ds.PatientID = f"PHANTOM-{number:05d}"
    ds.PatientBirthDate = ""
    ds.PatientSex = ""
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["softcam phantom study", identity])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=["softcam phantom series", identity])
    ds.SOPClassUID = meta.MediaStorageSOPClassUID
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.StudyDate = ""
    ds.StudyTime = ""
    ds.AccessionNumber = ""
    ds.ReferringPhysicianName = ""
    ds.StudyID = ""
    ds.StudyDescription = "Synthetic chest phantom"
    ds.SeriesNumber = 1
    ds.InstanceNumber = 1
    ds.Modality = "CR"
    ds.Manufacturer = "SoftCAM phantom generator"
    ds.BodyPartExamined = "CHEST"
    ds.ViewPosition = "PA"
    ds.PatientOrientation = ["L", "F"]
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.BurnedInAnnotation = "NO"
    ds.ImageComments = _SYNTHETIC

    ds.Rows, ds.Columns = height, width
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelRepresentation = 0
    ds.PixelSpacing = list(phantom.spacing)
    ds.ImagerPixelSpacing = list(phantom.spacing)
    ds.WindowCenter = phantom.window_center
    ds.WindowWidth = phantom.window_width
    ds.PixelData = phantom.pixels.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def _wears_tag(study_seed: int, share: float) -> bool:
    return bool(np.random.default_rng((study_seed, _TAG_STREAM)).random() < share)


def _check_tags(kind: Kind, tags: tuple[float, float]) -> None:
    if kind != "chest":
        raise SettingsError("--tags", "is for chest radiographs", "Leave it out, or choose --kind chest.")
    if not all(0 <= share <= 1 for share in tags):
        raise SettingsError("--tags", "needs two numbers from 0 to 1", "Give for instance --tags 1 0.")


def _check(
    folder: Path,
    count: int,
    kind: Kind,
    seed: int,
    size: int,
    lesion_fraction: float,
    splits: tuple[float, float, float],
    vary_size: bool,
) -> None:
    smallest, largest = SIZE_LIMITS
    low, high = size, size
    if vary_size:
        flattest, tallest = _ASPECT_RANGE[kind]
        low = int(size * _WIDTH_RANGE[0] * min(1, flattest))
        high = int(size * _WIDTH_RANGE[1] * tallest) + 1
    if folder.exists() and not folder.is_dir():
        raise SettingsError(folder, "is not a folder", "Choose a new or empty folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise SettingsError(folder, "is not empty", "Choose a new or empty folder.")
    if count < 1:
        raise SettingsError(folder, f"cannot hold {count} phantoms", "The count is at least 1.")
    if seed < 0:
        raise SettingsError(folder, f"no phantoms have the seed {seed}", "The seed is at least 0.")
    if low < smallest or high > largest:
        sides = f"{low} to {high}" if vary_size else f"{size}"
        advice = f"Image sides are {smallest} to {largest} pixels."
        raise SettingsError(folder, f"no phantoms have sides of {sides} pixels", advice)
    if not 0 <= lesion_fraction <= 1:
        raise SettingsError(folder, f"the lesion fraction is {lesion_fraction:g}", "It is between 0 and 1.")
    if len(splits) != len(SPLIT_NAMES) or not all(part >= 0 for part in splits) or abs(sum(splits) - 1) > 1e-6:
        raise SettingsError(folder, f"the splits are {splits}", "Give three parts that add up to 1.")


def _plan(
    rng: np.random.Generator, count: int, lesion_fraction: float, splits: tuple[float, float, float]
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Decide for each study whether it has lesions, and its split."""
    has_lesion = rng.permutation(count) < round(count * lesion_fraction)
    split = [""] * count
    # One queue, class after class, dealt out in the right proportions: each split gets its part of each class.
    queue = np.concatenate([rng.permutation(np.flatnonzero(has_lesion == label)) for label in range(len(CLASS_NAMES))])
    dealt = np.zeros(len(splits))
    for position, study in enumerate(queue, start=1):
        behind = np.array(splits) * position - dealt
        chosen = int(np.argmax(behind))
        dealt[chosen] += 1
        split[study] = SPLIT_NAMES[chosen]
    return has_lesion, split


def _draw_shape(seed: int, size: int, aspects: tuple[float, float]) -> tuple[int, int]:
    """Height and width of a study whose size varies."""
    rng = np.random.default_rng((seed, size))
    width = size * rng.uniform(*_WIDTH_RANGE)
    return round(width * rng.uniform(*aspects)), round(width)
