"""The model card: everything but the weights that a SoftCAM needs to be used and judged."""

from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    model_validator,
)

from softcam_core.imaging.preprocessing import Preprocessing

Task = Literal["single_label", "multi_label"]
OutputStride = Literal[8, 16, 32]

CARD_VERSION = 2
"""The newest version this program reads; older ones are brought up to it (`softcam_core.models.migration`)."""


class ArchitectureOptions(BaseModel):
    """What is chosen about a network besides its architecture.

    Attributes
    ----------
    output_stride : {8, 16, 32} or None
        Input pixels from one evidence cell to the next at most, reached by trading stride for dilation; None for the
        architecture's own.
    final_relu : bool
        DenseNet alone: False for features without the last ReLU, as the SoftCAM paper's code trains them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    output_stride: OutputStride | None = None
    final_relu: bool = True


class Conversion(BaseModel):
    """How a trained black box became this model, and how far apart the two are.

    Attributes
    ----------
    source : str
        Name of the file or network converted.
    exact : bool
        True where both compute the same function up to float rounding. False where the head was made anew, or a finer
        grid was asked for.
    max_logit_difference : float or None
        Largest absolute difference of a logit from the black box's over all inputs measured; None where the head has
        fresh weights and there is nothing to compare.
    largest_logit : float or None
        Largest absolute logit of the black box on the same inputs, to judge the difference by.
    inputs : {"images", "noise"}
        What it was measured on.
    count : int
        How many inputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    exact: bool
    max_logit_difference: float | None = Field(default=None, ge=0)
    largest_logit: float | None = Field(default=None, ge=0)
    inputs: Literal["images", "noise"] = "noise"
    count: int = Field(default=0, ge=0)

    def summary(self) -> str:
        """One sentence on how equal the two are."""
        if self.max_logit_difference is None:
            return "The head has fresh weights: train the model before use."
        measured = f"{self.count} {'image' if self.inputs == 'images' else 'noise input'}{'s' * (self.count > 1)}"
        difference = f"largest logit difference {self.max_logit_difference:.2g} on {measured}"
        return f"{'Same function as the black box' if self.exact else 'Not the black box itself'}: {difference}."


class ModelCard(BaseModel):
    """What a model is, how to feed it and where it comes from; stored with the weights.

    Attributes
    ----------
    version : int
        Of this format.
    name : str
        What people call the model.
    architecture : str
        A name of `softcam_core.models.families`.
    options : ArchitectureOptions
    class_names : tuple of str
        One for each evidence map, in order.
    task : {"single_label", "multi_label"}
        Softmax over the classes, or a sigmoid for each.
    preprocessing : Preprocessing
    provenance : dict
        Where the weights come from: data, software versions, settings.
    metrics : dict
        Figures measured on held-out data, named after the split ("test_auc").
    conversion : Conversion or None
        For a model made from a trained black box.
    licence : str
    sha256 : str
        Of the weights, written by `save_model` and checked by `load_model`; empty before the first save.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[2] = 2
    name: str = Field(min_length=1, max_length=200)
    architecture: str
    options: ArchitectureOptions = ArchitectureOptions()
    class_names: tuple[str, ...] = Field(min_length=1)
    task: Task = "single_label"
    preprocessing: Preprocessing = Preprocessing()
    provenance: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    conversion: Conversion | None = None
    licence: str = ""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Self:
        if any(not name.strip() for name in self.class_names):
            raise ValueError("class names must not be empty")
        if len(set(self.class_names)) < len(self.class_names):
            raise ValueError("class names must differ")
        if self.task == "single_label" and len(self.class_names) < 2:
            raise ValueError("a single-label model needs at least two classes")
        return self

    @field_serializer("preprocessing", mode="wrap")
    def _older_programs_can_read(self, value: Preprocessing, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Programs from before the field was added refuse cards that have it; where it is off they need not.
        fields: dict[str, Any] = dump(value)
        return fields if value.fundus_crop else {k: v for k, v in fields.items() if k != "fundus_crop"}

    def class_index(self, name: str) -> int:
        """Index of a class; raises KeyError naming the classes there are."""
        try:
            return self.class_names.index(name)
        except ValueError:
            raise KeyError(f"no class {name!r}; the classes are {', '.join(self.class_names)}") from None
