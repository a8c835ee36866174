"""What the viewer asks of the core. Each function runs off the UI thread and imports what it needs there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from softcam_viewer.model.answers import Aim, Answer, ImageKey
from softcam_viewer.model.certainty import border_share, uncertainty
from softcam_viewer.model.labels import images_of, is_table
from softcam_viewer.model.loaded_model import LoadedModel, wrap
from softcam_viewer.model.methods import EVIDENCE

if TYPE_CHECKING:
    from softcam_core.imaging.image import ImageHeader, MedicalImage
    from softcam_core.models.card import ModelCard, Task
    from softcam_core.models.classifier import Classifier

THUMBNAIL_SIDE = 96
LONGEST = 8
"""Times its shorter side that an image may be long to have the middle of it as its thumbnail; of longer ones that shows
nothing."""
LEAST_FIT = 0.5
"""Of an architecture's weights that a file must have to be worth converting."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenedImage:
    """An image, and what tells it from others.

    Attributes
    ----------
    image : MedicalImage
    key : tuple
        Of file and frame; another one once the file has changed.
    """

    image: MedicalImage
    key: ImageKey


@dataclass(frozen=True, slots=True)
class Convertible:
    """A file of weights that may become a SoftCAM.

    Attributes
    ----------
    path : Path
    likeliest : str
        The architecture that fits best.
    fit : float
        How well: share of its names and shapes, 0 to 1.
    architectures : tuple of str
        All there are, those that fit best first.
    outputs : int or None
        Classes its classifier has; None where that is not found.
    """

    path: Path
    likeliest: str
    fit: float
    architectures: tuple[str, ...]
    outputs: int | None


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """How to convert a file of weights; see `softcam_core.models.conversion.convert`."""

    source: Path
    target: Path
    architecture: str
    class_names: tuple[str, ...]
    task: Task
    shorter_side: int


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """What the worklist shows of a case: see `Case`. `refusal` tells why it could not be explained."""

    thumbnail: npt.NDArray[np.uint8]
    frames: int
    prediction: tuple[str, float] | None
    probabilities: tuple[float, ...] = ()
    entropy: float | None = None
    border: float | None = None
    refusal: str = ""


def find_paths(paths: list[Path]) -> list[Path]:
    """Image files among files, in folders and in tables; raises ImageReadError or ManifestError where there is none."""
    from softcam_core.imaging.readers import find_images

    found = (images_of(path) if is_table(path) else find_images(path) for path in paths)
    return list(dict.fromkeys(file for files in found for file in files))


def read_headers(paths: list[Path]) -> dict[Path, ImageHeader]:
    """Headers of files; one that cannot be read gives that of nothing, and says why when it is opened."""
    from softcam_core.errors import ImageReadError
    from softcam_core.imaging.image import ImageHeader
    from softcam_core.imaging.readers import read_header

    found = {}
    for path in paths:
        try:
            found[path] = read_header(path)
        except ImageReadError:
            found[path] = ImageHeader()
    return found


def read(path: Path, frame: int) -> OpenedImage:
    """Read a frame; raises ImageReadError."""
    from softcam_core.imaging.readers import read_image

    key = key_of(path, frame)  # first: it says best what has become of a file
    return OpenedImage(read_image(path, frame), key)


def key_of(path: Path, frame: int) -> ImageKey:
    """What tells a frame from others, and a file from what it was before; raises ImageReadError where it is gone."""
    from softcam_core.errors import ImageReadError

    try:
        stat = path.stat()
    except OSError as error:
        reason = "there is no such file; it was removed, or moved with its folder"
        raise ImageReadError(path, reason, "Put it back, or open its folder again.") from error
    return path, frame, stat.st_size, stat.st_mtime_ns


def load(path: Path, device: str) -> LoadedModel | Convertible:
    """Load a model, or look into a file of weights that may become one; raises CheckpointError or SettingsError."""
    from softcam_core.devices import choose_device
    from softcam_core.models.checkpoint import is_model_file, load_model

    if not is_model_file(path):
        convertible = _look_into(path)
        if convertible is not None:
            return convertible
    return wrap(load_model(path, choose_device(device)), path)


def load_to_compare(path: Path, like: ModelCard, device: str) -> LoadedModel:
    """Load a model beside the one in use: a SoftCAM, or weights of a black box with the classes and input of `like`.

    Raises
    ------
    CheckpointError, SettingsError
    """
    from softcam_core.devices import choose_device
    from softcam_core.models.black_box import load_black_box
    from softcam_core.models.checkpoint import is_model_file, load_model

    chosen = choose_device(device)
    return wrap(load_model(path, chosen) if is_model_file(path) else load_black_box(path, like, chosen), path)


