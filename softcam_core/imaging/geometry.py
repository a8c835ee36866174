r"""Image <-> model input <-> evidence grid: one invertible transform.

All coordinates are continuous, in (row, column) order, with pixel edges at whole numbers: the first pixel
spans [0, 1] and its centre is 0.5. A grid cell (i, j) of an (h, w) grid stands for the i-th of h equal
strips of the model input's height and the j-th of w of its width.

**The exact ledger.** Evidence A on the grid is read as a bilinear surface over the model input, held constant
beyond the outermost cell centres. With the tent function of cell j along one axis,

.. math:: \varphi_j(g) = \max(0, 1 - |g - (j + 1/2)|), \quad 0 \le g \le n,

(the outermost tents stay 1 up to the border), each tent integrates to exactly one cell and all tents add up to
one everywhere. The share of a pixel is the integral of the surface over that pixel, divided by the area of the
grid. So the shares of all pixels add up to the mean of the grid, which is the logit, at any size and with any
crop, and nothing has to be rescaled afterwards. At an even whole-number factor the pixel averages equal
``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_SLIVER = 1e-9  # cells


def tent_integrals(edges: FloatArray, cells: int) -> FloatArray:
    """Integrals of each cell's tent function between neighbouring edges.

    Parameters
    ----------
    edges : ndarray, (N + 1,)
        Increasing positions in cells, within [0, ``cells``].
    cells : int
        Number n of cells along this axis.

    Returns
    -------
    ndarray, (N, n)
        Row i holds the integrals from ``edges[i]`` to ``edges[i + 1]``; it sums to their distance. Over edges
        that span [0, n] each column sums to 1.
    """
    # Tents -1 and n are those of the cells that would follow; holding the surface constant beyond the outermost
    # centres gives their weight to the first and the last cell.
    centres = np.arange(-1, cells + 1) + 0.5
    t = np.clip(edges[:, None] - centres, -1, 1)
    cumulative = np.where(t < 0, (1 + t) ** 2 / 2, 1 - (1 - t) ** 2 / 2)
    integrals = np.diff(cumulative, axis=0)
    inner = integrals[:, 1:-1].copy()
    inner[:, 0] += integrals[:, 0]
    inner[:, -1] += integrals[:, -1]
    return inner


def upsample(grid: npt.NDArray[np.floating[Any]], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Pixel averages of the bilinear surface through a grid.

    Parameters
    ----------
    grid : ndarray, (..., h, w)
    size : (int, int)
        Height and width of the result; smaller than the grid is allowed.

    Returns
    -------
    ndarray, (..., *size) float32
        Its mean is the grid's mean.
    """
    rows, columns = (
        tent_integrals(np.linspace(0, n, pixels + 1), n) * (pixels / n)
        for n, pixels in zip(grid.shape[-2:], size, strict=True)
    )
    return np.asarray(rows @ grid @ columns.T, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Geometry:
    """The transform that made a model input: shorter side resized, then centre crop.

    Attributes
    ----------
    image_size : (int, int)
        Height and width of the image in pixels.
    resized : (int, int)
        Height and width after resizing.
    origin : (int, int)
        Row and column of the crop's first pixel in the resized image.
    input_size : (int, int)
        Height and width of the model input.
    """

    image_size: tuple[int, int]
    resized: tuple[int, int]
    origin: tuple[int, int]
    input_size: tuple[int, int]

    @classmethod
    def plan(
        cls, image_size: tuple[int, int], shorter_side: int | None, crop: tuple[int, int] | None = None
    ) -> "Geometry":
        """Plan the way from an image to the model input.

        Parameters
        ----------
        image_size : (int, int)
            Height and width in pixels.
        shorter_side : int or None
            Pixels that the shorter side is resized to, keeping the aspect ratio; None leaves the image as it is.
        crop : (int, int) or None
            Height and width cut from the centre; None keeps everything. Never more than the resized image.
        """
        height, width = image_size
        resized = image_size
        if shorter_side is not None:
            # Truncated, and the crop's origin rounded, as torchvision's Resize and CenterCrop do.
            short = min(height, width)
            resized = int(shorter_side * height / short), int(shorter_side * width / short)
        input_size = resized if crop is None else (min(crop[0], resized[0]), min(crop[1], resized[1]))
        origin = round((resized[0] - input_size[0]) / 2), round((resized[1] - input_size[1]) / 2)
        return cls(image_size, resized, origin, input_size)

    @property
    def scale(self) -> tuple[float, float]:
        """Model-input pixels per image pixel, along rows and columns."""
        return self.resized[0] / self.image_size[0], self.resized[1] / self.image_size[1]

    @property
    def is_cropped(self) -> bool:
        """True where part of the image is not analysed."""
        return self.input_size != self.resized

    @property
    def analysed_box(self) -> tuple[float, float, float, float]:
        """Analysed area on the image as (top, left, bottom, right) in pixels."""
        top, left = self.to_image(0, 0)
        bottom, right = self.to_image(*self.input_size)
        return top, left, bottom, right

    def to_input(self, row: float, column: float) -> tuple[float, float]:
        """Image position -> model-input position; outside [0, input size] where it was cropped away."""
        return row * self.scale[0] - self.origin[0], column * self.scale[1] - self.origin[1]

    def to_image(self, row: float, column: float) -> tuple[float, float]:
        """Model-input position -> image position."""
        return (row + self.origin[0]) / self.scale[0], (column + self.origin[1]) / self.scale[1]

    def cell_at(self, row: float, column: float, grid_size: tuple[int, int]) -> tuple[int, int] | None:
        """Grid cell under an image position, None outside the analysed area."""
        position = self.to_input(row, column)
        cell = [int(p * n // size) for p, n, size in zip(position, grid_size, self.input_size, strict=True)]
        if any(p < 0 for p in position) or any(c >= n for c, n in zip(cell, grid_size, strict=True)):
            return None
        return cell[0], cell[1]

    def cell_box(self, cell: tuple[int, int], grid_size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Box of a grid cell on the image as (top, left, bottom, right) in pixels."""
        (i, j), (h, w), (height, width) = cell, grid_size, self.input_size
        top, left = self.to_image(i * height / h, j * width / w)
        bottom, right = self.to_image((i + 1) * height / h, (j + 1) * width / w)
        return top, left, bottom, right

    def _pixel_edges(self, axis: int, cells: int) -> FloatArray:
        """Edges of all image pixels along an axis, in grid cells, (size + 1,), held within the grid."""
        pixels = np.arange(self.image_size[axis] + 1)
        edges = (pixels * self.scale[axis] - self.origin[axis]) * (cells / self.input_size[axis])
        # Rounding must leave no sliver of a pixel inside, whose average would be noise, nor one of the image outside.
        for border in (0, cells):
            edges[np.abs(edges - border) < _SLIVER] = border
        return np.asarray(np.clip(edges, 0, cells), dtype=np.float64)

    def on_image(self, grid: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """Spread a grid over the image.

        Parameters
        ----------
        grid : ndarray, (..., h, w)

        Returns
        -------
        ndarray, (..., H, W) float32
            Average of the surface over the analysed part of each pixel, NaN outside the analysed area.
        """
        averages, inside = [], []
        for axis, cells in enumerate(grid.shape[-2:]):
            edges = self._pixel_edges(axis, cells)
            covered = np.diff(edges)
            first, *_, last = np.flatnonzero(covered).repeat(2)
            inside.append(slice(first, last + 1))
            averages.append(tent_integrals(edges, cells)[inside[-1]] / covered[inside[-1], None])
        out = np.full((*grid.shape[:-2], *self.image_size), np.nan, dtype=np.float32)
        out[..., inside[0], inside[1]] = averages[0] @ grid @ averages[1].T
        return out

    def at(self, grid: npt.NDArray[np.floating[Any]], row: int, column: int) -> float:
        """Value of `on_image` at one pixel: (h, w) grid, row and column of the pixel."""
        weights = []
        for axis, (cells, pixel) in enumerate(zip(grid.shape, (row, column), strict=True)):
            edges = self._pixel_edges(axis, cells)[pixel : pixel + 2]
            if edges[1] <= edges[0]:
                return float("nan")
            weights.append(tent_integrals(edges, cells)[0] / (edges[1] - edges[0]))
        return float(weights[0] @ grid @ weights[1])

    def shares(self, grid: npt.NDArray[np.floating[Any]]) -> FloatArray:
        """Each image pixel's exact share of the grid's mean.

        Parameters
        ----------
        grid : ndarray, (..., h, w)

        Returns
        -------
        ndarray, (..., H, W) float64
            0 outside the analysed area; sums to the mean of the grid.
        """
        rows, columns = (
            tent_integrals(self._pixel_edges(axis, cells), cells) / cells for axis, cells in enumerate(grid.shape[-2:])
        )
        return np.asarray(rows @ np.asarray(grid, dtype=np.float64) @ columns.T)
