"""Drawing in body units: the view of a phantom, and the curves and solids its anatomy is made of.

Lengths are in *body units*: 1 is the width of an unmagnified film (about 40 cm), x runs from the midline to
the patient's left (the right of the film), y from the top of a square film downwards. Whatever is drawn
through a :class:`View` is therefore the same at every image size.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Canvas = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class View:
    """How a patient stands before the detector: an affine map from body units to pixels.

    Attributes
    ----------
    height, width : int
        Image size in pixels.
    scale : float
        Magnification, 1 for an average patient.
    angle : float
        Rotation in radians.
    shift : (float, float)
        What lies in the centre of the image, relative to (0, 0.5), in body units.
    """

    height: int
    width: int
    scale: float = 1.0
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def unit(self) -> float:
        """Pixels per body unit."""
        return self.width * self.scale

    @property
    def matrix(self) -> Points:
        """The map as a (2, 3) matrix, from (x, y) in body units to (column, row) of pixel centres."""
        cos, sin = np.cos(self.angle) * self.unit, np.sin(self.angle) * self.unit
        linear = np.array([[cos, -sin], [sin, cos]])
        offset = np.array([self.width / 2, self.height / 2]) - linear @ (np.array([0.0, 0.5]) + self.shift) - 0.5
        return np.column_stack([linear, offset])

    def grid(self) -> tuple[Image, Image]:
        """Body coordinates x and y of each pixel, both (H, W)."""
        (a, b, c), (d, e, f) = cv2.invertAffineTransform(self.matrix)
        column = np.arange(self.width, dtype=np.float32)[None, :]
        row = np.arange(self.height, dtype=np.float32)[:, None]
        x = np.float32(a) * column + (np.float32(b) * row + np.float32(c))
        y = np.float32(d) * column + (np.float32(e) * row + np.float32(f))
        return x, y

    def fixed_point(self, points: Points) -> npt.NDArray[np.int32]:
        """Points (..., 2) in pixels with four fractional bits, the way OpenCV draws between pixels."""
        matrix = self.matrix
        pixels = points @ matrix[:, :2].T + matrix[:, 2]
        return np.round(pixels * 16).astype(np.int32)

    def blank(self) -> Canvas:
        """Return an empty canvas; OpenCV draws smooth edges on eight bits only."""
        return np.zeros((self.height, self.width), np.uint8)

    def fill(self, canvas: Canvas, outline: Points, value: float = 255) -> Canvas:
        """Fill the closed `outline` (N, 2) on `canvas` with a smooth edge, and return the canvas."""
        cv2.fillPoly(canvas, [self.fixed_point(outline)], value, cv2.LINE_AA, 4)
        return canvas

    def blur(self, image: npt.NDArray[np.generic], sigma: float) -> Image:
        """Gaussian blur of `sigma` body units, float32; values of a canvas become 0 to 1."""
        scaled = np.float32(1 / 255) if image.dtype == np.uint8 else np.float32(1)
        sigma_px = max(sigma * self.unit, 0.3)
        return np.asarray(cv2.GaussianBlur(image.astype(np.float32) * scaled, (0, 0), sigma_px), np.float32)

    def rounded(self, outline: Points, radius: float) -> Image:
        """Relative thickness (H, W), 0 to 1, of a body with this outline whose edges are rounded with `radius`."""
        # An edge a little outside of the image rounds off what is inside, so it must be drawn too. Distances
        # are to whole pixels; on small images that would be seen as steps.
        margin, finer = int(np.ceil(radius * self.unit)) + 2, 2 if self.unit < 300 else 1
        height, width = self.height + 2 * margin, self.width + 2 * margin
        around = View(height * finer, width * finer, self.unit / width, self.angle, self.shift)
        inside = cv2.distanceTransform(around.fill(around.blank(), outline), cv2.DIST_L2, 5)
        crop = inside[margin * finer : -margin * finer, margin * finer : -margin * finer]
        solid = round_off(np.maximum(crop - 0.5, 0) / np.float32(radius * around.unit))
        if finer > 1:
            solid = np.asarray(cv2.resize(solid, (self.width, self.height), interpolation=cv2.INTER_AREA))
        return self.blur(solid, 0.0016)

    def texture(self, rng: np.random.Generator, cell: float) -> Image:
        """Smooth noise (H, W) of unit variance and `cell` body units, the same pattern at every image size."""
        origin, extent = np.array([-1.0, -0.6]), np.array([2.0, 2.4])
        columns, rows = np.ceil(extent / cell).astype(int)
        lattice = rng.standard_normal((rows, columns), dtype=np.float32)
        to_pixels = np.column_stack([self.matrix[:, :2] * cell, self.matrix @ [*origin, 1.0]])
        return np.asarray(cv2.warpAffine(lattice, to_pixels, (self.width, self.height), flags=cv2.INTER_CUBIC))


def round_off(depth_ratio: npt.NDArray[np.floating]) -> Image:
    """Thickness of a body with a circular edge: 0 at its outline (0), 1 from its radius (1) on."""
    return np.asarray(np.sqrt(1 - (1 - np.clip(depth_ratio, 0, 1)) ** 2), np.float32)


def smooth(points: Points, *, closed: bool = False, steps: int = 8) -> Points:
    """Catmull-Rom curve through `points` (N, 2), with `steps` points a stretch."""
    ends = (points[-1:], points[:2]) if closed else (2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1])
    p = np.concatenate([ends[0], points, ends[1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    before, here, there, after = (p[i : len(p) - 3 + i, None, :] for i in range(4))
    curve = here + 0.5 * t * (
        there - before + t * (2 * before - 5 * here + 4 * there - after + t * (3 * (here - there) + after - before))
    )
    flat = curve.reshape(-1, 2)
    return flat if closed else np.concatenate([flat, points[-1:]])


def mirrored(half: Points) -> Points:
    """Complete a closed outline from its right half, listed from top to bottom."""
    return np.concatenate([half, half[::-1] * (-1, 1)])


def band(path: Points, across: npt.ArrayLike) -> Points:
    """Outline of a strip along `path` (N, 2), `across` wide to either side: one width, (in x, in y), or (N, 1)."""
    tangent = np.gradient(path, axis=0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]]) / np.linalg.norm(tangent, axis=1, keepdims=True)
    offset = normal * np.asarray(across)
    return np.concatenate([path + offset, (path - offset)[::-1]])
