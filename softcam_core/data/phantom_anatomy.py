"""The body of a phantom: one function a structure, each the attenuation it puts into the beam.

A structure is drawn as a line integral of its linear attenuation coefficient, so structures add up as they do
in a real projection. Air counts as negative attenuation, because it takes the place of tissue. Lengths and
places are in the body units of :mod:`softcam_core.data.phantom_view`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from softcam_core.data.phantom_view import Image, Points, View, band, mirrored, round_off, smooth

#: Linear attenuation of water at a chest tube's effective energy (about 60 keV), per cm.
MU_TISSUE = 0.2
#: What part of a lung's depth is air.
AIR_FRACTION = 0.72
RIGHT, LEFT = -1, 1  # the patient's sides as signs of x

# The right half of each symmetric outline, (|x|, y).
_TRUNK = ((0.10, -0.5), (0.105, 0.0), (0.125, 0.085), (0.20, 0.125), (0.33, 0.15), (0.44, 0.175), (0.495, 0.25),
          (0.46, 0.36), (0.415, 0.47), (0.412, 0.62), (0.412, 0.8), (0.40, 1.0), (0.41, 1.6))  # fmt: skip
_CAGE = ((0.0, 0.30), (0.04, 0.245), (0.062, 0.195), (0.10, 0.165), (0.15, 0.178), (0.20, 0.225), (0.25, 0.31),
         (0.295, 0.43), (0.33, 0.57), (0.352, 0.72), (0.358, 0.86), (0.35, 1.0), (0.30, 1.12), (0.0, 1.15))  # fmt: skip
_CLAVICLE = ((0.03, 0.242), (0.07, 0.247), (0.13, 0.228), (0.20, 0.195), (0.27, 0.172), (0.34, 0.163), (0.40, 0.172))
_SCAPULA = ((0.305, 0.195), (0.275, 0.225), (0.272, 0.30), (0.29, 0.42), (0.318, 0.485), (0.345, 0.45), (0.372, 0.35),
            (0.395, 0.27), (0.405, 0.225), (0.36, 0.215))  # fmt: skip
# Whole outlines, (x, y).
_HEART = ((-0.045, 0.45), (-0.062, 0.54), (-0.08, 0.64), (-0.084, 0.73), (-0.066, 0.81), (0.0, 0.88), (0.10, 0.895),
          (0.172, 0.868), (0.19, 0.81), (0.172, 0.73), (0.132, 0.63), (0.09, 0.54), (0.062, 0.47),
          (0.02, 0.43))  # fmt: skip
_MEDIASTINUM = ((-0.075, 0.0), (-0.065, 0.15), (-0.048, 0.22), (-0.047, 0.32), (-0.05, 0.44), (-0.055, 0.58),
                (-0.045, 0.9), (-0.045, 1.2), (0.045, 1.2), (0.045, 0.9), (0.065, 0.56), (0.062, 0.47), (0.057, 0.42),
                (0.066, 0.385), (0.070, 0.352), (0.058, 0.318), (0.05, 0.27), (0.055, 0.20), (0.07, 0.15),
                (0.075, 0.0))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Patient:
    """The shape of one patient: what a seed decides about the body.

    Attributes
    ----------
    depth : float
        Front-to-back diameter of the chest in cm.
    girth : float
        Breadth of the trunk relative to a slender one: what lies outside of the ribs.
    cage : dict of int to ndarray (N, 2)
        Inside of the rib cage of each side, closed along the midline.
    heart, mediastinum : ndarray (N, 2)
        Outlines.
    domes : dict of int to (float, float, float)
        Of each side's diaphragm: x and y of the top, and how far it falls to the chest wall.
    arm_angle : float
        Of the upper arms below the horizontal, radians.
    breasts : float
        Thickness of the breasts in cm, 0 for none.
    bones : float
        Mineral content relative to the average.
    """

    depth: float
    girth: float
    cage: dict[int, Points]
    heart: Points
    mediastinum: Points
    domes: dict[int, tuple[float, float, float]]
    arm_angle: float
    breasts: float
    bones: float

    def chest_wall(self, side: int) -> tuple[Points, Points]:
        """Distance of the chest wall from the midline (N,), and the rising heights (N,) it has there."""
        cage = self.cage[side]
        apex, bottom = int(cage[:, 1].argmin()), int(cage[:, 1].argmax())
        return cage[apex : bottom + 1, 0] * side, np.maximum.accumulate(cage[apex : bottom + 1, 1])

    def diaphragm(self, x: npt.NDArray[np.floating], side: int) -> npt.NDArray[np.floating]:
        """Height y of the diaphragm of one side at `x`."""
        top_x, top_y, fall = self.domes[side]
        outwards = (x * side - top_x * side) / 0.18
        # Steep towards the ribs, where the costophrenic angle is sharp, and flat towards the heart.
        return top_y + np.where(outwards > 0, fall * np.abs(outwards) ** 2.4, 0.3 * fall * outwards**2)


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw the shape of a patient."""
    breadth, length = rng.uniform(0.93, 1.07), rng.uniform(0.94, 1.04)
    stretch = np.array([breadth, length])
    heart_size, heart_tilt = rng.uniform(0.92, 1.25), rng.uniform(-0.05, 0.05)
    stoutness = rng.uniform() ** 1.5
    breath = rng.uniform(-0.05, 0.02)  # an expired chest has high domes
    heart = np.array(_HEART) + rng.normal(0, 0.003, (len(_HEART), 2))
    # The apex follows the breadth of the heart, the large vessels above it stay where they are.
    heart[:, 0] *= 1 + (heart_size - 1) * np.clip((heart[:, 1] - 0.42) / 0.2, 0, 1)
    heart[:, 0] += heart_tilt * (heart[:, 1] - 0.45)
    heart[:, 1] = 0.43 + (heart[:, 1] - 0.43) * (1 + 1.1 * breath)
    mediastinum = np.array(_MEDIASTINUM)
    mediastinum[:, 0] *= rng.uniform(0.88, 1.15)
    mediastinum += rng.normal(0, 0.002, mediastinum.shape)
    cage = {}
    for side in (RIGHT, LEFT):
        half = np.array(_CAGE)
        half[1:-1] += rng.normal(0, 0.003, (len(half) - 2, 2))
        cage[side] = smooth(half * stretch) * (side, 1)
    right_top = 0.80 * length + breath + rng.normal(0, 0.008)
    left_top = right_top + rng.uniform(0.008, 0.035)
    return Patient(
        depth=17.5 + 8 * stoutness + rng.uniform(-0.5, 1.5),
        girth=max(breadth, 0.97) * (1 + 0.16 * stoutness),
        cage=cage,
        heart=smooth(heart * stretch, closed=True),
        mediastinum=smooth(mediastinum * stretch, closed=True),
        domes={
            RIGHT: (-0.175 * breadth, right_top, rng.uniform(0.085, 0.125)),
            LEFT: (0.19 * breadth, left_top, rng.uniform(0.085, 0.125)),
        },
        arm_angle=rng.uniform(0.5, 1.35),
        breasts=max(0.0, rng.uniform(-2.0, 2.2)),
        bones=rng.uniform(0.8, 1.2),
    )


