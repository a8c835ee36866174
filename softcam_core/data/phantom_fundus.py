"""Synthetic fundus photographs with small lesions that are known to the pixel.

A phantom is a colour photograph of the back of an eye: a disc on black, with optic disc, macula and vessels. Diseased
eyes have a few small lesions of diabetic retinopathy: microaneurysms and small haemorrhages, which are dots of blood,
and hard exudates, which are sharp, yellow deposits. What healthy eyes have too is in both classes: crossings of
vessels, glistening reflexes, pale soft drusen, dust on the lens and moles. An eye with lesions and the same eye
without them differ in the lesions only, noise included.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from softcam_core.data import phantom_retina as retina
from softcam_core.data.phantom_view import Image, Points, View
from softcam_core.data.phantoms import MASK_THRESHOLD, Box, bounding_box, checked_size

#: Class names; a label is an index of this. In alphabetical order, which is how a manifest without others has them.
CLASS_NAMES = ("healthy", "lesion")

LesionKind = Literal["microaneurysm", "haemorrhage", "exudate"]

# Every concern draws from a stream of its own: a lesion more leaves the eye, its harmless spots and the noise alone.
_STREAMS = ("label", "eye", "view", "vessels", "texture", "spots", "lesions", "camera", "noise")
_COUNTS = np.array([0.25, 0.2, 0.16, 0.13, 0.1, 0.07, 0.05, 0.04])  # of 1 to 8 lesions
# Radius, in discs, to where the soft edge ends; the mask reaches 77 to 90 % as far.
_RADII: dict[LesionKind, tuple[float, float]] = {
    "microaneurysm": (0.0105, 0.0135),
    "haemorrhage": (0.014, 0.0225),
    "exudate": (0.0105, 0.019),
}
# Density of blood, or the part of the light that an exudate gives itself.
_PEAKS: dict[LesionKind, tuple[float, float]] = {
    "microaneurysm": (0.75, 1.4),
    "haemorrhage": (0.8, 2.0),
    "exudate": (0.45, 0.9),
}
# In pixels: however ragged, a spot between four pixels still reaches their centres.
_SMALLEST_RADIUS = 1.2
_SOFTNESS: dict[LesionKind, float] = {"microaneurysm": 0.7, "haemorrhage": 0.5, "exudate": 0.3}
_EXUDATE = np.array([1.02, 0.9, 0.5], np.float32) ** np.float32(retina.GAMMA)
_DRUSEN = np.array([0.95, 0.78, 0.5], np.float32) ** np.float32(retina.GAMMA)
_GLINT = np.array([0.95, 0.93, 0.9], np.float32) ** np.float32(retina.GAMMA)


@dataclass(frozen=True, slots=True, eq=False)
class FundusPhantom:
    """A synthetic fundus photograph.

    Attributes
    ----------
    pixels : ndarray, (H, W, 3) uint8
        RGB.
    mask : ndarray, (H, W) bool
        Where a lesion has more than a quarter of its peak. Empty without lesions.
    label : int
        0 without lesions, 1 with.
    boxes : tuple of (int, int, int, int)
        Bounding box of each lesion: x, y, width, height in pixels.
    kinds : tuple of {"microaneurysm", "haemorrhage", "exudate"}
        Of each lesion.
    eye : {"R", "L"}
        Independent of the label.
    disc : (float, float, float, float)
        Box around what is seen of the disc: top, left, bottom and right in pixels.
    seed : int
    """

    pixels: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    label: int
    boxes: tuple[Box, ...]
    kinds: tuple[LesionKind, ...]
    eye: Literal["R", "L"]
    disc: tuple[float, float, float, float]
    seed: int

    @property
    def class_name(self) -> str:
        """Name of the label."""
        return CLASS_NAMES[self.label]


@dataclass(frozen=True, slots=True)
class _Lesion:
    """A lesion; lengths in discs. `outline` (3, 2): amplitudes and phases of what makes it irregular."""

    kind: LesionKind
    center: Points
    radius: float
    peak: float
    outline: Points


@dataclass(frozen=True, slots=True)
class _Camera:
    """How the photograph is taken.

    Attributes
    ----------
    view : View
    cut : float
        Half the height, in discs, that the camera's mask leaves at top and bottom; 0.5 and more leaves the disc whole.
    """

    view: View
    cut: float


def make_fundus_phantom(seed: int, size: tuple[int, int] | int = 512, lesion: bool | None = None) -> FundusPhantom:
    """Make the photograph of a seed.

    Parameters
    ----------
    seed : int
        At least 0. The same seed gives the same eye and lesions at every size of one aspect ratio; the noise is drawn
        for each pixel.
    size : (int, int) or int
        Height and width in pixels, or the side of a square; 64 to 4096. Below 128 pixels the smallest lesions are
        drawn larger than they are, so that they are seen.
    lesion : bool, optional
        Whether there are lesions. By default the seed decides, half and half.

    Returns
    -------
    FundusPhantom

    Raises
    ------
    ValueError
        When the seed is negative or a side is out of range.
    """
    height, width = checked_size(seed, size)
    rng = {name: np.random.default_rng((seed, stream)) for stream, name in enumerate(_STREAMS)}
    by_seed = bool(rng["label"].random() < 0.5)
    has_lesion = by_seed if lesion is None else lesion

    eye = retina.draw_eye(rng["eye"], rng["vessels"])
    camera = _draw_camera(rng["view"], height, width)
    view = camera.view
    x, y = view.grid()
    light = retina.fundus(eye, view, rng["texture"], x, y)
    _add_harmless_spots(rng["spots"], eye, view, light)
    light *= _illumination(rng["camera"], x, y)[..., None]
    light = _through_the_lens(rng["camera"], view, light, x, y)
    healthy = light.copy()

    mask = np.zeros((height, width), bool)
    lesions = _draw_lesions(rng["lesions"], eye, camera) if has_lesion else []
    boxes = []
    for drawn in lesions:
        part, profile = _profile(drawn.center, drawn.radius, view, _SOFTNESS[drawn.kind], drawn.outline)
        amount = np.float32(drawn.peak) * profile[..., None]
        if drawn.kind == "exudate":
            # It lies in the same light as what is around it.
            lit = np.float32(healthy[part].max(axis=2).mean() / eye.color.max())
            light[part] += amount * (_EXUDATE * min(lit, np.float32(1.1)) - light[part])
        else:
            light[part] *= np.exp(-amount * retina.BLOOD)
        covered = np.zeros_like(mask)
        covered[part] = profile > MASK_THRESHOLD * profile.max()
        mask |= covered
        boxes.append(bounding_box(covered))
    return FundusPhantom(
        pixels=_expose(rng["camera"], rng["noise"], camera, light, healthy, x, y),
        mask=mask,
        label=int(has_lesion),
        boxes=tuple(boxes),
        kinds=tuple(drawn.kind for drawn in lesions),
        eye=eye.side,
        disc=_disc_box(camera),
        seed=seed,
    )


def _draw_camera(rng: np.random.Generator, height: int, width: int) -> _Camera:
    diameter = rng.uniform(0.9, 0.985) * min(height, width)
    off = rng.uniform(-0.5, 0.5, 2) * (width - diameter, height - diameter) * 0.6 / diameter
    angle = float(np.clip(rng.normal(0, 0.06), -0.15, 0.15))
    # The view is turned about what it centres on, so the disc's centre has to be turned along.
    cos, sin = np.cos(angle), np.sin(angle)
    shift = (float(cos * off[0] + sin * off[1]), float(cos * off[1] - sin * off[0]))
    cut = rng.uniform(0.42, 0.47) if rng.random() < 0.3 else 0.5
    return _Camera(View(height, width, diameter / width, angle, shift), cut)


def _disc_box(camera: _Camera) -> tuple[float, float, float, float]:
    view = camera.view
    column, row = view.matrix @ (*retina.CENTER, 1.0) + 0.5
    tall, wide = camera.cut * view.unit, 0.5 * view.unit
    return float(row - tall), float(column - wide), float(row + tall), float(column + wide)


def _add_harmless_spots(rng: np.random.Generator, eye: retina.Eye, view: View, light: Image) -> None:
    """What healthy eyes have, too: drusen, moles, and reflexes of the young."""
    if rng.random() < 0.45 * (1.2 - eye.youth):  # pale, soft, and mostly around the macula
        for _ in range(rng.integers(3, 22)):
            center = eye.fovea + rng.normal(0, 0.11, 2)
            part, profile = _profile(center, rng.uniform(0.008, 0.02), view, 1.6, _outline(rng, 0.1))
            light[part] += np.float32(rng.uniform(0.1, 0.32)) * profile[..., None] * (_DRUSEN - light[part])
    if rng.random() < 0.15:  # a mole of the choroid: large, slate, with a feathered edge
        center = retina.CENTER + rng.uniform(-0.33, 0.33, 2)
        part, profile = _profile(center, rng.uniform(0.04, 0.09), view, 1.0, _outline(rng, 0.12))
        slate = np.array([0.9, 0.5, 0.15], np.float32)
        light[part] *= np.exp(-np.float32(rng.uniform(0.3, 0.7)) * profile[..., None] * slate)
    glints = [vessel for vessel in eye.vessels if vessel.half_width[0] > 0.0042]
    for _ in range(rng.poisson(7 * eye.youth)):  # silvery, along the large vessels
        vessel = glints[rng.integers(len(glints))]
        at = rng.integers(4, len(vessel.path) - 4)
        along = vessel.path[at + 3] - vessel.path[at - 3]
        along /= np.hypot(*along)
        beside = np.array([-along[1], along[0]]) * rng.choice([-1, 1]) * rng.uniform(0.008, 0.016)
        part, profile = _streak(vessel.path[at] + beside, along, rng.uniform(0.01, 0.024), 0.004, view)
        light[part] += np.float32(rng.uniform(0.08, 0.26)) * profile[..., None] * (_GLINT - light[part])
    if rng.random() < 0.7 * eye.youth:  # the bottom of the fovea is a concave mirror
        part, profile = _profile(eye.fovea, 0.006, view, 1.2, _outline(rng, 0.1))
        light[part] += np.float32(rng.uniform(0.12, 0.3)) * profile[..., None] * (_GLINT - light[part])


def _illumination(rng: np.random.Generator, x: Image, y: Image) -> Image:
    """Gain (H, W) of the flash, which never lights the whole field alike."""
    center = retina.CENTER + rng.normal(0, 0.07, 2)
    away = (x - np.float32(center[0])) ** 2 + (y - np.float32(center[1])) ** 2
    gain = 1 - np.float32(rng.uniform(0.7, 2.4)) * away
    angle, slope = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.22)
    across = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * (y - np.float32(0.5))
    exposure = np.float32(np.exp(rng.normal(0.05, 0.16)))
    return np.asarray(exposure * np.clip(gain * (1 + np.float32(slope) * across), 0.08, None), np.float32)


def _through_the_lens(rng: np.random.Generator, view: View, light: Image, x: Image, y: Image) -> Image:
    """Blur, stray light and dust."""
    radius = np.hypot(x, y - np.float32(0.5))
    if rng.random() < 0.35:  # a badly aligned camera sees stray light at one side of the rim
        angle = rng.uniform(0, 2 * np.pi)
        facing = (np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * (y - np.float32(0.5))) / (radius + 1e-3)
        glow = np.exp((radius - np.float32(0.5)) / np.float32(rng.uniform(0.02, 0.06))) * np.clip(facing, 0, 1) ** 2
        tint = (rng.uniform(0.05, 0.3) * rng.uniform([0.5, 0.4, 0.3], [1.0, 0.8, 0.9])).astype(np.float32)
        light = light + np.minimum(glow, 1)[..., None] * tint
    # A clouding lens lays an even veil over everything.
    light = light + np.float32(rng.beta(1, 8) * 0.12) * light.mean(axis=(0, 1))
    light = view.blur(light, rng.uniform(0.0006, 0.0017))
    for _ in range(rng.poisson(1.0)):  # dust is out of focus, and dims all colours alike
        center = retina.CENTER + rng.uniform(-0.38, 0.38, 2)
        part, profile = _profile(center, rng.uniform(0.012, 0.03), view, 1.4, _outline(rng, 0.05))
        light[part] *= 1 - np.float32(rng.uniform(0.12, 0.45)) * profile[..., None]
    return light


def _draw_lesions(rng: np.random.Generator, eye: retina.Eye, camera: _Camera) -> list[_Lesion]:
    """One to eight, clear of optic disc, fovea and the larger vessels, and apart from each other."""
    wanted = rng.choice(len(_COUNTS), p=_COUNTS) + 1
    large = [vessel for vessel in eye.vessels if vessel.half_width[0] > 0.0022]
    path, half_width = (np.concatenate([getattr(v, name) for v in large]) for name in ("path", "half_width"))
    kinds: tuple[LesionKind, ...] = ("microaneurysm", "haemorrhage", "exudate")
    weights = rng.dirichlet((2, 2, 2))  # eyes differ in what they have most of
    to_pixels = camera.view.matrix[:, :2] / camera.view.unit
    found: list[_Lesion] = []
    while len(found) < wanted:
        kind = kinds[rng.choice(3, p=weights)]
        radius = rng.uniform(*_RADII[kind])
        outline = _outline(rng, 0.03 if kind == "microaneurysm" else 0.08)
        angle, away = rng.uniform(0, 2 * np.pi), 0.44 * np.sqrt(rng.random())
        offset = away * np.array([np.cos(angle), np.sin(angle)])
        center = retina.CENTER + offset
        is_clear = (
            abs((to_pixels @ offset)[1]) < camera.cut - 0.04
            and np.hypot(*(center - eye.optic_disc)) > 1.4 * max(eye.radii)
            and np.hypot(*(center - eye.fovea)) > 0.035
            and (np.hypot(*(path - center).T) > half_width + radius + 0.002).all()
            and all(np.hypot(*(center - other.center)) > 1.6 * (radius + other.radius) for other in found)
        )
        if is_clear:
            found.append(_Lesion(kind, center, radius, rng.uniform(*_PEAKS[kind]), outline))
    return found


def _outline(rng: np.random.Generator, ragged: float) -> Points:
    """Amplitudes and phases (3, 2) of the second to fourth harmonic of a roundish outline."""
    return np.column_stack([np.clip(rng.normal(0, ragged, 3), -1.5 * ragged, 1.5 * ragged), rng.uniform(0, 6.28, 3)])


Part = tuple[slice, slice]


def _around(center: Points, reach: float, view: View) -> tuple[Part, Image, Image]:
    """The part of the image within `reach` of a point, and x and y of its pixels from that point."""
    column, row = view.matrix @ (*center, 1.0)
    half = reach * view.unit + 1
    top, left = max(0, int(row - half)), max(0, int(column - half))
    bottom, right = min(view.height, int(row + half) + 2), min(view.width, int(column + half) + 2)
    part = slice(top, max(top, bottom)), slice(left, max(left, right))
    rows, columns = np.indices((part[0].stop - top, part[1].stop - left), dtype=np.float32)
    cos, sin = np.float32(np.cos(view.angle) / view.unit), np.float32(np.sin(view.angle) / view.unit)
    down, across = rows + np.float32(top - row), columns + np.float32(left - column)
    return part, cos * across + sin * down, cos * down - sin * across


def _profile(center: Points, radius: float, view: View, softness: float, outline: Points) -> tuple[Part, Image]:
    """A spot, 1 in its middle and exactly 0 beyond its outline: the part of the image that has it, and its profile."""
    radius = max(radius, _SMALLEST_RADIUS / view.unit)
    part, dx, dy = _around(center, 1.5 * radius, view)
    angle = np.arctan2(dy, dx)
    reach = np.float32(radius) * (1 + sum(np.float32(amplitude) * np.cos(np.float32(k) * angle + np.float32(phase))
                                          for k, (amplitude, phase) in enumerate(outline, start=2)))  # fmt: skip
    edge = np.clip((1 - np.hypot(dx, dy) / reach) / np.float32(softness), 0, 1)
    return part, np.asarray(edge * edge * (3 - 2 * edge), np.float32)


def _streak(center: Points, along: Points, length: float, width: float, view: View) -> tuple[Part, Image]:
    part, dx, dy = _around(center, 2.5 * length, view)
    ahead = (np.float32(along[0]) * dx + np.float32(along[1]) * dy) / np.float32(length)
    aside = (np.float32(along[0]) * dy - np.float32(along[1]) * dx) / np.float32(width)
    return part, np.asarray(np.exp(-(ahead**2) - aside**2), np.float32)


def _expose(
    rng: np.random.Generator,
    noise_rng: np.random.Generator,
    camera: _Camera,
    light: Image,
    healthy: Image,
    x: Image,
    y: Image,
) -> npt.NDArray[np.uint8]:
    """Light behind the camera's mask -> RGB (H, W, 3), with the noise that the healthy eye would have."""
    view = camera.view
    unit = np.float32(view.unit)
    inside = np.clip((np.float32(0.5) - np.hypot(x, y - np.float32(0.5))) * unit + np.float32(0.5), 0, 1)
    row = view.matrix[1] @ (*retina.CENTER, 1.0)
    from_middle = np.abs(np.arange(view.height, dtype=np.float32) - np.float32(row))
    inside *= np.clip(np.float32(camera.cut) * unit - from_middle + np.float32(0.5), 0, 1)[:, None]
    if rng.random() < 0.4:  # a notch that tells which way up the photograph is
        angle = rng.uniform(-0.9, -0.4)
        at = retina.CENTER + 0.502 * np.array([np.cos(angle), np.sin(angle)])
        part, dx, dy = _around(at, 0.02, view)
        inside[part] *= np.clip((np.hypot(dx, dy) - np.float32(0.013)) * unit, 0, 1)
    black = rng.uniform(0.0001, 0.0006) * rng.uniform(0.6, 1.4, 3).astype(np.float32)
    photons = np.float32(np.exp(rng.uniform(np.log(6e3), np.log(3e4))))
    noise = noise_rng.standard_normal(light.shape, dtype=np.float32)
    noise *= np.sqrt(np.maximum(healthy, 0) * inside[..., None] / photons + np.float32(2e-8))
    linear = light * inside[..., None] + black + noise
    shown = np.clip(linear, 0, 1) ** np.float32(1 / retina.GAMMA)
    return np.asarray(np.round(255 * shown), np.uint8)
