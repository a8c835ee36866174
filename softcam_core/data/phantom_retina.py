"""Anatomy of the fundus phantoms: what the back of a healthy eye looks like, and how it differs between people.

Lengths are in *discs*: 1 is the diameter of the photograph's disc (45 to 50 degrees of the eye), whose centre is
(0, 0.5); x runs to the right and y downwards, as in a :class:`View`. Colours are linear light, RGB, where 1 is the
camera's white. Blood and pigment take light away by Beer and Lambert's law, so where two vessels cross it is darker.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from softcam_core.data.phantom_view import Canvas, Image, Points, View, band, smooth

Blood = Literal["artery", "vein"]

CENTER = np.array([0.0, 0.5])
GAMMA = 2.2
#: Absorbance of blood for red, green and blue light; an average vein has a density of 1.5.
BLOOD = np.array([0.30, 1.0, 0.60], np.float32)
_PIGMENT = np.array([0.55, 1.0, 0.9], np.float32)
_DENSITY: dict[Blood, float] = {"artery": 0.75, "vein": 1.35}
_THICKEST = 0.0075  # half a main vein's width
# Medians (sRGB) that fundi have in photographs: orange, brown, pink, salmon, dim.
_COLORS = np.array([(204, 102, 36), (166, 82, 14), (180, 108, 76), (208, 118, 74), (152, 85, 38)]) / 255
# The temporal arcades and the nasal trunks, upper half, from the optic disc: towards the fovea and upwards, in parts
# of the distance from optic disc to fovea.
_ARCADE = np.array([(0.0, 0.0), (0.0, 0.15), (0.1, 0.38), (0.34, 0.6), (0.75, 0.72), (1.2, 0.68), (1.6, 0.5),
                    (1.95, 0.26)])  # fmt: skip
_NASAL = np.array([(0.0, 0.0), (-0.05, 0.15), (-0.2, 0.33), (-0.45, 0.5), (-0.75, 0.68), (-1.15, 0.95)])
_THINNEST = 0.0007
_STEP = 0.008
_FAZ = 0.045  # no vessels this near to the fovea


@dataclass(frozen=True, slots=True)
class Vessel:
    """A stretch of a vessel: `path` (N, 2), `half_width` (N,)."""

    path: Points
    half_width: Points
    blood: Blood


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye.

    Attributes
    ----------
    side : {"R", "L"}
        In a right eye the optic disc lies right of the fovea.
    optic_disc, fovea : ndarray, (2,)
        Centres, (x, y).
    radii : (float, float)
        Of the optic disc, across and along.
    cup : float
        Diameter of the optic cup as a part of the optic disc's.
    color : ndarray, (3,) float32
        Of the fundus.
    youth : float
        0 to 1; young eyes glisten.
    tessellation : float
        How far the choroid's vessels shine through, from 0.
    vessels : tuple of Vessel
        The thinnest first.
    """

    side: Literal["R", "L"]
    optic_disc: Points
    fovea: Points
    radii: tuple[float, float]
    cup: float
    color: Image
    youth: float
    tessellation: float
    vessels: tuple[Vessel, ...]

    @property
    def temporal(self) -> int:
        """Sign of x from the optic disc to the fovea."""
        return -1 if self.side == "R" else 1


def draw_eye(rng: np.random.Generator, vessel_rng: np.random.Generator) -> Eye:
    """Draw a patient's eye."""
    side: Literal["R", "L"] = "R" if rng.random() < 0.5 else "L"
    temporal = -1 if side == "R" else 1
    # The photographer centres on the macula, or between it and the optic disc.
    fovea = CENTER + np.array([temporal * rng.uniform(-0.03, 0.16), rng.normal(0.0, 0.025)])
    distance = rng.uniform(0.36, 0.42)
    optic_disc = fovea - (temporal * distance, rng.uniform(0.01, 0.05))
    radius = rng.uniform(0.062, 0.078)
    mixed = rng.dirichlet(np.full(len(_COLORS), 0.5)) @ _COLORS * rng.uniform(0.93, 1.05, 3)
    return Eye(
        side=side,
        optic_disc=optic_disc,
        fovea=fovea,
        radii=(radius, radius * rng.uniform(1.02, 1.18)),
        cup=rng.uniform(0.25, 0.6),
        color=np.asarray(mixed**GAMMA, np.float32),
        youth=float(rng.beta(0.8, 1.2)),
        tessellation=float(rng.beta(0.7, 1.6)),
        vessels=_vessel_tree(vessel_rng, optic_disc, fovea),
    )


