"""Synthetic chest radiographs whose lesions are known to the pixel.

A phantom is a frontal chest film computed the way a film is made: attenuations of the body's structures add up
along the beam, photons that pass are counted together with scattered ones, and the logarithm is shown. A study
with lesions and the same study without them differ in the lesions only, noise included, so that what an
explanation claims can be checked against a true counterfactual.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from softcam_core.data import phantom_anatomy as anatomy
from softcam_core.data.phantom_view import Image, Points, View, band

#: Class names; a label is an index of this.
CLASS_NAMES = ("no finding", "opacity")
#: Part of its peak that a lesion must reach at a pixel for the mask to count it.
MASK_THRESHOLD = 0.25
#: Smallest image side that shows the anatomy, and the largest that is useful, in pixels.
SIZE_LIMITS = (64, 4096)

Box = tuple[int, int, int, int]

_FILM_WIDTH_MM = 400.0
_STORED_MAX = 4095
_STORED_PER_ATTENUATION = 850.0
_STORED_OFFSET = 250.0
# Every concern draws from a stream of its own: a lesion more leaves anatomy, marker and noise as they are.
_STREAMS = ("label", "patient", "view", "structures", "texture", "lesions", "marker", "exposure", "noise", "tag")
# Strokes of the lead letters in a box 0.6 wide and 1 high.
_LETTERS = {
    "L": [[(0.05, 0.0), (0.05, 1.0), (0.6, 1.0)]],
    "R": [
        [(0.05, 1.0), (0.05, 0.0), (0.38, 0.0), (0.55, 0.1), (0.58, 0.26), (0.55, 0.42), (0.38, 0.52), (0.05, 0.52)],
        [(0.32, 0.52), (0.62, 1.0)],
    ],
}


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A synthetic study.

    Attributes
    ----------
    pixels : ndarray, (H, W) uint16
        Stored values, 0 to 4095; higher is whiter.
    mask : ndarray, (H, W) bool
        Where lesions add more than a quarter of their peak attenuation. Empty without lesions.
    label : int
        0 without lesions, 1 with.
    spacing : (float, float)
        Millimetres per pixel, rows then columns.
    window_center, window_width : float
        Stored values to show from black to white.
    boxes : tuple of (int, int, int, int)
        Bounding box of each lesion: x, y, width, height in pixels.
    marker : {"L", "R"}
        The lead letter on the film; independent of the label.
    marker_box : (int, int, int, int)
        Where it lies, as in `boxes`.
    seed : int
    tag_box : (int, int, int, int) or None
        Where a lead tag lies, as in `boxes`; None without one.
    """

    pixels: npt.NDArray[np.uint16]
    mask: npt.NDArray[np.bool_]
    label: int
    spacing: tuple[float, float]
    window_center: float
    window_width: float
    boxes: tuple[Box, ...]
    marker: str
    marker_box: Box
    seed: int
    tag_box: Box | None = None

    @property
    def class_name(self) -> str:
        """Name of the label."""
        return CLASS_NAMES[self.label]

    def display(self) -> npt.NDArray[np.uint8]:
        """Grey levels (H, W) of the film under its window."""
        shown = (self.pixels - (self.window_center - self.window_width / 2)) / self.window_width
        return np.asarray(np.round(255 * np.clip(shown, 0, 1)), np.uint8)


@dataclass(frozen=True, slots=True)
class _Lesion:
    """A focal opacity; lengths in body units, `peak` is an attenuation."""

    center: Points
    radius: float
    elongation: float
    angle: float
    hazy: bool
    peak: float


