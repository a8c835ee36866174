"""Explainer, what every method is; Maps, what every method gives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from softcam_core.errors import SettingsError
from softcam_core.explainers.targets import TargetLike, Targets, contrasts
from softcam_core.explainers.untouched import untouched
from softcam_core.explainers.watch import UNWATCHED, Watch
from softcam_core.imaging.geometry import Geometry, Lattice
from softcam_core.models.classifier import Classifier

Scale = Literal["mean", "sum", "change", "relative"]
Cost = Literal["forward", "backward", "tens", "hundreds", "thousands"]
Family = Literal["evidence", "cam", "gradient", "propagation", "perturbation", "floor"]

CONSERVATION_LIMIT = 0.05
"""Relative error of a sum that should be the logit, above which a map carries a warning."""


@dataclass(frozen=True, slots=True)
class About:
    """What people need to know of a method.

    Attributes
    ----------
    name : str
        In commands and files.
    title : str
        As the literature writes it.
    reference : str
        Paper and equation.
    family : Family
    cost : {"forward", "backward", "tens", "hundreds", "thousands"}
        About how many forward passes it takes: one; one and a way back; 10 to 100; and so on.
    signed : bool
        Whether maps tell what speaks against the target too.
    valid : str
        Where its maps mean what they say, a sentence.
    needs_softcam : bool
        True where only a SoftCAM has it.
    """

    name: str
    title: str
    reference: str
    family: Family
    cost: Cost
    signed: bool
    valid: str
    needs_softcam: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Maps of B images for T targets each.

    Attributes
    ----------
    values : Tensor, (B, T, h, w) float32 (float64 for models in float64)
        Signed; on the model's device.
    scale : {"mean", "sum", "change", "relative"}
        What the numbers are: their mean is the target; they add up to the target, or to its distance from a baseline;
        each is the change of the target when its place is covered; or they can be compared within one map alone.
    unit : str
        "logit", or "" for none.
    lattice : Lattice or None
        Where the cells lie in the model input; None for cells that tile it.
    errors : Tensor or None, (B, T)
        For maps whose sum should be the target: relative error of the sum.
    notes : tuple of str
        What holds for all of them and should be known, sentences.
    """

    values: Tensor
    scale: Scale
    unit: str = ""
    lattice: Lattice | None = None
    errors: Tensor | None = None
    notes: tuple[str, ...] = ()

    def warning(self, image: int, target: int) -> str:
        """What is wrong with a map, a sentence; empty for nothing."""
        if self.errors is None:
            return ""
        error = float(self.errors[image, target])
        if error <= CONSERVATION_LIMIT:  # not a number is no reason to be calm
            return ""
        return f"Relevance is not conserved: its sum is {error:.0%} off the target."

    def on_input(self, size: tuple[int, int]) -> Tensor:
        """Average of each map's surface over each pixel of the model input, (B, T, H, W)."""
        if self.lattice is None and tuple(self.values.shape[2:]) == size:
            return self.values
        geometry = Geometry(size, size, (0, 0), size, self.lattice)
        height, width = self.values.shape[2:]
        rows, columns = (torch.from_numpy(weights).to(self.values) for weights in geometry.averages((height, width)))
        return rows @ self.values @ columns.T


def option(default: Any, text: str, *, least: float | None = None, choices: tuple[str, ...] = ()) -> Any:  # noqa: ANN401
    """A field of an explainer that people may set: its default, what it is, and what it may be."""
    return field(default=default, metadata={"help": text, "least": least, "choices": choices})


@dataclass(frozen=True, slots=True)
class Explainer(ABC):
    """A method with its options; two that are equal give the same maps.

    Subclasses are frozen dataclasses whose fields (`option`) are the method's options.
    """

    about: ClassVar[About]

    in_place: ClassVar[bool] = False
    """Whether activations may overwrite their input while it runs (`softcam_core.explainers.untouched.untouched`)."""

    def __post_init__(self) -> None:
        """Check the options.

        Raises
        ------
        SettingsError
            For a value that an option cannot have.
        """
        for each in fields(self):
            value, least, choices = getattr(self, each.name), each.metadata["least"], each.metadata["choices"]
            name = f"{self.about.name}:{each.name}"
            if isinstance(value, float) and not math.isfinite(value):
                raise SettingsError(name, f"{value} is no finite number", "Give another.")
            if least is not None and not value >= least:
                raise SettingsError(name, f"{value} is too small", f"The least is {least:g}.")
            if choices and value not in choices:
                raise SettingsError(name, f"{value!r} is unknown", f"There are {', '.join(choices)}.")

    def __call__(
        self,
        model: Classifier,
        images: Tensor,
        targets: Targets | TargetLike | None = None,
        *,
        watch: Watch = UNWATCHED,
    ) -> Maps:
        """Explain what a model says of images.

        Parameters
        ----------
        model : Classifier
            Left as it was, whatever happens; it is run in eval mode.
        images : Tensor, (B, 3, H, W)
            Normalised.
        targets : optional
            T targets; every class by itself by default (`softcam_core.explainers.targets.contrasts`).
        watch : Watch

        Returns
        -------
        Maps
            For all images and targets.

        Raises
        ------
        SettingsError
            For targets that do not fit, or a model that the method cannot explain, with the reason.
        CancelledError
            When the watch stopped it.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not len(images):
            raise SettingsError("images", f"have the shape {tuple(images.shape)}", "Give (B, 3, H, W), B at least 1.")
        if reason := self.refusal(model):
            raise SettingsError(model.card.architecture, f"{self.about.title} cannot explain it: {reason}",
                                "Choose another method.")  # fmt: skip
        with untouched(model, in_place=self.in_place):
            # A tensor made in inference mode could not be differentiated; `untouched` has left it.
            images = images.detach().to(model.device, model.dtype, copy=images.is_inference())
            weights = contrasts(targets, len(images), model.card).to(model.device, model.dtype)
            return self._maps(model, images, weights, watch)

    def refusal(self, model: Classifier) -> str:
        """Why the method cannot explain a model, or nothing."""
        if model.dtype in (torch.float16, torch.bfloat16):
            return "its weights have half precision, in which gradients and small differences are lost"
        return ""

    @abstractmethod
    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        """Maps of images (B, 3, H, W) for targets that weigh the logits, (B, T, K)."""

    def options(self) -> dict[str, Any]:
        """Options that are not the defaults."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """All options with their defaults."""
        return {f.name: f.default for f in fields(cls) if f.default is not MISSING}

    def __str__(self) -> str:
        """As `softcam_core.explainers.methods.parse_method` reads it: "occlusion:patch=32"."""
        changed = ",".join(f"{name}={value}" for name, value in self.options().items())
        return self.about.name + (f":{changed}" if changed else "")


def contrasted(logits: Tensor, weights: Tensor) -> Tensor:
    """Targets of images: logits (B, K) and weights (B, T, K) -> (B, T)."""
    return torch.einsum("btk,bk->bt", weights, logits)