def soft_tissue(patient: Patient, view: View, y: Image) -> Image:
    """Neck, shoulders, trunk and arms, without what lies inside them."""
    half = np.array(_TRUNK)
    # Girth shows below the shoulders most, at the neck hardly.
    half[:, 0] *= 1 + (patient.girth - 1) * np.interp(half[:, 1], (0.1, 0.5), (0.3, 1.0))
    trunk = mirrored(smooth(half))
    shoulder = np.array([0.425, 0.255])
    along = np.array([np.cos(patient.arm_angle), np.sin(patient.arm_angle)])
    reach = np.linspace(0, 1.0, 6)[:, None]
    arms = np.zeros_like(y)
    for side in (RIGHT, LEFT):
        arm = band((shoulder + reach * along) * (side, 1), 0.074)
        arms = np.maximum(arms, 9 * view.rounded(arm, 0.074))
    # The neck is half as deep as the chest; the belly is deeper still.
    depth = patient.depth * np.interp(y, (0.0, 0.10, 0.2, 0.34, 0.75, 1.1), (0.52, 0.58, 0.78, 0.93, 1.0, 1.1))
    body = depth.astype(np.float32) * view.rounded(trunk, 0.15)
    return np.asarray(np.float32(MU_TISSUE) * np.maximum(body, arms), np.float32)