def _vessel_tree(rng: np.random.Generator, optic_disc: Points, fovea: Points) -> tuple[Vessel, ...]:
    """Arteries and veins: four trunks each, whose branches branch again."""
    reach = abs(fovea[0] - optic_disc[0])
    temporal = np.sign(fovea[0] - optic_disc[0])
    tilt = (fovea[1] - optic_disc[1]) / reach
    vessels: list[Vessel] = []
    kinds: tuple[Blood, ...] = ("vein", "artery")
    for half in (1, -1):
        for plan, is_arcade in ((_ARCADE, True), (_NASAL, False)):
            # Artery and vein keep each other company, and change sides now and then.
            span, apart = rng.uniform(0.86, 1.1), rng.choice([-1, 1]) * rng.uniform(0.03, 0.11)
            for blood in kinds:
                spread = span + (apart if blood == "artery" else 0)
                jitter = rng.normal(0, 0.03, plan.shape) * np.linspace(0, 1.3, len(plan))[:, None]
                along, up = (plan * (1, spread) + jitter).T * reach
                across = half * up - tilt * along * (1 if is_arcade else 0)
                start = optic_disc + np.array([temporal * rng.uniform(-0.02, 0.004), rng.normal(0, 0.005)])
                path = _winding(rng, smooth(start + np.column_stack([temporal * along, -across]), steps=10))
                thickest = _THICKEST * rng.uniform(0.75, 1.0) * (1 if blood == "vein" else 0.74)
                thickest *= 1 if is_arcade else 0.68
                half_width = thickest * np.linspace(1, 0.2, len(path)) ** 0.8
                trunk = Vessel(path, half_width, blood)
                vessels += [trunk, *_branches(rng, trunk, fovea, depth=2)]
    for blood in kinds:  # small vessels from the optic disc straight to the macula
        for _ in range(rng.integers(1, 4)):
            heading = np.arctan2(*(fovea - optic_disc)[::-1]) + rng.uniform(-0.6, 0.6)
            vessels += _grown(rng, optic_disc, heading, rng.uniform(0.15, 0.32), 0.0021, blood, fovea)
    return tuple(sorted(vessels, key=lambda v: float(v.half_width.max())))


def _winding(rng: np.random.Generator, path: Points) -> Points:
    """The path (N, 2) with the small bends that vessels have; it starts where it did."""
    tangent = np.gradient(path, axis=0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]]) / np.hypot(*tangent.T)[:, None]
    travelled = np.cumsum(np.hypot(*tangent.T))
    waves, phases = rng.uniform(0.06, 0.35, 4), rng.uniform(0, 2 * np.pi, 4)
    amplitudes = rng.normal(0, 0.022, 4) * waves
    bends = (np.sin(2 * np.pi * travelled[:, None] / waves + phases) - np.sin(phases)) @ amplitudes
    return np.asarray(path + normal * bends[:, None])


