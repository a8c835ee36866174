r"""Image <-> model input <-> evidence grid: one invertible transform.

All coordinates are continuous, in (row, column) order, with pixel edges at whole numbers: the first pixel
spans [0, 1] and its centre is 0.5. The cells of an (h, w) grid lie where the network looks (`Lattice`), or, where
that is not known, are h x w equal parts of the model input.

**The exact ledger.** Evidence A on the grid is read as a bilinear surface over the model input, held constant
beyond the outermost cell centres. With the tent function of cell j along one axis,

.. math:: \varphi_j(g) = \max(0, 1 - |g - (j + 1/2)|)

(the outermost tents stay 1 up to the border), all tents add up to one everywhere. A cell's n-th part of the mean is
spread over the pixels under its tent, in proportion to the tent:

.. math:: s_p = \frac{1}{n} \sum_j A_j \int_p \varphi_j \Big/ \int \varphi_j

So the shares of all pixels add up to the mean of the grid, which is the logit, at any size, with any crop and wherever
the cells lie. Cells that tile the input have tents that integrate to exactly one cell; the shares are then the integral
of the surface over each pixel, divided by the area of the grid, and at an even whole-number factor the pixel averages
equal ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``.
"""

from dataclasses import dataclass, replace
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Field = tuple[float, float, float, float]
"""Part of an image as (top, left, bottom, right), in pixels; edges at whole numbers."""

_SLIVER = 1e-9  # cells


def tent_integrals(edges: FloatArray, cells: int) -> FloatArray:
    """Integrals of each cell's tent function between neighbouring edges.

    Parameters
    ----------
    edges : ndarray, (N + 1,)
        Increasing positions in cells; cell j spans [j, j + 1].
    cells : int
        Number n of cells along this axis.

    Returns
    -------
    ndarray, (N, n)
        Row i holds the integrals from ``edges[i]`` to ``edges[i + 1]``; it sums to their distance. Over edges
        that span [0, n] each column sums to 1.
    """
    if cells == 1:
        return np.diff(edges)[:, None]
    centres = np.arange(cells) + 0.5
    t = np.clip(edges[:, None] - centres, -1, 1)
    cumulative = np.where(t < 0, (1 + t) ** 2 / 2, 1 - (1 - t) ** 2 / 2)
    # Before the first centre and behind the last one the tent there is 1.
    for j, is_beyond in ((0, edges < centres[0]), (-1, edges > centres[-1])):
        cumulative[is_beyond, j] = 0.5 + edges[is_beyond] - centres[j]
    return np.diff(cumulative, axis=0)