def breasts(patient: Patient, view: View, rng: np.random.Generator) -> Image:
    """Soft shadows over the lower lung fields, and now and then the nipples."""
    shadow = np.zeros((view.height, view.width), np.float32)
    droop = rng.uniform(0.66, 0.74)
    nipples = rng.random() < 0.15
    for side in (RIGHT, LEFT):
        turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        centre = np.array([side * 0.215, droop]) + rng.normal(0, 0.006, 2)
        if patient.breasts > 0:
            outline = centre + np.column_stack([0.15 * np.cos(turn), 0.14 * np.sin(turn)])
            shadow += np.float32(MU_TISSUE * patient.breasts) * view.rounded(outline, 0.13)
        if nipples:
            nipple = view.fill(
                view.blank(), centre + (side * 0.01, 0.05) + 0.009 * np.column_stack([np.cos(turn), np.sin(turn)])
            )
            shadow += np.float32(0.16) * view.blur(nipple, 0.0025)
    return shadow


@dataclass(frozen=True, slots=True)
class Lungs:
    """The air in the chest.

    Attributes
    ----------
    attenuation : ndarray (H, W)
        Of the air, so at most 0.
    field : ndarray (H, W), 0 to 1
        Where lung is seen clear of heart, mediastinum and diaphragm.
    """

    attenuation: Image
    field: Image


def lungs(patient: Patient, view: View, x: Image, y: Image) -> Lungs:
    """Air between the ribs, less what heart, mediastinum and diaphragm take from it."""
    chest = np.concatenate([patient.cage[LEFT], patient.cage[RIGHT][::-1]])
    air = view.rounded(chest, 0.13)
    below = y - np.where(x < 0, patient.diaphragm(x, RIGHT), patient.diaphragm(x, LEFT)).astype(np.float32)
    # Heart and domes bulge into the lungs: a sharp edge where the beam grazes them, some lung behind them.
    air = air * (1 - 0.8 * view.rounded(patient.heart, 0.07)) * (1 - view.rounded(patient.mediastinum, 0.03))
    air *= 1 - np.float32(0.96) * round_off(below / np.float32(0.09))
    field = view.fill(view.blank(), chest)
    view.fill(field, patient.heart, 0)
    view.fill(field, patient.mediastinum, 0)
    clear = field * np.float32(1 / 255) * np.clip(0.5 - below * np.float32(view.unit), 0, 1)
    return Lungs(np.float32(-MU_TISSUE * AIR_FRACTION * 0.82 * patient.depth) * air, clear.astype(np.float32))


def airways(view: View, rng: np.random.Generator) -> Image:
    """Trachea and main bronchi: dark stripes in the mediastinum."""
    canvas = view.blank()
    lean = rng.uniform(-0.010, 0.004)
    trachea = smooth(np.array([(0.0, -0.3), (0.0, 0.05), (lean / 2, 0.22), (lean, 0.33), (lean, 0.40)]))
    for end in ((-0.055, 0.455), (0.075, 0.455)):
        view.fill(canvas, band(np.linspace((lean, 0.385), end, 6), 0.011), 190)
    view.fill(canvas, band(trachea, 0.0175), 255)
    return np.float32(-MU_TISSUE * 2.3) * view.blur(canvas, 0.003)


def gastric_bubble(patient: Patient, view: View, rng: np.random.Generator) -> Image:
    """Air in the stomach under the left dome, larger or smaller, sometimes none to be seen."""
    top_x, top_y, _ = patient.domes[LEFT]
    breadth, height = rng.uniform(0.025, 0.07), rng.uniform(0.018, 0.035)
    amount = rng.uniform(0.0, 4.0)
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    wobble = 1 + 0.12 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.08 * np.sin(3 * turn + rng.uniform(0, 6))
    centre = (top_x - rng.uniform(0.01, 0.06), top_y + height + 0.018)
    outline = centre + np.column_stack([breadth * np.cos(turn), height * np.sin(turn)]) * wobble[:, None]
    return np.float32(-MU_TISSUE * amount) * view.rounded(outline, 0.03)


