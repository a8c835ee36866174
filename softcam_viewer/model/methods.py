"""What the viewer tells of methods, read off the core's list; knows no torch, which takes seconds to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from softcam_core.explainers import change

OptionValue = bool | int | float | str

FAMILIES: dict[str, str] = {
    "evidence": "The model's own",
    "change": "Two models",
    "cam": "Class activation maps",
    "gradient": "Gradients",
    "propagation": "Relevance propagation",
    "perturbation": "Perturbation",
    "floor": "Floors to compare with",
}
"""Titles, in the order in which people should see them."""

COSTS: dict[str, str] = {
    "forward": "1 forward pass",
    "backward": "1 pass and back",
    "tens": "about 10 to 100 passes",
    "hundreds": "about 100 to 1,000 passes",
    "thousands": "over 1,000 passes",
}
QUICK = ("forward", "backward")
"""Costs that nobody minds waiting for."""

EVIDENCE = "evidence"
CHANGE = "change"
"""The evidence of a pane's model less that of another one (`softcam_core.explainers.change`)."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something that can be chosen about a method; see `softcam_core.explainers.base.option`."""

    name: str
    default: OptionValue
    help: str
    least: float | None
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """A method; see `softcam_core.explainers.base.About`."""

    name: str
    title: str
    family: str
    cost: str
    reference: str
    valid: str
    options: tuple[Option, ...] = ()

    @property
    def is_quick(self) -> bool:
        """True where nobody minds waiting for it."""
        return self.cost in QUICK

    @property
    def cost_text(self) -> str:
        """What it takes, in words."""
        return COSTS.get(self.cost, self.cost)


def change_method() -> Method:
    """The comparison of two models' evidence, which panes offer beside the methods of one."""
    return Method(CHANGE, change.TITLE, "change", "forward", change.REFERENCE, change.VALID)


def name_of(spec: str) -> str:
    """Name of a method given with its options ("occlusion:patch=32")."""
    return spec.partition(":")[0]


def list_methods() -> tuple[Method, ...]:
    """All methods of the core; imports torch, so not for the UI thread."""
    from softcam_core.explainers.methods import METHODS

    found = []
    for name, method in METHODS.items():
        about, defaults = method.about, method.defaults()
        options = tuple(
            Option(f.name, defaults[f.name], f.metadata["help"], f.metadata["least"], f.metadata["choices"])
            for f in fields(method)
        )
        found.append(Method(name, about.title, about.family, about.cost, about.reference, about.valid, options))
    families = list(FAMILIES)
    return tuple(sorted(found, key=lambda m: families.index(m.family) if m.family in families else len(families)))


def values_of(spec: str) -> dict[str, OptionValue]:
    """All options of a method with the values that they have; raises SettingsError."""
    from softcam_core.explainers.methods import parse_method

    explainer = parse_method(spec)
    return {f.name: getattr(explainer, f.name) for f in fields(explainer)}


def spec_of(name: str, values: Mapping[str, OptionValue]) -> str:
    """A method with its options, as `softcam_core.explainers.methods.parse_method` reads it; raises SettingsError."""
    from softcam_core.explainers.methods import make_explainer

    return str(make_explainer(name, **values))
