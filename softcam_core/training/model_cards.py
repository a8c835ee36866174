"""A model card as a page of text, in the order of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from softcam_core.files import write_whole
from softcam_core.models.card import ModelCard
from softcam_core.notice import NOTICE
from softcam_core.training.metrics import METRICS

SPLIT_TITLES = {"train": "Training", "val": "Validation", "test": "Test"}


def write_model_card(card: ModelCard, path: Path | str) -> None:
    """Write what a card says as Markdown.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    prepared = card.preprocessing
    size = "the image's own size" if prepared.shorter_side is None else f"shorter side {prepared.shorter_side} px"
    crop = "" if prepared.crop is None else f", centre crop {prepared.crop[0]} x {prepared.crop[1]} px"
    single = card.task == "single_label"
    facts = {
        "Architecture": f"{card.architecture}, with a SoftCAM head: its logits are the means of its evidence maps",
        "Classes": ", ".join(card.class_names),
        "Task": "one class an image (softmax)" if single else "any number of classes an image (sigmoid)",
        "Input": f"{size}{crop}; mean {_figures(prepared.mean)}, std {_figures(prepared.std)} (black is 0, white is 1)",
        "Licence": card.licence or "not stated",
        "SHA-256 of the weights": card.sha256 or "not saved yet",
    }
    lines = [f"# {_escaped(card.name)}", "", f"**{NOTICE}**", ""]
    lines += [f"- {name}: {_escaped(text)}" for name, text in facts.items()]
    if card.conversion is not None:
        lines += [f"- Converted from {_escaped(card.conversion.source)}. {_escaped(card.conversion.summary())}"]
    lines += ["", "## Figures", "", *_figure_table(card.metrics)]
    samples = card.provenance.get("samples")
    if isinstance(samples, Mapping):
        lines += ["", "## Data", "", *_count_table(samples)]
    rest = {name: value for name, value in card.provenance.items() if name != "samples"}
    if rest:
        text = yaml.safe_dump(rest, sort_keys=False, allow_unicode=True)
        lines += ["", "## Where it comes from", "", *(f"    {line}" for line in text.splitlines())]
    lines += [
        "",
        "## What it is for",
        "",
        "Research on how image classifiers decide. It has not been tested for use on patients, and its figures hold",
        "for images like those it was judged on.",
    ]
    write_whole(Path(path), ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))


def _figure_table(metrics: Mapping[str, float]) -> list[str]:
    splits = [split for split in SPLIT_TITLES if any(name.startswith(f"{split}_") for name in metrics)]
    if not splits:
        return ["None were measured."]
    table = [["", *(SPLIT_TITLES[split] for split in splits)]]
    for name, info in METRICS.items():
        row = [metrics.get(f"{split}_{name}") for split in splits]
        if any(value is not None for value in row):
            table.append([info.title, *("–" if value is None else f"{value:.4f}" for value in row)])
    return _table(table)


def _count_table(samples: Mapping[str, Mapping[str, int]]) -> list[str]:
    splits = [split for split in samples if any(samples[split].values())]
    names = list(dict.fromkeys(name for split in splits for name in samples[split]))
    table = [["Class", *(SPLIT_TITLES.get(split, split) for split in splits)]]
    return _table(table + [[_escaped(name), *(str(samples[s].get(name, 0)) for s in splits)] for name in names])


def _table(rows: list[list[str]]) -> list[str]:
    header, *body = [f"| {' | '.join(row)} |" for row in rows]
    return [header, "|---" + "|---:" * (len(rows[0]) - 1) + "|", *body]


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|$&])", r"\\\1", " ".join(text.split()))


def _figures(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.5g}" for value in values)