def spine(patient: Patient, view: View) -> Image:
    """Vertebrae with brighter end plates, pedicles and spinous processes."""
    canvas = view.blank()
    y, turn = -0.12, np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    while y < 1.3:
        top = np.array([0.0, y])
        height = 0.036 + 0.012 * min(max(y, 0.0), 1.0)  # vertebrae grow downwards
        half_width = 0.026 + 0.011 * min(max(y, 0.0), 1.0)
        waist = np.array([(1.0, 0.04), (0.90, 0.3), (0.90, 0.62), (1.0, 0.90)]) * (half_width, height)
        view.fill(canvas, mirrored(waist) + top, 235)
        view.fill(canvas, mirrored(waist * (0.94, 0.72)) + top + np.array([0.0, 0.13 * height]), 165)
        for side in (RIGHT, LEFT):
            view.fill(canvas, circle * (0.0055, 0.0085) + (side * half_width * 0.66, y + 0.4 * height), 225)
        view.fill(canvas, circle * (0.005, 0.011) + (0, y + 0.85 * height), 235)
        y += height
    return np.float32(0.40 * patient.bones) * view.blur(canvas, 0.0028)


def ribs(patient: Patient, view: View, rng: np.random.Generator, x: Image, y: Image) -> Image:
    """Eleven pairs of ribs: the posterior halves, and fainter the anterior ones that cross them."""
    back, front = view.blank(), view.blank()
    descent = rng.uniform(0.9, 1.15)
    for side in (RIGHT, LEFT):
        wall_x, wall_y = patient.chest_wall(side)
        for number in range(11):
            start = 0.152 + 0.0565 * number + rng.normal(0, 0.002)
            drop = descent * min(0.068 + 0.014 * number, 0.14)
            reach = np.interp(start + drop, wall_y, wall_x) + 0.003
            half_height = rng.uniform(0.0105, 0.0132) - 0.003 * (number > 8)
            density = rng.uniform(0.8, 1.08)
            for canvas, first, last in ((front, 1.35, 2.55), (back, 0.0, 1.85)):
                if canvas is front and not 0 < number < 9:
                    continue  # behind the collar bone; floating below
                turn = np.linspace(first, last, 24)
                fall = drop * (turn / (np.pi / 2)) ** 1.35 - 0.012 * np.sin(2 * turn)
                out = np.minimum(
                    0.015 + (reach - 0.015) * np.sin(turn), np.interp(start + fall, wall_y, wall_x) + 0.002
                )
                path = np.column_stack([side * out, start + fall])
                # A rib is a plate on edge: high, and thin where the beam runs along it.
                view.fill(canvas, band(path, (0.0045, half_height)), 235 * density)
                view.fill(canvas, band(path, (0.0022, half_height * 0.72)), 140 * density)
    lateral = np.interp(y, wall_y, wall_x).astype(np.float32)
    # Near the chest wall the beam runs along the plates.
    grazing = np.minimum(np.abs(x) / np.maximum(lateral, np.float32(0.05)), 1.1) ** 12
    behind_heart = np.clip((np.abs(x) - 0.03) / 0.09, 0.3, 1)  # the thick middle swallows their contrast
    strength = np.float32(0.32 * patient.bones) * behind_heart * (1 + np.float32(0.8) * grazing)
    plates = view.blur(back, 0.0016) + np.float32(0.55) * view.blur(front, 0.0022)
    return np.asarray(strength * plates, np.float32)


