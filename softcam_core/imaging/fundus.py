"""The bright disc of a fundus photograph: a camera shows the eye's background through a round mask, on black."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from softcam_core.imaging.image import MedicalImage

_SIDE = 384  # Pixels of the reduced copy that is searched, along its longer side.
# Photographs show at least this part of their disc's diameter; what is smaller against the image is no field of view.
_SMALLEST_DIAMETER = 0.3
_LARGEST_DIAMETER = 1.6  # Of the longer side: beyond that, a rim would be all but straight.
_TOLERANCE = 0.015  # Distance of a rim's point from the circle, as a part of its radius.
_RIM_ON_CIRCLE = 0.55  # Part of the rim that lies on the circle; straight cuts and shadows have the rest.
_SMALLEST_ARC = 0.3  # Part of the circle that the rim shows; shoulders on a chest film round its corners, too.
_SECTORS = 72
_FILLED = 0.85  # Part of the circle's visible area that is bright, and part of what is bright that lies in the circle.
_SHADOW = 0.75  # Where a disc is cut, its bright part is this much of the chord wide, or it fades out there.
_TRIALS = 200

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Circle:
    """Centre and radius in pixels of the reduced copy, pixel edges at whole numbers."""

    row: float
    column: float
    radius: float

    def off(self, points: Points) -> Points:
        """Distances of points (N, 2) from the rim, as parts of the radius; below 0 inside."""
        return np.asarray(np.hypot(*(points - (self.row, self.column)).T) / self.radius - 1)


def find_disc(image: MedicalImage) -> tuple[int, int, int, int] | None:
    """Find the box around what a fundus photograph shows of its disc.

    The disc is the largest part that is brighter than the corners, if its rim lies on one circle. Its box is that of
    the circle, so that a dark side of the photograph does not shift it, cut where the image or the camera's mask cuts
    the disc. It is found on a copy reduced to 384 pixels, and exact to two of those.

    Parameters
    ----------
    image : MedicalImage

    Returns
    -------
    (int, int, int, int) or None
        Top, left, bottom and right in pixels, bottom and right exclusive. None where nothing can be cut away: the
        image is black or of another kind, or the disc fills it.
    """
    reduced, factors = _reduced(image)
    bright = _bright_part(reduced)
    if bright is None:
        return None
    circle = _rim_circle(bright)
    if circle is None:
        return None
    box = []
    for axis, (center, seen) in enumerate(((circle.row, bright), (circle.column, bright.T))):
        low, high = _visible(circle, center, seen)
        size, factor = image.size[axis], factors[axis]
        # Half a reduced pixel is the rim's own blur; less than one between disc and border is no margin.
        low, high = (0 if low < 1 else low - 0.5), (len(seen) if high > len(seen) - 1 else high + 0.5)
        box.append((max(0, int(low * factor)), min(size, int(np.ceil(high * factor)))))
    (top, bottom), (left, right) = box
    return None if (top, left, bottom, right) == (0, 0, *image.size) else (top, left, bottom, right)


def _reduced(image: MedicalImage) -> tuple[npt.NDArray[np.float32], tuple[float, float]]:
    """Brightness (h, w) of a copy of at most `_SIDE` pixels a side, and image pixels per pixel of it."""
    factor = max(1.0, max(image.size) / _SIDE)
    small = [max(1, round(side / factor)) for side in image.size]
    factors = image.size[0] / small[0], image.size[1] / small[1]
    rows, columns = (((np.arange(n) + 0.5) * f).astype(int) for n, f in zip(small, factors, strict=True))
    shown = replace(image, presentation=image.presentation[rows][:, columns]).display()
    # Red alone is bright all over a fundus, and a channel may be clipped.
    brightness = shown if shown.ndim == 2 else np.maximum(np.maximum(shown[..., 0], shown[..., 1]), shown[..., 2])
    # Medians take out the noise of dark photographs and strokes of text, and leave the rim where it is.
    smooth = cv2.medianBlur(cv2.medianBlur(np.ascontiguousarray(brightness), 5), 5)
    return np.asarray(smooth, np.float32), factors


def _bright_part(brightness: npt.NDArray[np.float32]) -> Mask | None:
    """Largest connected part that is brighter than the margin, without holes; None where nothing is."""
    height, width = brightness.shape
    side = max(2, min(height, width) // 16)
    if min(height, width) < 4 * side:
        return None
    corners = [brightness[rows, columns] for rows in (slice(side), slice(-side, None))
               for columns in (slice(side), slice(-side, None))]  # fmt: skip
    # A label lies in one corner or two; the two darkest are margin.
    margin = np.concatenate([c.ravel() for c in sorted(corners, key=np.median)[:2]])
    black, noise = np.median(margin), np.median(np.abs(margin - np.median(margin))) * 1.4826
    white = np.percentile(brightness, 98)
    threshold = black + max(5 * noise, 0.08 * (white - black), 2 / 255)
    if threshold >= white:
        return None
    # Opening cuts off labels and reflections that touch the rim.
    size = max(3, min(height, width) // 40) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    above = cv2.copyMakeBorder((brightness > threshold).astype(np.uint8), size, size, size, size, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(above, cv2.MORPH_OPEN, kernel)[size:-size, size:-size]
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    largest = max(outlines, key=cv2.contourArea)
    filled = cv2.drawContours(np.zeros_like(opened), [largest], 0, 1, cv2.FILLED)
    return np.asarray(filled > 0)


def _rim_circle(bright: Mask) -> _Circle | None:
    """The circle that the outline of the bright part follows, None where it is no circle."""
    outlines, _ = cv2.findContours(bright.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = outlines[0][:, 0, ::-1].astype(np.float64) + 0.5
    sides = np.array(bright.shape)
    # At the image's border the disc is cut: that is no rim.
    rim = outline[((outline > 1) & (outline < sides - 1)).all(axis=1)]
    if len(rim) < 30:
        return None
    circle = _most_agreed(rim, bright.shape)
    for _ in range(3):  # least squares over the points that agree
        if circle is None:
            return None
        circle = _fitted(rim[np.abs(circle.off(rim)) < _TOLERANCE])
    if circle is None or not _is_plausible(circle, bright.shape):
        return None
    agreeing = rim[np.abs(circle.off(rim)) < _TOLERANCE]
    directions = np.arctan2(*(agreeing - (circle.row, circle.column)).T)
    covered = np.unique(np.floor(directions / (2 * np.pi) * _SECTORS)).size / _SECTORS
    is_round = covered >= _SMALLEST_ARC and len(agreeing) >= _RIM_ON_CIRCLE * len(rim)
    return circle if is_round and _fills(circle, bright) else None


def _most_agreed(rim: Points, size: tuple[int, ...]) -> _Circle | None:
    """The circle through three of the points (N, 2) that most others lie on (RANSAC: Fischler and Bolles 1981)."""
    rng = np.random.default_rng(0)  # the same image, the same disc
    first, second, third = rim[rng.integers(len(rim), size=(_TRIALS, 3))].swapaxes(0, 1)
    (ay, ax), (by, bx) = (second - first).T, (third - first).T
    doubled = 2 * (ax * by - ay * bx)
    is_triangle = np.abs(doubled) > 1
    doubled[~is_triangle] = 1
    a2, b2 = ax**2 + ay**2, bx**2 + by**2
    column, row = (by * a2 - ay * b2) / doubled, (ax * b2 - bx * a2) / doubled
    circles = np.column_stack([first[:, 0] + row, first[:, 1] + column, np.hypot(row, column)])[is_triangle]
    candidates = [circle for values in circles if _is_plausible(circle := _Circle(*map(float, values)), size)]
    return max(candidates, key=lambda c: int((np.abs(c.off(rim)) < _TOLERANCE).sum()), default=None)


def _fitted(points: Points) -> _Circle | None:
    """Circle nearest to points (N, 2) by algebraic least squares (Kasa 1976); None where they lie on a line."""
    if len(points) < 3:
        return None
    middle = points.mean(axis=0)
    shifted = points - middle
    matrix = np.column_stack([2 * shifted, np.ones(len(points))])
    solution, _, rank, _ = np.linalg.lstsq(matrix, (shifted**2).sum(axis=1), rcond=1e-9)
    if rank < 3:
        return None
    radius = float(np.sqrt(solution[2] + solution[0] ** 2 + solution[1] ** 2))
    return _Circle(float(solution[0] + middle[0]), float(solution[1] + middle[1]), radius)


def _is_plausible(circle: _Circle, size: tuple[int, ...]) -> bool:
    """True for a circle of a size that cameras make, whose centre the image shows."""
    diameter, longer = 2 * circle.radius, max(size)
    inside = 0 < circle.row < size[0] and 0 < circle.column < size[1]
    return inside and _SMALLEST_DIAMETER * longer < diameter < _LARGEST_DIAMETER * longer


def _fills(circle: _Circle, bright: Mask) -> bool:
    """True where the bright part is the circle, as far as rows and columns that have any of it go."""
    rows, columns = np.indices(bright.shape) + 0.5
    inside = np.hypot(rows - circle.row, columns - circle.column) <= circle.radius
    shown = inside & np.logical_and.outer(bright.any(axis=1), bright.any(axis=0))
    both = (shown & bright).sum()
    return bool(both >= _FILLED * shown.sum() and both >= _FILLED * bright.sum())


def _visible(circle: _Circle, center: float, bright: Mask) -> tuple[float, float]:
    """Where the disc begins and ends along the first axis of `bright`: at its rim, at a straight cut, or the border."""
    seen = bright.sum(axis=1)
    (first, last), ends = np.flatnonzero(seen)[[0, -1]], []
    inset = max(2, round(0.02 * circle.radius))
    for end, rim, line in ((first, center - circle.radius, first + inset), (last + 1, center + circle.radius,
                                                                           last - inset)):  # fmt: skip
        chord = 2 * np.sqrt(max(circle.radius**2 - (line + 0.5 - center) ** 2, 0.0))
        is_cut = abs(rim - end) > _TOLERANCE * circle.radius and seen[line] >= _SHADOW * chord
        ends.append(float(end if is_cut else rim))
    low, high = ends
    return max(low, 0.0), min(high, float(len(bright)))
