"""Everything that decides how a model is trained, in one place, saved with the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from softcam_core.data.augmentation import Augmentation
from softcam_core.data.source import DataSource
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ArchitectureOptions
from softcam_core.models.families import family_of
from softcam_core.training.losses import L2Form
from softcam_core.training.metrics import METRICS
from softcam_core.training.parts import Part

NotNegative = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A part of the configuration: unknown names are errors, values stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelConfig(Section):
    """Which network is trained.

    Attributes
    ----------
    architecture : str
        A name of `softcam_core.models.families`.
    options : ArchitectureOptions
        The output stride, for instance.
    name : str
        What people will call the model; the architecture by default.
    init : {"imagenet"}, Path or None
        Weights that the features start from: ImageNet's, or a file's (see `softcam_core.models.initialisation`).
    start : Path or None
        A SoftCAM that is trained on, evidence layer included; architecture, classes and input are its own then.
    """

    architecture: str = "resnet50"
    options: ArchitectureOptions = ArchitectureOptions()
    name: str = Field(default="", max_length=200)
    init: Literal["imagenet"] | Path | None = None
    start: Path | None = None

    @field_validator("architecture")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            family_of(value)
        except KeyError as error:
            raise ValueError(error.args[0]) from error
        return value

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.init is not None and self.start is not None:
            raise ValueError("init and start are two beginnings: give one of them")
        return self


class LossConfig(Section):
    """What is minimised: how well labels are met, and how large evidence may be.

    Attributes
    ----------
    kind : {"auto", "cross_entropy", "bce", "focal"}
        "auto" is cross-entropy for one label an image, binary cross-entropy for several; "focal" serves both.
    class_weights : {"none", "balanced"} or tuple of float
        "balanced" weighs each class inversely to its number of training images; for several labels an image, its
        positives against its negatives.
    label_smoothing : float
        Cross-entropy alone.
    focal_gamma : float
    l1, l2 : float
        Weights of the elastic net on the evidence; both 0 for a dense SoftCAM, ``l1 > 0`` for a sparse one.
    l2_form : {"norm", "squared"}
        Euclidean norm of a sample's evidence, or its square.
    penalty_classes : dict of str to float
        Factor on the penalised map of a class; 1 for those not named.
    penalty_warmup : int
        Epochs over which the penalties rise from 0 to their weights. Small lesions need it: penalised from the start,
        a network learns that no evidence is cheapest. The best epoch is sought among those after it.
    """

    kind: Literal["auto", "cross_entropy", "bce", "focal"] = "auto"
    class_weights: Literal["none", "balanced"] | tuple[Annotated[float, Field(gt=0)], ...] = "none"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    focal_gamma: float = Field(default=2.0, ge=0)
    l1: NotNegative = 0.0
    l2: NotNegative = 0.0
    l2_form: L2Form = "norm"
    penalty_classes: dict[str, NotNegative] = Field(default_factory=dict)
    penalty_warmup: int = Field(default=0, ge=0)

    @property
    def is_penalised(self) -> bool:
        """True where evidence costs anything."""
        return self.l1 > 0 or self.l2 > 0


class FeedbackConfig(Section):
    """What people said about evidence, and how much it counts (`softcam_core.training.feedback` has the formulas).

    Attributes
    ----------
    store : Path or None
        Annotations of training images (`softcam annotations`); None for training without.
    reviewers : tuple of str
        Whose annotations count; empty for all.
    strength : float
        Of all feedback, against the classification.
    wrong, correct, missed : float
        Weights of the three verdicts within it.
    aim : {"zero", "below"}
        Evidence that is wrong is pulled to zero, or until it no longer speaks for its class.
    without_wrong : bool
        Images are classified by what is left of their evidence without what is flagged as wrong.
    margin : float
        Mean that evidence in a missed finding must reach, in multiples of `scale`.
    scale : float or None
        Logits that count as a large value; by default measured on what the start says of the flagged images, and 1
        without a model to start from.
    grow : float
        Cells by which wrong evidence reaches beyond its flag.
    share : float
        Part of each step's images that are flagged ones.
    """

    store: Path | None = None
    reviewers: tuple[str, ...] = ()
    strength: NotNegative = 1.0
    wrong: NotNegative = 1.0
    correct: NotNegative = 1.0
    missed: NotNegative = 1.0
    aim: Literal["zero", "below"] = "zero"
    without_wrong: bool = True
    margin: float = Field(default=1.0, gt=0)
    scale: float | None = Field(default=None, gt=0)
    grow: NotNegative = 1.0
    share: float = Field(default=0.25, gt=0, lt=1)


class OptimisationConfig(Section):
    """The loop.

    Attributes
    ----------
    part : {"all", "last", "head"}
        What is trained at all: the whole network, its last stage and the evidence layer, or the evidence layer alone.
    epochs : int
    batch_size : int
        Images in a process at a time. A step sees ``batch_size * accumulate * processes``.
    accumulate : int
        Batches whose gradients are added up before a step.
    optimizer : {"adamw", "adam", "sgd"}
        SGD runs with Nesterov momentum.
    lr : float
        Learning rate at its height.
    head_lr : float or None
        That of the evidence layer; `lr` by default.
    weight_decay, momentum : float
        `momentum` is SGD's; weight decay acts on all parameters.
    schedule : {"cosine", "constant", "step", "plateau", "exponential"}
        How the learning rate falls.
    schedule_interval : {"step", "epoch"}
        Whether it falls with each step or stays the same within an epoch.
    lr_min : float or None
        The learning rate never falls below; by default a hundredth of `lr`.
    lr_warmup : float
        Epochs over which the learning rate rises in a straight line.
    lr_gamma : float
        Factor of "step", "plateau" and, for each epoch, "exponential".
    lr_step : int
        Epochs between the falls of "step".
    lr_patience : int
        Epochs without improvement before "plateau" lets it fall.
    freeze_epochs : int
        Epochs at the start in which the evidence layer alone is trained.
    unfreeze_every : int
        Epochs after which one more stage of the features, from the last to the first, is trained too; 0 for all at
        once.
    clip_norm : float or None
        Longest gradient.
    ema : float or None
        Decay of the moving average of the weights that is judged and saved instead of the weights themselves.
    early_stopping : int or None
        Epochs without improvement of the selected figure before the run ends.
    sampler : {"shuffle", "balanced", "progressive"}
        Each image once an epoch; each class equally often; from the one to the other over the run (Kang et al., ICLR
        2020, section 4.1).
    select : str
        The validation figure that makes an epoch the best one; the lower loss decides between equal ones.
    keep : {"best", "last"}
        The model that counts: that of the best epoch, or of the last. Validation images that have the same shortcut as
        the training images are best classified by a model that uses it.
    """

    part: Part = "all"
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=16, ge=1)
    accumulate: int = Field(default=1, ge=1)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = Field(default=3e-4, gt=0)
    head_lr: float | None = Field(default=None, gt=0)
    weight_decay: float = Field(default=5e-4, ge=0)
    momentum: float = Field(default=0.9, gt=0, lt=1)
    schedule: Literal["cosine", "constant", "step", "plateau", "exponential"] = "cosine"
    schedule_interval: Literal["step", "epoch"] = "step"
    lr_min: float | None = Field(default=None, ge=0)
    lr_warmup: float = Field(default=0.0, ge=0)
    lr_gamma: float = Field(default=0.1, gt=0, lt=1)
    lr_step: int = Field(default=10, ge=1)
    lr_patience: int = Field(default=5, ge=0)
    freeze_epochs: int = Field(default=0, ge=0)
    unfreeze_every: int = Field(default=0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)
    ema: float | None = Field(default=None, gt=0, lt=1)
    early_stopping: int | None = Field(default=None, ge=1)
    sampler: Literal["shuffle", "balanced", "progressive"] = "shuffle"
    select: str = "auc"
    keep: Literal["best", "last"] = "best"

    @field_validator("select")
    @classmethod
    def _is_measured(cls, value: str) -> str:
        if value not in METRICS:
            raise ValueError(f"no figure is called {value!r}; there are {', '.join(METRICS)}")
        return value

    @model_validator(mode="after")
    def _ends_where_it_should(self) -> Self:
        if self.keep == "last" and self.early_stopping is not None:
            raise ValueError("early_stopping is for keep: best")
        return self

    @property
    def least_lr(self) -> float:
        """The learning rate never falls below."""
        return self.lr / 100 if self.lr_min is None else self.lr_min


class HardwareConfig(Section):
    """Where and how fast; nothing here changes what is learnt but for rounding.

    Attributes
    ----------
    device : str
        "auto", "cpu", "cuda" or "cuda:N".
    devices : int
        GPUs, or processes on the CPU, of this machine; torchrun's and SLURM's own numbers go before.
    precision : {"auto", "float32", "bfloat16", "float16"}
        Of the forward pass. "auto" is bfloat16 on CUDA devices that have it, float32 elsewhere.
    channels_last : bool
        Memory format of images and weights; faster on GPUs and CPUs alike.
    workers : int or None
        Processes that read images; by default none on the CPU, up to 8 on CUDA.
    cache : Path or None
        Folder that keeps decoded images between runs; in memory by default.
    cache_gb : float
        How much may be kept, in 10^9 bytes.
    auto_batch : bool
        Where the memory is too small for `batch_size`, halve it and double `accumulate`.
    checkpoint_minutes : float
        Time between files to resume from, within an epoch too.
    """

    device: str = "auto"
    devices: int = Field(default=1, ge=1)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    channels_last: bool = True
    workers: int | None = Field(default=None, ge=0)
    cache: Path | None = None
    cache_gb: float = Field(default=4.0, ge=0)
    auto_batch: bool = False
    checkpoint_minutes: float = Field(default=10.0, ge=0)


class TrainingConfig(Section):
    """How to train a SoftCAM.

    Attributes
    ----------
    seed : int
        On the CPU the same seed gives the same model.
    data : DataSource
    skip_bad : bool
        Leave out images that cannot be read, with a warning, instead of stopping.
    model : ModelConfig
    preprocessing : Preprocessing
    normalisation : {"auto", "measure", "given"}
        Take mean and standard deviation from the training images, or as `preprocessing` gives them. "auto" measures
        them for a network that starts from scratch and leaves them to one that starts from `init`.
    augmentation : Augmentation
    loss : LossConfig
    feedback : FeedbackConfig
    training : OptimisationConfig
    hardware : HardwareConfig
    """

    seed: int = Field(default=0, ge=0, lt=2**32)
    data: DataSource
    skip_bad: bool = False
    model: ModelConfig = ModelConfig()
    preprocessing: Preprocessing = Preprocessing()
    normalisation: Literal["auto", "measure", "given"] = "auto"
    augmentation: Augmentation = Augmentation()
    loss: LossConfig = LossConfig()
    feedback: FeedbackConfig = FeedbackConfig()
    training: OptimisationConfig = OptimisationConfig()
    hardware: HardwareConfig = HardwareConfig()

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.loss.is_penalised and self.training.epochs <= self.loss.penalty_warmup:
            raise ValueError("penalty_warmup must be shorter than the training, or no epoch has the full penalty")
        return self

    @model_validator(mode="after")
    def _start_has_its_input(self) -> Self:
        if self.model.start is not None and self.normalisation == "measure":
            raise ValueError("a model that is trained on keeps its normalisation: leave it at auto or given")
        return self

    @property
    def measures_normalisation(self) -> bool:
        """True where mean and standard deviation come from the training images."""
        has_own = self.model.init is not None or self.model.start is not None
        return self.normalisation == "measure" or (self.normalisation == "auto" and not has_own)