def _branches(rng: np.random.Generator, parent: Vessel, fovea: Points, depth: int) -> list[Vessel]:
    """Vessels that leave `parent` to either side, and theirs."""
    found: list[Vessel] = []
    tangent = np.gradient(parent.path, axis=0)
    lengths = np.hypot(*tangent.T)
    travelled = np.cumsum(lengths)
    side = rng.choice([-1, 1])
    position = rng.uniform(0.04, 0.09)
    while position < travelled[-1] * 0.97:
        at = int(np.searchsorted(travelled, position))
        heading = np.arctan2(tangent[at, 1], tangent[at, 0]) + side * rng.uniform(0.45, 1.0)
        width = parent.half_width[at] * rng.uniform(0.4, 0.78)
        length = rng.uniform(0.14, 0.4) * (1.0 if depth == 2 else 0.5)
        # A branch bends back towards where its parent goes.
        grown = _grown(rng, parent.path[at], heading, length, width, parent.blood, fovea, side * rng.normal(-1.5, 2.2))
        found += grown
        if depth > 1 and grown:
            found += _branches(rng, grown[0], fovea, depth - 1)
        side = -side if rng.random() < 0.75 else side
        position += rng.uniform(0.06, 0.15)
    return found


def _grown(
    rng: np.random.Generator,
    start: Points,
    heading: float,
    length: float,
    half_width: float,
    blood: Blood,
    fovea: Points,
    bend: float = 0.0,
) -> list[Vessel]:
    """Grow a vessel from a point, or none where it would be all but invisible; it ends where the fovea begins."""
    if half_width < _THINNEST:
        return []
    count = max(4, int(length / _STEP))
    angle = heading + np.cumsum(rng.normal(0, 0.09, count)) + bend * _STEP * np.arange(count)
    path = start + np.cumsum(_STEP * np.column_stack([np.cos(angle), np.sin(angle)]), axis=0)
    path = _winding(rng, np.concatenate([start[None], path]))
    near = np.flatnonzero(np.hypot(*(path - fovea).T) < _FAZ)
    path = path[: near[0]] if near.size else path
    if len(path) < 4:
        return []
    return [Vessel(path, half_width * np.linspace(1, 0.3, len(path)), blood)]


def blood(eye: Eye, view: View) -> Image:
    """Density (H, W) of the blood in the vessels."""
    finer = _finer(view)
    canvases: dict[Blood, Canvas] = {kind: finer.blank() for kind in _DENSITY}
    for vessel in eye.vessels:
        # The light's way through a vessel is as long as that is wide.
        depth = min(1.0, float(vessel.half_width[0]) / _THICKEST) ** 0.55
        finer.fill(canvases[vessel.blood], band(vessel.path, vessel.half_width[:, None]), 255 * depth)
    density = sum(canvases[kind].astype(np.float32) * np.float32(d / 255) for kind, d in _DENSITY.items())
    return view.blur(_at_size(np.asarray(density, np.float32), view), 0.0012)


def vessel_reflexes(eye: Eye, view: View) -> Image:
    """Where (H, W), 0 to 1, the walls of large arteries and less so of veins mirror the flash."""
    finer = _finer(view)
    canvas = finer.blank()
    for vessel in eye.vessels:
        if vessel.half_width[0] > 0.0042:
            value = 255 if vessel.blood == "artery" else 110
            finer.fill(canvas, band(vessel.path, 0.22 * vessel.half_width[:, None]), value)
    return view.blur(_at_size(canvas.astype(np.float32) / np.float32(255), view), 0.0008)


def _finer(view: View) -> View:
    """A view with enough pixels for the thinnest vessels: OpenCV draws nothing thinner than a pixel."""
    times = int(np.ceil(700 / view.unit))
    return View(view.height * times, view.width * times, view.scale, view.angle, view.shift)


def _at_size(image: Image, view: View) -> Image:
    return np.asarray(cv2.resize(image, (view.width, view.height), interpolation=cv2.INTER_AREA), np.float32)