def _look_into(path: Path) -> Convertible | None:
    """What a file of weights could be; None for one that is not of weights at all, whose error `load_model` words."""
    from softcam_core.errors import CheckpointError
    from softcam_core.models.families import architectures
    from softcam_core.models.fitting import fitting_architectures, output_count
    from softcam_core.models.weights import read_weights

    if not path.is_file() or path.stat().st_size == 0:
        return None
    tensors = read_weights(path)
    fits = fitting_architectures(tensors)
    likeliest, fit = fits[0]
    if fit < LEAST_FIT:
        reason = "fits no architecture that can be converted"
        raise CheckpointError(path, reason, "Choose a SoftCAM, or the weights of a convolutional classifier.")
    likely = [name for name, fit in fits if fit == fits[0][1]]
    return Convertible(path, likeliest, fit, tuple(dict.fromkeys((*likely, *architectures()))),
                       output_count(tensors, likeliest))  # fmt: skip


def convert(request: ConversionRequest, images: tuple[MedicalImage, ...], device: str) -> LoadedModel:
    """Convert, save and load; raises CheckpointError or SettingsError."""
    from softcam_core.models.checkpoint import save_model
    from softcam_core.models.conversion import convert as convert_network

    model = convert_network(
        request.source,
        request.class_names,
        request.architecture,
        task=request.task,
        preprocessing={"shorter_side": request.shorter_side},
        images=images,
    )
    save_model(model, request.target)
    loaded = load(request.target, device)
    assert isinstance(loaded, LoadedModel)
    return loaded


def explain(
    classifier: Classifier,
    image: MedicalImage,
    method: str = EVIDENCE,
    aim: Aim | None = None,
    views: Collection[Aim | None] = (),
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Answer | None:
    """Explain a prediction.

    Parameters
    ----------
    classifier : Classifier
    image : MedicalImage
    method : str
        With its options.
    aim : Aim or None
        See `softcam_viewer.model.answers.Question`.
    views : collection of Aim or None
        Which maps of evidence will be shown, None for what is shown when nobody has chosen; they are made ready to be
        drawn, as the only map of other methods always is.
    on_progress, should_stop : callable, optional
        See `softcam_core.explainers.watch.Watch`.

    Returns
    -------
    Answer or None
        None where it was stopped.

    Raises
    ------
    SettingsError
        When the method cannot explain the model, or the image does not fit.
    """
    from softcam_core.explainers.methods import explain as explain_method
    from softcam_core.explainers.targets import Target
    from softcam_core.explainers.watch import CancelledError, Watch
    from softcam_core.ledger import regions, what_if  # noqa: F401 - for the UI thread, which needs them next
    from softcam_viewer.model.overlay import make_overlay_map

    watch = Watch(on_progress, should_stop)
    try:
        explanation = explain_method(classifier, image, method, None if aim is None else [Target(*aim)], watch=watch)
    except CancelledError:
        return None
    target = explanation.targets[0]
    shown = {view or explanation.default_view() for view in views}
    if not explanation.is_evidence:
        shown = {(target.of, target.against)}
    return Answer(explanation, {view: make_overlay_map(explanation, *view) for view in shown})


def preview(path: Path, model: LoadedModel | None) -> Preview:
    """Read a case's first frame for the worklist, and predict where there is a model; raises ImageReadError."""
    from softcam_core.errors import BorderError

    image = read(path, 0).image
    small = _thumbnail(image)
    if model is None:
        return Preview(small, image.frame_count, None)
    try:
        answer = explain(model.network, image)
    except BorderError as error:
        return Preview(small, image.frame_count, None, refusal=str(error))
    assert answer is not None  # nobody stops it
    explanation = answer.explanation
    probabilities = tuple(map(float, explanation.probabilities))
    return Preview(
        small,
        image.frame_count,
        (explanation.class_names[explanation.predicted], probabilities[explanation.predicted]),
        probabilities,
        uncertainty(probabilities, is_exclusive=explanation.card.task == "single_label"),
        border_share(explanation) if explanation.is_evidence else None,
    )


def _thumbnail(image: MedicalImage) -> npt.NDArray[np.uint8]:
    """A square of `THUMBNAIL_SIDE` pixels: the middle of the image, or all of a very long one, on black."""
    import cv2

    (height, width), side = image.size, min(image.size)
    if max(image.size) > LONGEST * side:
        side = max(image.size) // LONGEST
    top, left = max(height - side, 0) // 2, max(width - side, 0) // 2
    middle = np.s_[top : top + side, left : left + side]
    # Only what will be seen is put through the window.
    shown = replace(image, pixels=image.pixels[middle], presentation=image.presentation[middle]).display()
    factor = THUMBNAIL_SIDE / max(shown.shape[:2])
    size = tuple(max(1, round(pixels * factor)) for pixels in shown.shape[:2])
    small = cv2.resize(shown, size[::-1], interpolation=cv2.INTER_AREA)
    square = np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE, *small.shape[2:]), dtype=np.uint8)
    y, x = ((THUMBNAIL_SIDE - pixels) // 2 for pixels in size)
    square[y : y + size[0], x : x + size[1]] = np.rint(small * 255)
    return square


def describe(model: LoadedModel) -> dict[str, list[tuple[str, str]]]:
    """The model's card in words: title -> lines of name and value."""
    from softcam_core.models.describe import describe_card

    return describe_card(model.card, model.field)


def read_mask(path: Path, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Read a mask of an image of a size; raises ImageReadError."""
    from softcam_core.data.prepared import read_mask as read

    return read(path, size)
