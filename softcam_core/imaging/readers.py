"""Image files of any kind -> MedicalImage: what a file is, its content says and not its name."""

from pathlib import Path

from softcam_core.errors import ImageReadError
from softcam_core.imaging.checks import MAX_PIXELS
from softcam_core.imaging.dicom import read_dicom, read_dicom_header
from softcam_core.imaging.image import ImageHeader, MedicalImage
from softcam_core.imaging.raster import count_pages, read_raster

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "find_images", "is_image_file", "read_header", "read_image"]

IMAGE_SUFFIXES = (".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Suffixes, in lower case, by which image files are found in folders."""

_KINDS = "DICOM, PNG, JPEG and TIFF"
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # TIFF and BigTIFF, little and big endian
_RASTER_MAGIC = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",  # JPEG
    *_TIFF_MAGIC,
)


def read_image(path: Path | str, frame: int = 0) -> MedicalImage:
    """Read one frame of a DICOM, PNG, JPEG or TIFF file.

    Parameters
    ----------
    path : Path or str
        The file.
    frame : int
        Which frame of a multi-frame DICOM file, or which page of a TIFF file, from 0.

    Returns
    -------
    MedicalImage

    Raises
    ------
    ImageReadError
        If there is no such file or frame, or the file is not an image, damaged, larger than `MAX_PIXELS` a frame,
        or has pixel values that are not finite.
    """
    path = Path(path)
    head = _head(path)
    if not head:
        raise ImageReadError(path, "it is empty", "Copy or export the file again.")
    if _is_dicom(head):
        return read_dicom(path, frame)
    if head.startswith(_RASTER_MAGIC):
        return read_raster(path, frame)
    raise ImageReadError(path, "its content is not that of an image file we know", f"Files read are {_KINDS}.")


def read_header(path: Path | str) -> ImageHeader:
    """Read what an image file says of itself, without its pixels: a millisecond or two.

    A file that is no image gives the header of nothing; what is wrong with it is said when it is read.

    Raises
    ------
    ImageReadError
        If there is no such file, or its DICOM header is damaged.
    """
    path = Path(path)
    head = _head(path)
    if _is_dicom(head):
        return read_dicom_header(path)
    return ImageHeader(frame_count=count_pages(path) if head.startswith(_TIFF_MAGIC) else 1)


def find_images(path: Path | str) -> list[Path]:
    """Image files a path stands for.

    Parameters
    ----------
    path : Path or str
        A file gives itself. A folder gives the image files in it and in its folders, sorted.

    Returns
    -------
    list of Path
        At least one.

    Raises
    ------
    ImageReadError
        If there is no such file or folder, or no image in it.
    """
    path = Path(path)
    if not path.is_dir():
        _head(path)
        return [path]
    found = sorted(file for file in path.rglob("*") if is_image_file(file))
    if not found:
        raise ImageReadError(path, "there is no image in this folder", f"Files read are {_KINDS}.")
    return found


def is_image_file(path: Path) -> bool:
    """Whether a file is worth trying to read: by its suffix, or where it has none by the DICOM mark in it.

    Files whose name starts with a dot are not: other systems leave such beside images, with their suffix.
    """
    if path.name.startswith(".") or path.name == "DICOMDIR" or not path.is_file():
        return False
    # Scanners name files by unique identifiers, whose last number looks like a suffix.
    if path.suffix and not path.suffix[1:].isdigit():
        return path.suffix.lower() in IMAGE_SUFFIXES
    try:
        return _is_dicom(_head(path))
    except ImageReadError:
        return False


def _is_dicom(head: bytes) -> bool:
    return head[128:132] == b"DICM"


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(132)
    except FileNotFoundError as error:
        raise ImageReadError(path, "there is no such file", "Check the path.") from error
    except IsADirectoryError as error:
        raise ImageReadError(path, "it is a folder, not a file", "Name one image file in it.") from error
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageReadError(path, f"it could not be opened ({reason})", "Check its access rights.") from error