def fundus(eye: Eye, view: View, rng: np.random.Generator, x: Image, y: Image) -> Image:
    """Reflected part of the light (H, W, 3), vessels and optic disc included."""
    # The pigment is never even, and the choroid's vessels shine through it.
    uneven = sum(np.float32(a) * view.texture(rng, cell) for a, cell in ((0.05, 0.22), (0.025, 0.07), (0.02, 0.018),
                                                                         (0.02, 0.007)))  # fmt: skip
    ridges = np.exp(-((view.texture(rng, 0.05) / np.float32(0.28)) ** 2))
    away = np.hypot(x - np.float32(eye.fovea[0]), y - np.float32(eye.fovea[1]))
    shining = np.float32(0.22 * eye.tessellation) * ridges * np.clip(away / np.float32(0.3), 0, 1)
    macula = np.float32(rng.uniform(0.2, 0.5)) * np.exp(-((away / np.float32(rng.uniform(0.08, 0.12))) ** 2))
    pit = np.float32(rng.uniform(0.15, 0.45)) * np.exp(-((away / np.float32(rng.uniform(0.018, 0.032))) ** 2))
    pigment = np.asarray(uneven, np.float32) + macula + pit - shining
    reflected = eye.color * np.exp(-pigment[..., None] * _PIGMENT)
    reflected = _with_optic_disc(eye, view, rng, reflected, x, y)
    reflected *= np.exp(-blood(eye, view)[..., None] * BLOOD)
    reflected += (np.float32(0.13) * vessel_reflexes(eye, view))[..., None] * reflected
    return np.asarray(reflected, np.float32)


def _with_optic_disc(eye: Eye, view: View, rng: np.random.Generator, below: Image, x: Image, y: Image) -> Image:
    dx, dy = x - np.float32(eye.optic_disc[0]), y - np.float32(eye.optic_disc[1])
    distance = np.hypot(dx / np.float32(eye.radii[0]), dy / np.float32(eye.radii[1]))
    distance += np.float32(0.03) * view.texture(rng, 0.04)
    # Nerve fibres are thickest above and below the optic disc.
    fibres = np.exp(-((distance - 1) ** 2) / 2) * (dy / (np.hypot(dx, dy) + np.float32(1e-3))) ** 2
    below = below * (1 + np.float32(0.15 + 0.35 * eye.youth) * fibres[..., None] * np.array([0.3, 0.8, 1], np.float32))
    # At its temporal side the pigment often ends early, or piles up.
    if rng.random() < 0.4:
        crescent = _ramp(np.hypot((dx - np.float32(eye.temporal * 0.22 * eye.radii[0])) / np.float32(eye.radii[0]),
                                  dy / np.float32(eye.radii[1])), 1.0, 0.12)  # fmt: skip
        below = below * (1 + np.float32(rng.choice([0.45, -0.3])) * crescent[..., None])
    _, green, blue = eye.color ** np.float32(1 / GAMMA)
    rim = np.array([1.03, green + 0.3, blue + 0.16]) ** GAMMA
    cup = np.array([1.12, green + 0.52, blue + 0.4]) ** GAMMA
    whole = _ramp(distance, 1.0, 0.16)[..., None]
    shift = np.float32(eye.temporal * 0.12 * eye.radii[0])
    inner = np.hypot((dx - shift) / np.float32(eye.radii[0]), dy / np.float32(eye.radii[1])) / np.float32(eye.cup)
    pale = np.float32(rng.uniform(0.6, 1.0)) * _ramp(inner, 0.9, 0.7)[..., None]
    # The nasal rim is thicker, and redder.
    ruddy = (
        1
        - np.array([0.08, 0.3, 0.3], np.float32)
        * np.clip(-eye.temporal * dx / np.float32(eye.radii[0]), 0, 1)[..., None]
    )
    shown = rim.astype(np.float32) * ruddy * (1 - pale) + cup.astype(np.float32) * pale
    return np.asarray(below * (1 - whole) + shown * whole, np.float32)


def _ramp(distance: Image, edge: float, softness: float) -> Image:
    """1 inside of `edge`, 0 outside, over `softness`."""
    t = np.clip((np.float32(edge + softness / 2) - distance) / np.float32(softness), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