def make_phantom(
    seed: int, size: tuple[int, int] | int = 512, lesion: bool | None = None, *, tag: bool = False
) -> Phantom:
    """Make the study of a seed.

    Parameters
    ----------
    seed : int
        At least 0. The same seed gives the same patient, lesions and marker at every size of one aspect ratio;
        the noise is drawn for each pixel.
    size : (int, int) or int
        Height and width in pixels, or the side of a square; 64 to 4096.
    lesion : bool, optional
        Whether there are lesions. By default the seed decides, half and half.
    tag : bool
        Whether a lead tag lies in the upper left corner: something that has nothing to do with the patient, and that a
        classifier learns where it goes with the label. The rest of the film is as it is without.

    Returns
    -------
    Phantom

    Raises
    ------
    ValueError
        When the seed is negative or a side is out of range.
    """
    height, width = checked_size(seed, size)
    rng = {name: np.random.default_rng((seed, stream)) for stream, name in enumerate(_STREAMS)}
    by_seed = bool(rng["label"].random() < 0.5)
    has_lesion = by_seed if lesion is None else lesion

    patient = anatomy.draw_patient(rng["patient"])
    view = _draw_view(rng["view"], height, width)
    x, y = view.grid()
    lungs = anatomy.lungs(patient, view, x, y)
    attenuation = _body(rng, patient, view, lungs, x, y)

    extra = np.zeros_like(attenuation)
    mask = np.zeros(attenuation.shape, bool)
    boxes: list[Box] = []
    for drawn in _draw_lesions(rng["lesions"], patient) if has_lesion else []:
        thickness = _opacity(rng["lesions"], drawn, view, x, y) * lungs.field
        covered = thickness > MASK_THRESHOLD * thickness.max()
        extra += thickness
        mask |= covered
        boxes.append(bounding_box(covered))

    film = _expose(rng["exposure"], rng["noise"], attenuation, extra, view)
    # The window suits the patient and not the finding, as a radiographer's would.
    inside = film.reference[:: max(1, height // 128), :: max(1, width // 128)]
    dark, bright = np.percentile(inside[inside > 0.45], (2, 97))
    black, white = dark - 0.22 * (bright - dark), bright + 0.02 * (bright - dark)
    marker, marker_image = _marker(rng["marker"], height, width)
    tag_image = _tag(rng["tag"], height, width) if tag else np.zeros_like(marker_image)
    lead = np.maximum(marker_image, tag_image)
    shown = film.image + lead * (np.float32(white + 0.4) - film.image)
    stored = np.clip(np.round(_STORED_OFFSET + _STORED_PER_ATTENUATION * shown), 0, _STORED_MAX).astype(np.uint16)
    side = _FILM_WIDTH_MM / view.unit
    return Phantom(
        pixels=stored,
        mask=mask,
        label=int(has_lesion),
        spacing=(round(side, 5), round(side, 5)),
        window_center=float(round(_STORED_OFFSET + _STORED_PER_ATTENUATION * (black + white) / 2)),
        window_width=float(round(_STORED_PER_ATTENUATION * (white - black))),
        boxes=tuple(boxes),
        marker=marker,
        marker_box=bounding_box(marker_image > 0.5),
        seed=seed,
        tag_box=bounding_box(tag_image > 0.5) if tag else None,
    )


def checked_size(seed: int, size: tuple[int, int] | int) -> tuple[int, int]:
    """Height and width asked for; raises ValueError when the seed is negative or a side is out of range."""
    height, width = (size, size) if isinstance(size, int) else size
    if not all(SIZE_LIMITS[0] <= side <= SIZE_LIMITS[1] for side in (height, width)):
        raise ValueError(f"size must be {SIZE_LIMITS[0]} to {SIZE_LIMITS[1]} pixels a side, got {height} x {width}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    return height, width


def _draw_view(rng: np.random.Generator, height: int, width: int) -> View:
    return View(
        height,
        width,
        scale=rng.uniform(0.93, 1.06),
        angle=float(np.clip(rng.normal(0, 0.02), -0.06, 0.06)),
        shift=(rng.normal(0, 0.01), rng.normal(0.005, 0.012)),
    )


def _body(
    rng: dict[str, np.random.Generator],
    patient: anatomy.Patient,
    view: View,
    lungs: anatomy.Lungs,
    x: Image,
    y: Image,
) -> Image:
    """Attenuation (H, W) of everything that healthy people have."""
    structures, texture = rng["structures"], rng["texture"]
    tissue = anatomy.soft_tissue(patient, view, y)
    # Muscle and fat are never even; lung tissue is finely mottled.
    uneven = 1 + np.float32(0.02) * view.texture(texture, 0.09) + np.float32(0.008) * view.texture(texture, 0.02)
    mottle = 1 + np.float32(0.02) * view.texture(texture, 0.03) + np.float32(0.015) * view.texture(texture, 0.007)
    attenuation = tissue * uneven + lungs.attenuation * mottle
    attenuation += anatomy.breasts(patient, view, structures)
    attenuation += anatomy.airways(view, structures)
    attenuation += anatomy.gastric_bubble(patient, view, structures)
    attenuation += anatomy.ribs(patient, view, structures, x, y)
    attenuation += anatomy.shoulder_girdle(patient, view, structures)
    attenuation += anatomy.spine(patient, view)
    attenuation += anatomy.vessels(view, structures, lungs, x, y)
    return np.asarray(np.maximum(attenuation, 0), np.float32)


def _draw_lesions(rng: np.random.Generator, patient: anatomy.Patient) -> list[_Lesion]:
    """One or two places within the clear lung fields, apart from each other."""
    wanted = 1 if rng.random() < 0.65 else 2
    lesions: list[_Lesion] = []
    while len(lesions) < wanted:
        hazy = bool(rng.random() < 0.5)
        # To where the soft edge ends; the mask reaches 75 to 85 % as far, 4 to 11 % of the image width.
        radius = rng.uniform(0.08, 0.13) if hazy else rng.uniform(0.05, 0.085)
        side = anatomy.RIGHT if rng.random() < 0.5 else anatomy.LEFT
        center = np.array([side * rng.uniform(0.07, 0.33), rng.uniform(0.22, 0.85)])
        far_enough = all(np.hypot(*(center - other.center)) > 1.3 * (radius + other.radius) for other in lesions)
        if far_enough and _clearance(patient, center, side) > 0.75 * radius:
            peak = rng.uniform(0.45, 0.9) if hazy else rng.uniform(0.5, 1.1)
            lesions.append(_Lesion(center, radius, rng.uniform(0.75, 1.0), rng.uniform(0, np.pi), hazy, peak))
    return lesions


def _clearance(patient: anatomy.Patient, point: Points, side: int) -> float:
    """Distance from a point in the lung to where the clear lung field ends, negative outside of it."""

    def inside(outline: Points) -> float:
        return float(cv2.pointPolygonTest(outline.astype(np.float32), point.tolist(), True))

    above_dome = float(patient.diaphragm(point[:1], side)[0] - point[1])
    return min(inside(patient.cage[side]), -inside(patient.heart), -inside(patient.mediastinum), above_dome)


def _opacity(rng: np.random.Generator, lesion: _Lesion, view: View, x: Image, y: Image) -> Image:
    """Attenuation (H, W) of a lesion: exactly 0 from a little beyond its radius on."""
    cos, sin = np.cos(lesion.angle), np.sin(lesion.angle)
    dx, dy = x - np.float32(lesion.center[0]), y - np.float32(lesion.center[1])
    along, across = np.float32(cos) * dx + np.float32(sin) * dy, np.float32(cos) * dy - np.float32(sin) * dx
    distance = np.hypot(along, across / np.float32(lesion.elongation)) / np.float32(lesion.radius)
    ragged, softness = (0.13, 0.75) if lesion.hazy else (0.07, 0.45)
    distance += np.float32(ragged) * view.texture(rng, 0.45 * lesion.radius)
    edge = np.clip((1 - distance) / np.float32(softness), 0, 1)
    profile = edge * edge * (3 - 2 * edge)
    if lesion.hazy:  # alveoli that are still open leave holes in a consolidation
        profile *= np.clip(np.float32(0.8) + np.float32(0.22) * view.texture(rng, 0.2 * lesion.radius), 0.5, 1.2)
    return np.asarray(np.float32(lesion.peak) * profile, np.float32)


@dataclass(frozen=True, slots=True)
class _Film:
    """What the reader shows, in units of attenuation: with lesions and noise, and a reference without."""

    image: Image
    reference: Image


def _expose(
    rng: np.random.Generator, noise_rng: np.random.Generator, attenuation: Image, lesions: Image, view: View
) -> _Film:
    """Count photons behind the body, and process the plate as a reader does.

    Scatter, noise level and processing follow from the body without its lesions. A lesion is thin enough for
    that to be a good approximation, and it confines the lesion's effect to the lesion's own pixels.
    """
    photons = np.exp(rng.uniform(np.log(1.2e4), np.log(5e4)))
    grid = rng.uniform(0.22, 0.42)  # how much scatter the anti-scatter grid lets through
    primary = np.exp(-attenuation)
    scatter = np.float32(grid) * _wide_blur(np.minimum(primary, np.float32(0.25)), 0.05 * view.unit) + np.float32(0.003)
    received = primary + scatter
    reference = -np.log(received)
    grain = view.blur(noise_rng.standard_normal(attenuation.shape, dtype=np.float32), 0.0008)
    noise = grain / np.sqrt(np.float32(photons) * received)
    signal = -np.log(primary * np.exp(-lesions) + scatter)
    # Unsharp masking lifts edges; taking back some of the coarse differences shows lung and spine at once.
    context = np.float32(0.45) * view.blur(reference, 0.004) + np.float32(0.25) * _wide_blur(
        reference, 0.09 * view.unit
    )
    return _Film(np.float32(1.45) * signal + noise - context, np.float32(1.45) * reference - context)


def _wide_blur(image: Image, sigma_px: float) -> Image:
    """Gaussian blur over much of the image, on a reduced copy: the result has no detail to lose."""
    height, width = image.shape
    factor = max(1, int(sigma_px / 4))
    small = cv2.resize(image, (-(-width // factor), -(-height // factor)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma_px / factor)
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _marker(rng: np.random.Generator, height: int, width: int) -> tuple[str, Image]:
    """Choose a lead letter, and draw its opacity (H, W), 0 to 1, in an upper or lower corner of its side."""
    letter = "L" if rng.random() < 0.5 else "R"
    side = 1 if letter == "L" else -1
    view = View(height, width)
    top, bottom = 0.5 - height / width / 2, 0.5 + height / width / 2
    row = top + rng.uniform(0.06, 0.15) if rng.random() < 0.7 else bottom - rng.uniform(0.07, 0.10)
    place = np.array([side * rng.uniform(0.41, 0.45), row])
    letter_height, tilt = rng.uniform(0.04, 0.055), rng.normal(0, 0.12)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    canvas = view.blank()
    half_thickness = max(0.08 * letter_height, 0.4 / width)
    for stroke in _LETTERS[letter]:
        points = place + (np.array(stroke) - (0.32, 0.5)) @ turn.T * letter_height
        for start, end in pairwise(points):
            view.fill(canvas, band(np.stack([start, end]), half_thickness))
    return letter, view.blur(canvas, 0.0008)


def _tag(rng: np.random.Generator, height: int, width: int) -> Image:
    """Draw the opacity (H, W), 0 to 1, of a lead tag in the upper left corner, above where letters lie."""
    view = View(height, width)
    row, column = 0.5 - height / width / 2 + rng.uniform(0.02, 0.028), rng.uniform(-0.45, -0.42)
    half_length, half_thickness = rng.uniform(0.028, 0.034), max(0.011, 0.8 / width)
    canvas = view.blank()
    view.fill(canvas, band(np.array([[column - half_length, row], [column + half_length, row]]), half_thickness))
    return view.blur(canvas, 0.0008)


def bounding_box(mask: npt.NDArray[np.bool_]) -> Box:
    """Smallest box around the set pixels: x, y, width, height."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
