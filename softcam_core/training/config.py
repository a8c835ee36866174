"""Everything that decides how a model is trained, in one place, saved with the run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ArchitectureOptions
from softcam_core.models.families import family_of
from softcam_core.training.losses import L2Form


class TrainingConfig(BaseModel):
    """How to train a SoftCAM.

    Attributes
    ----------
    architecture : str
        A name of `softcam_core.models.families`.
    options : ArchitectureOptions
        The output stride, for instance.
    class_names : tuple of str
        At least two, in the order of the manifest's labels.
    name : str
        What people will call the model; the architecture by default.
    preprocessing : Preprocessing
    normalisation : {"auto", "measure", "given"}
        Take mean and standard deviation from the training images, or as `preprocessing` gives them. "auto" measures
        them for a network that starts from scratch and leaves them to one that starts from `init`.
    epochs, batch_size : int
        At least 1.
    optimizer : {"adamw", "sgd"}
        SGD runs with Nesterov momentum.
    learning_rate : float
        At the start; it falls to a hundredth along a cosine.
    weight_decay, momentum : float
        `momentum` is SGD's.
    l1, l2 : float
        Weights of the elastic net on the evidence; both 0 for a dense SoftCAM, ``l1 > 0`` for a sparse one.
    l2_form : {"norm", "squared"}
        Euclidean norm of a sample's evidence, or its square.
    penalty_warmup : int
        Epochs over which the penalties rise from 0 to their weights. Small lesions need it: penalised from the start,
        a network learns that no evidence is cheapest. The best epoch is sought among those after it.
    flip_horizontal, flip_vertical : bool
        Mirror half of the training images at random.
    seed : int
        On the CPU the same seed gives the same model.
    device : str
        "auto", "cpu", "cuda" or "cuda:N".
    workers : int
        Processes that read images, where they do not fit into memory.
    init : {"imagenet"}, Path or None
        Weights that the features start from: ImageNet's, or a file (see `softcam_core.models.initialisation`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    architecture: str
    options: ArchitectureOptions = ArchitectureOptions()
    class_names: tuple[str, ...] = Field(min_length=2)
    name: str = Field(default="", max_length=200)
    preprocessing: Preprocessing = Preprocessing()
    normalisation: Literal["auto", "measure", "given"] = "auto"
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=16, ge=1)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=3e-4, gt=0)
    weight_decay: float = Field(default=5e-4, ge=0)
    momentum: float = Field(default=0.9, gt=0, lt=1)
    l1: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    l2_form: L2Form = "norm"
    penalty_warmup: int = Field(default=0, ge=0)
    flip_horizontal: bool = True
    flip_vertical: bool = False
    seed: int = Field(default=0, ge=0, lt=2**63)
    device: str = "auto"
    workers: int = Field(default=0, ge=0)
    init: Literal["imagenet"] | Path | None = None

    @field_validator("architecture")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            family_of(value)
        except KeyError as error:
            raise ValueError(error.args[0]) from error
        return value

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Self:
        if len(set(self.class_names)) < len(self.class_names) or not all(n.strip() for n in self.class_names):
            raise ValueError("class names must differ and not be empty")
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.penalty_warmup >= self.epochs and self.penalty_warmup > 0:
            raise ValueError("penalty_warmup must be shorter than the training, or no epoch has the full penalty")
        return self

    @property
    def measures_normalisation(self) -> bool:
        """True where mean and standard deviation come from the training images."""
        return self.normalisation == "measure" or (self.normalisation == "auto" and self.init is None)
