"""The model card: everything but the weights that a SoftCAM needs to be used and judged."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from softcam_core.imaging.preprocessing import Preprocessing

Task = Literal["single_label", "multi_label"]

# The newest version this program reads.
CARD_VERSION = 1


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
    class_names : tuple of str
        One for each evidence map, in order.
    task : {"single_label", "multi_label"}
        Softmax over the classes, or a sigmoid for each.
    preprocessing : Preprocessing
    provenance : dict
        Where the weights come from: data, software versions, commands, dates.
    metrics : dict
        Figures measured on held-out data, named after the split ("test_auc").
    licence : str
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    name: str = Field(min_length=1, max_length=200)
    architecture: str
    class_names: tuple[str, ...] = Field(min_length=1)
    task: Task = "single_label"
    preprocessing: Preprocessing = Preprocessing()
    provenance: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    licence: str = ""

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Self:
        if any(not name.strip() for name in self.class_names):
            raise ValueError("class names must not be empty")
        if len(set(self.class_names)) < len(self.class_names):
            raise ValueError("class names must differ")
        if self.task == "single_label" and len(self.class_names) < 2:
            raise ValueError("a single-label model needs at least two classes")
        return self

    def class_index(self, name: str) -> int:
        """Index of a class; raises KeyError naming the classes there are."""
        try:
            return self.class_names.index(name)
        except ValueError:
            raise KeyError(f"no class {name!r}; the classes are {', '.join(self.class_names)}") from None