def shoulder_girdle(patient: Patient, view: View, rng: np.random.Generator) -> Image:
    """Collar bones, shoulder blades and upper arm bones."""
    blades, clavicles, arms = view.blank(), view.blank(), view.blank()
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    swing = rng.uniform(-0.01, 0.035)  # shoulders rolled forward carry the blades off the lungs
    tilt = rng.uniform(-0.05, 0.03)
    for side in (RIGHT, LEFT):
        blade = smooth(rng.normal(_SCAPULA, 0.002) + np.array([swing, 0.0]), closed=True)
        centre = blade.mean(axis=0)
        view.fill(blades, blade * (side, 1), 150)
        view.fill(blades, (centre + (blade - centre) * (0.86, 0.93)) * (side, 1), 80)
        clavicle = smooth(rng.normal(_CLAVICLE, 0.002))
        clavicle[:, 1] += tilt * (clavicle[:, 0] - 0.03) + rng.normal(0, 0.003)
        half = np.interp(clavicle[:, 0], (0.03, 0.08, 0.2, 0.4), (0.017, 0.013, 0.0105, 0.014))[:, None]
        view.fill(clavicles, band(clavicle, half) * (side, 1), 235)
        view.fill(clavicles, band(clavicle, half * 0.62) * (side, 1), 150)
        head = np.array([0.425 + swing, 0.232])
        along = np.array([np.cos(patient.arm_angle), np.sin(patient.arm_angle)])
        shaft = head + np.linspace(0, 0.8, 6)[:, None] * along
        view.fill(arms, band(shaft, 0.021) * (side, 1), 235)
        view.fill(arms, (head + circle * 0.040) * (side, 1), 235)
        view.fill(arms, (head + circle * 0.036) * (side, 1), 175)
        view.fill(arms, band(shaft, 0.011) * (side, 1), 140)
    girdle = (
        np.float32(0.35) * view.blur(blades, 0.002)
        + np.float32(0.44) * view.blur(clavicles, 0.002)
        + np.float32(0.42) * view.blur(arms, 0.003)
    )
    return np.asarray(np.float32(patient.bones) * girdle, np.float32)


def vessels(view: View, rng: np.random.Generator, lung: Lungs, x: Image, y: Image) -> Image:
    """Hila, and from them branching vessels that thin out towards the chest wall."""
    canvas = view.blank()
    soft = np.zeros((view.height, view.width), np.float32)
    for side in (RIGHT, LEFT):
        hilum = np.array([side * (0.075 if side == RIGHT else 0.085), 0.475 if side == RIGHT else 0.455])
        for _ in range(4):
            cx, cy = hilum + rng.normal(0, (0.012, 0.022))
            sx, sy = rng.uniform(0.008, 0.016), rng.uniform(0.012, 0.026)
            radii = ((x - np.float32(cx)) / sx) ** 2 + ((y - np.float32(cy)) / sy) ** 2
            soft += np.float32(0.2) * np.exp(radii / -2)
        generations = list(_vessel_tree(rng, hilum, side))
        for branches, width in reversed(generations):  # the large ones over the small ones
            width_px = 2 * width * view.unit
            drawn_px = max(1, round(width_px))
            # Thinner than a pixel: a pixel wide and fainter, so that the look is the same at every size.
            value = 255 * min(1.0, width / 0.0052) * min(1.0, width_px / drawn_px)
            cv2.polylines(canvas, list(view.fixed_point(branches)), False, value, drawn_px, cv2.LINE_AA, 4)
    tree = np.float32(0.42) * view.blur(canvas, 0.0012)
    return np.asarray((tree + soft) * (0.25 + 0.75 * lung.field), np.float32)


def _vessel_tree(rng: np.random.Generator, hilum: Points, side: int) -> Iterator[tuple[Points, float]]:
    """Yield the branches (N, 7, 2) and the radius of each generation, in body units."""
    number = 9
    # Fewer vessels go upwards than downwards: the lower lobes are larger, and gravity fills them.
    angle = np.linspace(-1.3, 1.5, number) + rng.normal(0, 0.15, number)
    start = hilum + rng.normal(0, (0.008, 0.02), (number, 2))
    length = rng.uniform(0.05, 0.10, number) * np.linspace(0.9, 1.35, number)
    radius = 0.0052
    for _ in range(5):
        bend = rng.normal(0, 0.5, number)
        steps = np.linspace(0, 1, 7)
        heading = angle[:, None] + bend[:, None] * steps
        stride = np.stack([side * np.cos(heading), np.sin(heading)], axis=-1) * length[:, None, None] / 6
        path = start[:, None] + np.cumsum(stride, axis=1) - stride[:, :1]
        yield path, radius
        # Each branch forks at its end and gives off a side branch on the way.
        fork = np.concatenate([path[:, -1], path[:, -1], path[np.arange(number), rng.integers(2, 6, number)]])
        turn = np.concatenate(
            [rng.uniform(0.1, 0.4, number), rng.uniform(-0.4, -0.1, number), rng.normal(0, 0.8, number)]
        )
        angle = np.tile(heading[:, -1], 3) + turn
        start, number = fork, 3 * number
        length = np.tile(length, 3) * rng.uniform(0.45, 0.85, number)
        radius *= 0.66
