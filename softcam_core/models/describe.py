"""A model card in words, for people: the command line and the viewer show the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from softcam_core.models.card import ModelCard
from softcam_core.models.receptive_field import ReceptiveField

Lines = list[tuple[str, str]]


def describe_card(card: ModelCard, field: ReceptiveField | None = None) -> dict[str, Lines]:
    """Sections of a card.

    Parameters
    ----------
    card : ModelCard
    field : ReceptiveField, optional
        Of the network, for the section on evidence.

    Returns
    -------
    dict
        Title -> lines of name and value; sections without lines are left out.
    """
    sections = {
        "Model": _model(card),
        "Input": _input(card),
        "Evidence": _evidence(card, field),
        "Conversion": _conversion(card),
        "Metrics": [(_words(name), f"{value:.4g}") for name, value in card.metrics.items()],
        "Provenance": _flat(card.provenance),
    }
    return {title: lines for title, lines in sections.items() if lines}


def _model(card: ModelCard) -> Lines:
    lines = [
        ("name", card.name),
        ("architecture", card.architecture),
        ("classes", ", ".join(card.class_names)),
        ("task", "one class an image (softmax)" if card.task == "single_label" else "each class by itself (sigmoid)"),
    ]
    if card.licence:
        lines.append(("licence", card.licence))
    if card.sha256:
        lines.append(("SHA-256 of the weights", card.sha256))
    return lines


def _input(card: ModelCard) -> Lines:
    how = card.preprocessing
    field = [("field", "the disc of a fundus photograph")] if how.fundus_crop else []
    return [
        *field,
        ("size", "as it is" if how.shorter_side is None else f"shorter side {how.shorter_side} px"),
        ("crop", "whole image" if how.crop is None else f"centre {how.crop[0]} × {how.crop[1]} px"),
        ("mean", " ".join(f"{v:.5g}" for v in how.mean)),
        ("standard deviation", " ".join(f"{v:.5g}" for v in how.std)),
    ]


def _evidence(card: ModelCard, field: ReceptiveField | None) -> Lines:
    lines: Lines = []
    if card.options.output_stride is not None:
        lines.append(("output stride", f"{card.options.output_stride} px, by dilation"))
    if not card.options.final_relu:
        lines.append(("last ReLU", "left out, as in the SoftCAM paper's code"))
    if field is not None:
        lines.append(("cell", f"every {field.stride[0]} × {field.stride[1]} px of the input"))
        lines.append(("receptive field", f"{field.size[0]} × {field.size[1]} px of the input"))
    return lines


def _conversion(card: ModelCard) -> Lines:
    if card.conversion is None:
        return []
    return [("from", card.conversion.source), ("equivalence", card.conversion.summary())]


def _flat(values: Mapping[str, Any], above: str = "") -> Lines:
    lines: Lines = []
    for name, value in values.items():
        words = f"{above}{_words(name)}"
        if isinstance(value, Mapping):
            lines += _flat(value, f"{words}, ")
        elif isinstance(value, list | tuple):
            lines.append((words, ", ".join(map(str, value))))
        else:
            lines.append((words, "none" if value is None else str(value)))
    return lines


def _words(name: str) -> str:
    return name.replace("_", " ")
