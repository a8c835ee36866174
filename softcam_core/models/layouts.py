"""Under which names a network's weights stand in the files that people have.

Black boxes are saved in torchvision's or timm's layout, often with a prefix (``module.`` of DataParallel, ``model.`` of
Lightning and others). The SoftCAM paper's code saves ``backbone.N....`` and ``classifier....``, where N counts the
children of torchvision's network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from softcam_core.models.card import ModelCard
from softcam_core.models.families import family_of
from softcam_core.models.heads import last_convolution
from softcam_core.models.softcam import SoftCAM

Layout = Literal["black box", "softcam paper", "softcam"]

# Auxiliary classifiers, losses and metrics are no part of the prediction.
HARMLESS = re.compile(r"(^|\.)(aux\d*|AuxLogits|criterion|loss(_fn)?|metrics?|(train|val|test)_\w+)\.")
# The first DenseNets of torchvision called these norm.1 and conv.2.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")


@dataclass(frozen=True, slots=True)
class Aligned:
    """A file's weights under the names of a SoftCAM.

    Attributes
    ----------
    layout : {"black box", "softcam paper", "softcam"}
        How they stood in the file; "softcam" is our own.
    tensors : dict
        SoftCAM name -> tensor, as in the file.
    missing : tuple of str
        Names that were looked for and not found, in the file's layout.
    unexpected : tuple of str
        Names in the file that belong to no part of the network.
    heads : frozenset of str
        Names of the head, in the file's layout.
    """

    layout: Layout
    tensors: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    heads: frozenset[str]


def skeleton(architecture: str, classes: int = 2, **options: object) -> SoftCAM:
    """A SoftCAM without data: names and shapes alone, quick to make."""
    card = ModelCard.model_validate(
        {
            "name": architecture,
            "architecture": architecture,
            "class_names": [str(k) for k in range(classes)],
            "task": "multi_label",
            "options": options,
        }
    )
    with torch.device("meta"):
        return SoftCAM.from_card(card)


def align(tensors: Mapping[str, Tensor], model: SoftCAM, ignore: Iterable[str] = ()) -> Aligned:
    """Find a network's weights among those of a file, in the layout that fits best.

    Parameters
    ----------
    tensors : mapping
    model : SoftCAM
        For its names; may be without data.
    ignore : iterable of str
        Beginnings of names in the file that are no part of the network.
    """
    tensors = {_OLD_DENSENET.sub(r"\1\2.", name): tensor for name, tensor in tensors.items()}
    candidates: dict[Layout, dict[str, str]] = {
        "black box": model.black_box_names(),
        "softcam paper": paper_names(model),
        "softcam": {name: name for name in model.state_dict()},
    }
    found = [_align(tensors, layout, names, tuple(ignore)) for layout, names in candidates.items()]
    return min(found, key=lambda aligned: len(aligned.missing))


def paper_names(model: SoftCAM) -> dict[str, str]:
    """SoftCAM name -> name in the checkpoints of the SoftCAM paper's code.

    There ``backbone`` is ``Sequential(*children)`` of torchvision's network without pool and classifier, behind which
    VGG has the 1x1 convolutions that replace its hidden layers, and ``classifier`` is the last convolution.
    """
    last, _ = last_convolution(model.head)
    position = {name: str(i) for i, (name, _) in enumerate(model.features.named_children())}
    whole = bool(family_of(model.card.architecture).feature_prefix)
    names = {}
    for name in model.state_dict():
        part, _, rest = name.partition(".")
        if part == "features":
            child, _, inner = rest.partition(".")
            names[name] = f"backbone.0.{rest}" if whole else f"backbone.{position[child]}.{inner}"
        elif part == "head":
            leaf = rest.rpartition(".")[2]
            names[name] = f"classifier.{leaf}" if rest.rpartition(".")[0] == last else f"backbone.1.{rest}"
    return names


def _align(tensors: Mapping[str, Tensor], layout: Layout, names: dict[str, str], ignore: tuple[str, ...]) -> Aligned:
    prefix = _common_prefix(tensors, list(names.values()))
    inside = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    inside = _plain_classifier(inside, names)
    aligned = {name: inside[theirs] for name, theirs in names.items() if theirs in inside}
    # Batch counters came late to PyTorch, and nothing here needs them.
    missing = tuple(t for t in names.values() if t not in inside and not t.endswith("num_batches_tracked"))
    expected = set(names.values())
    outside = [name for name in tensors if not name.startswith(prefix)]
    unexpected = [name for name in (*(n for n in inside if n not in expected), *outside) if not HARMLESS.search(name)]
    heads = frozenset(theirs for name, theirs in names.items() if name.startswith("head."))
    return Aligned(layout, aligned, missing, tuple(n for n in unexpected if not n.startswith(ignore)), heads)


def _common_prefix(tensors: Mapping[str, Tensor], names: list[str]) -> str:
    """What stands before the network's own names, ``module.`` for instance."""
    wanted = set(names)
    anchors = (names[0], names[len(names) // 2])
    prefixes = {t[: -len(a)] for a in anchors for t in tensors if t == a or t.endswith("." + a)} | {""}
    return max(sorted(prefixes), key=lambda prefix: sum(prefix + name in tensors for name in wanted))


def _plain_classifier(inside: dict[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """Give a classifier that was wrapped, ``Sequential(Dropout, Linear)``, its plain names again."""
    *_, bias = (theirs for name, theirs in names.items() if name.startswith("head."))
    stem = bias.rpartition(".")[0]
    outer = stem.rpartition(".")[0] if re.search(r"\.\d+$", stem) else stem
    if f"{stem}.weight" in inside:
        return inside
    layers = {name.rpartition(".")[0] for name in inside if name.startswith(f"{outer}.") and name.endswith(".weight")}
    if len(layers) != 1:
        return inside
    (layer,) = layers
    return {
        (f"{stem}.{name.removeprefix(layer + '.')}" if name.startswith(layer + ".") else name): tensor
        for name, tensor in inside.items()
    }
