"""Figures of maps of one image that is in memory: what can be told beside a map while somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from softcam_core.evaluation.agreement import rank_correlation
from softcam_core.evaluation.curves import curve_area
from softcam_core.evaluation.map_figures import map_figures
from softcam_core.evaluation.mapping import Mapped, Wanted
from softcam_core.evaluation.metrics import METRICS, Metric
from softcam_core.evaluation.removal import removal_curves
from softcam_core.explainers.base import Maps
from softcam_core.explainers.explanation import Class, Explanation
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import UNWATCHED, Watch
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.image import MedicalImage
from softcam_core.models.classifier import Classifier

CURVES = (METRICS["deletion"], METRICS["insertion"])


@dataclass(frozen=True, slots=True, eq=False)
class ShownMap:
    """The map of one class that an explanation has.

    Attributes
    ----------
    target : Target
    geometry : Geometry
        From the image to the model input.
    grid : Tensor, (h, w) float32
        On the method's own grid.
    on_input : Tensor, (H, W) float32
        On the model input; NaN throughout where some value is no number.
    """

    target: Target
    geometry: Geometry
    grid: Tensor
    on_input: Tensor

    @property
    def is_lost(self) -> bool:
        """True where some value of the map is no number: it then has no figures."""
        return bool(self.on_input.isnan().all())


@dataclass(frozen=True, slots=True, eq=False)
class RemovalCurve:
    """The probability of a class while parts of the image go, or come back.

    Attributes
    ----------
    values : ndarray, (n,) float64
        After 0, 1, ... blocks, in [0, 1].
    area : float
        Under the curve, by `softcam_core.evaluation.curves.curve_area`.
    """

    values: npt.NDArray[np.float64]
    area: float


def shown_map(explanation: Explanation, of: Class, against: Class | None = None) -> ShownMap:
    """The map of a class, or of one class against another, as figures need it.

    Raises
    ------
    KeyError, IndexError
        See `Explanation.map_of`.
    """
    grid = torch.from_numpy(np.ascontiguousarray(explanation.map_of(of, against), dtype=np.float32))
    geometry = explanation.geometry
    maps = Maps(grid[None, None], explanation.scale, lattice=geometry.lattice)
    on_input = maps.on_input(geometry.input_size)[0, 0]
    if not bool(on_input.isfinite().all()):
        on_input = torch.full_like(on_input, torch.nan)
    return ShownMap(explanation.target(of, against), geometry, grid, on_input)


def figures_of(shown: ShownMap, metrics: Iterable[Metric], region: Tensor | None = None) -> dict[str, float]:
    """Figures that need nothing but the map, and those that compare it with what was annotated.

    Parameters
    ----------
    shown : ShownMap
    metrics : iterable of Metric
        Those asked for; what needs more than the map is passed over.
    region : Tensor, (H, W) bool, optional
        What was annotated, on the model input (`softcam_core.evaluation.cases.see_annotation`); without it there are no
        figures of localisation.

    Returns
    -------
    dict of str to float
        NaN where the map has no such figure.
    """
    mapped = Mapped(grids={(0, shown.target): shown.grid}, on_input={(0, shown.target): shown.on_input})
    wanted = Wanted(None if region is None else shown.target, None, shown.target)
    regions = torch.zeros_like(shown.on_input, dtype=torch.bool) if region is None else region
    found = map_figures(tuple(metrics), mapped, [wanted], regions[None], [True])
    return {figures.name: float(figures.values[0]) for figures in found if figures.values.ndim == 1}


def agreement_of(a: ShownMap, b: ShownMap) -> float:
    """Rank correlation of two maps of an image by networks that see it the same way (`rank_correlation`).

    Returns
    -------
    float
        In [-1, 1]; NaN where one of the two is constant, or lost.

    Raises
    ------
    ValueError
        Where the networks see the image differently.
    """
    if not is_seen_alike(a.geometry, b.geometry):
        raise ValueError("the maps lie on different model inputs")
    return float(rank_correlation(a.on_input[None], b.on_input[None]))


def is_seen_alike(a: Geometry, b: Geometry) -> bool:
    """True where two model inputs have the same pixels of an image, whatever the cells of their maps."""
    return replace(a, lattice=None) == replace(b, lattice=None)


def curves_of(
    model: Classifier,
    image: MedicalImage,
    maps: Mapping[str, ShownMap],
    of: int,
    *,
    metrics: Iterable[Metric] = CURVES,
    watch: Watch = UNWATCHED,
) -> dict[str, dict[str, RemovalCurve]]:
    """Deletion, insertion and ROAD of several maps together, so that what these have in common is run once.

    As in an evaluation, but for two things: the class followed is the one given, and what is blanked becomes the mean
    of the data that the model was normalised for, because the mean of a data set is not known of one image.

    Parameters
    ----------
    model : Classifier
        What is run, and what the maps explain.
    image : MedicalImage
    maps : mapping of str to ShownMap
        By name; of this image.
    of : int
        The class whose probability is followed.
    metrics : iterable of Metric
        Those asked for; what removes nothing is passed over.
    watch : Watch

    Returns
    -------
    dict
        Name of the map -> name of the figure -> curve. Lost maps, in which there is no order, have none.

    Raises
    ------
    OutOfMemoryError
        When the device's memory is too small for one input.
    CancelledError
        See `Watch`.
    """
    whole = {name: shown.on_input for name, shown in maps.items() if not shown.is_lost}
    if not whole:
        return {}
    found = removal_curves(
        {metric.name: metric for metric in metrics},
        model,
        torch.from_numpy(model.card.preprocessing.apply(image).array)[None].to(model.device, model.dtype),
        {name: on_input[None].to(model.device) for name, on_input in whole.items()},
        torch.tensor([of]),
        fill=torch.zeros(3),
        seed=0,
        watch=watch,
    )
    return {name: {figure: _curve(curves[name]) for figure, curves in found.items()} for name in whole}


def _curve(values: Tensor) -> RemovalCurve:
    return RemovalCurve(values[0].numpy(), float(curve_area(values)))