@dataclass(frozen=True, slots=True)
class Lattice:
    """Where the cells of a network's grid lie in the model input, in pixels along rows and columns.

    Attributes
    ----------
    first : (float, float)
        Centre of cell (0, 0).
    stride : (float, float)
        From one cell to the next.
    """

    first: tuple[float, float]
    stride: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Geometry:
    """The transform that made a model input: field cut out of the image, shorter side resized, then centre crop.

    Attributes
    ----------
    image_size : (int, int)
        Height and width of the image in pixels.
    resized : (int, int)
        Height and width of the field after resizing.
    origin : (int, int)
        Row and column of the crop's first pixel in the resized image.
    input_size : (int, int)
        Height and width of the model input.
    lattice : Lattice or None
        Where the cells of grids lie; None for cells that tile the model input.
    field : Field or None
        Part of the image that was resized, within the image; None for the whole image. Nothing outside of it is
        analysed.
    """

    image_size: tuple[int, int]
    resized: tuple[int, int]
    origin: tuple[int, int]
    input_size: tuple[int, int]
    lattice: Lattice | None = None
    field: Field | None = None

    @classmethod
    def plan(
        cls,
        image_size: tuple[int, int],
        shorter_side: int | None,
        crop: tuple[int, int] | None = None,
        field: tuple[int, int, int, int] | None = None,
    ) -> "Geometry":
        """Plan the way from an image to the model input.

        Parameters
        ----------
        image_size : (int, int)
            Height and width in pixels.
        shorter_side : int or None
            Pixels that the field's shorter side is resized to, keeping the aspect ratio; None leaves the field as it
            is.
        crop : (int, int) or None
            Height and width cut from the centre; None keeps everything. Never more than the resized field.
        field : (int, int, int, int) or None
            Whole pixels (top, left, bottom, right) that are cut out before resizing; None keeps the whole image.

        Raises
        ------
        ValueError
            For a field that is empty or not within the image.
        """
        top, left, bottom, right = field or (0, 0, *image_size)
        if not (0 <= top < bottom <= image_size[0] and 0 <= left < right <= image_size[1]):
            raise ValueError(f"no field {field} in an image of {image_size} pixels")
        height, width = resized = bottom - top, right - left
        if shorter_side is not None:
            # Truncated, and the crop's origin rounded, as torchvision's Resize and CenterCrop do.
            short = min(height, width)
            resized = int(shorter_side * height / short), int(shorter_side * width / short)
        input_size = resized if crop is None else (min(crop[0], resized[0]), min(crop[1], resized[1]))
        origin = round((resized[0] - input_size[0]) / 2), round((resized[1] - input_size[1]) / 2)
        is_whole = (top, left, bottom, right) == (0, 0, *image_size)
        return cls(image_size, resized, origin, input_size, field=None if is_whole else field)

    @property
    def extent(self) -> Field:
        """The field, or the whole image where there is none."""
        return self.field or (0, 0, *self.image_size)

    @property
    def scale(self) -> tuple[float, float]:
        """Model-input pixels per image pixel, along rows and columns."""
        top, left, bottom, right = self.extent
        return self.resized[0] / (bottom - top), self.resized[1] / (right - left)

    @property
    def is_cropped(self) -> bool:
        """True where part of the image is not analysed."""
        return self.input_size != self.resized or self.field is not None

    @property
    def analysed_box(self) -> tuple[float, float, float, float]:
        """Analysed area on the image as (top, left, bottom, right) in pixels."""
        top, left = self.to_image(0, 0)
        bottom, right = self.to_image(*self.input_size)
        return top, left, bottom, right

    def to_input(self, row: float, column: float) -> tuple[float, float]:
        """Image position -> model-input position; outside [0, input size] where it was cropped away."""
        (top, left, _, _), (down, across) = self.extent, self.scale
        return (row - top) * down - self.origin[0], (column - left) * across - self.origin[1]

    def to_image(self, row: float, column: float) -> tuple[float, float]:
        """Model-input position -> image position."""
        (top, left, _, _), (down, across) = self.extent, self.scale
        return top + (row + self.origin[0]) / down, left + (column + self.origin[1]) / across

    def sampled(self, image_size: tuple[int, int]) -> "Geometry":
        """The same transform from another sampling of the image, `image_size` pixels high and wide."""
        down, across = (new / old for new, old in zip(image_size, self.image_size, strict=True))
        field = self.field
        if field is not None:
            field = field[0] * down, field[1] * across, field[2] * down, field[3] * across
        return replace(self, image_size=image_size, field=field)

    def analysed(self, size: tuple[int, int]) -> "Geometry":
        """Geometry of a picture of `size` pixels that shows the analysed area alone."""
        lattice = self.lattice
        if lattice is not None:
            factors = [pixels / own for pixels, own in zip(size, self.input_size, strict=True)]
            (y, x), (step_y, step_x) = lattice.first, lattice.stride
            lattice = Lattice((y * factors[0], x * factors[1]), (step_y * factors[0], step_x * factors[1]))
        return Geometry(size, size, (0, 0), size, lattice)

    def cell_at(self, row: float, column: float, grid_size: tuple[int, int]) -> tuple[int, int] | None:
        """Grid cell nearest to an image position, None outside the analysed area."""
        position = self.to_input(row, column)
        if any(not 0 <= p < size for p, size in zip(position, self.input_size, strict=True)):
            return None
        i, j = (
            min(max(floor(self._in_cells(position[axis], axis, cells)), 0), cells - 1)
            for axis, cells in enumerate(grid_size)
        )
        return i, j

    def cell_box(self, cell: tuple[int, int], grid_size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Box of the positions nearest to a grid cell, on the image as (top, left, bottom, right) in pixels."""
        (top, bottom), (left, right) = (self._cell_span(cell[axis], axis, n) for axis, n in enumerate(grid_size))
        return (*self.to_image(top, left), *self.to_image(bottom, right))

    def _tiling(self, axis: int, cells: int) -> tuple[float, float]:
        """Where the first cell begins along an axis of the model input, and the cells' size, in pixels."""
        if self.lattice is None:
            return 0.0, self.input_size[axis] / cells
        step = self.lattice.stride[axis]
        return self.lattice.first[axis] - step / 2, step

    def _in_cells(self, position: float, axis: int, cells: int) -> float:
        """Model-input position -> position in cells."""
        start, step = self._tiling(axis, cells)
        return (position - start) / step

    def _cell_span(self, cell: int, axis: int, cells: int) -> tuple[float, float]:
        """Begin and end of a cell along an axis of the model input; the outermost cells reach to its border."""
        (start, step), size = self._tiling(axis, cells), self.input_size[axis]
        low = 0.0 if cell == 0 else min(max(start + cell * step, 0.0), size)
        high = size if cell == cells - 1 else min(max(start + (cell + 1) * step, 0.0), size)
        return low, high

    def _pixel_edges(self, axis: int, cells: int) -> FloatArray:
        """Edges of all image pixels along an axis, in grid cells, (size + 1,), held within the model input."""
        pixels = np.arange(self.image_size[axis] + 1)
        start, step = self._tiling(axis, cells)
        edges = ((pixels - self.extent[axis]) * self.scale[axis] - self.origin[axis] - start) / step
        low, high = -start / step, (self.input_size[axis] - start) / step
        # Rounding must leave no sliver of a pixel inside, whose average would be noise, nor one of the image outside.
        for border in (low, high):
            edges[np.abs(edges - border) < _SLIVER] = border
        return np.asarray(np.clip(edges, low, high), dtype=np.float64)

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
        (rows, inside_rows), (columns, inside_columns) = (
            self._average_weights(axis, cells) for axis, cells in enumerate(grid.shape[-2:])
        )
        out = np.full((*grid.shape[:-2], *self.image_size), np.nan, dtype=np.float32)
        out[..., inside_rows, inside_columns] = rows @ grid @ columns.T
        return out

    def averages(self, grid_size: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
        """Weights with which `on_image` makes the analysed pixels of a grid: rows (H', h) and columns (W', w).

        Each row adds up to 1. ``rows @ grid @ columns.T`` is the part of `on_image` that is a number.
        """
        rows, columns = (self._average_weights(axis, cells)[0] for axis, cells in enumerate(grid_size))
        return rows, columns

    def _average_weights(self, axis: int, cells: int) -> tuple[FloatArray, slice]:
        """What part of a pixel's average each cell gives along an axis, and which pixels are analysed."""
        edges = self._pixel_edges(axis, cells)
        covered = np.diff(edges)
        first, *_, last = np.flatnonzero(covered).repeat(2)
        inside = slice(first, last + 1)
        return tent_integrals(edges, cells)[inside] / covered[inside, None], inside

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
        rows, columns = self.share_weights(grid.shape[-2:])
        return np.asarray(rows @ np.asarray(grid, dtype=np.float64) @ columns.T)

    def weights_of(self, mask: npt.NDArray[np.bool_ | np.floating[Any]], grid_size: tuple[int, int]) -> FloatArray:
        """What a mask on the image takes of each cell's part of the mean: the adjoint of `shares`.

        Parameters
        ----------
        mask : ndarray, (H, W)
            How much of each image pixel, 0 to 1.
        grid_size : (int, int)

        Returns
        -------
        ndarray, (h, w) float64
            ``(weights * grid).sum()`` is ``(mask * shares(grid)).sum()`` for every grid; 1 / (h w) in every cell for a
            mask that is 1 everywhere.

        Raises
        ------
        ValueError
            For a mask that is not of the image's size.
        """
        if mask.shape != self.image_size:
            raise ValueError(f"a mask of {mask.shape} pixels for an image of {self.image_size}")
        rows, columns = self.share_weights(grid_size)
        return np.asarray(rows.T @ np.asarray(mask, dtype=np.float64) @ columns)

    def share_weights(self, grid_size: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
        """Weights with which `shares` is made of a grid: rows (H, h) and columns (W, w).

        Each cell's add up to 1 / h and 1 / w.
        """
        rows, columns = (self._share_weights(axis, cells) for axis, cells in enumerate(grid_size))
        return rows, columns

    def _share_weights(self, axis: int, cells: int) -> FloatArray:
        """What part of each cell falls to each image pixel along an axis, by n: (size, n); columns sum to 1/n."""
        edges = self._pixel_edges(axis, cells)
        weights = tent_integrals(edges, cells)
        whole = weights.sum(axis=0)
        for cell in np.flatnonzero(whole < _SLIVER):  # a cell centred beyond the input belongs to the pixel next to it
            inside = np.flatnonzero(np.diff(edges))
            weights[inside[0] if cell < cells / 2 else inside[-1], cell] = whole[cell] = 1.0
        return np.asarray(weights / (whole * cells))
