"""Model files of older versions, brought up to the newest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from softcam_core.models.card import CARD_VERSION


def _card_1_to_2(fields: dict[str, Any]) -> dict[str, Any]:
    # Options, conversion and hash are new; their defaults say what version 1 could do.
    return fields | {"version": 2}


def _names_1_to_2(architecture: str) -> dict[str, str]:
    # SqueezeNet's head now bears the names of torchvision's classifier.
    return {r"^head\.conv\.": "head.1."} if architecture.startswith("squeezenet") else {}


_CARDS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _card_1_to_2}
_NAMES: dict[int, Callable[[str], dict[str, str]]] = {1: _names_1_to_2}


def migrate_card(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a card of any known version -> those of the newest; not yet validated."""
    while fields.get("version") in _CARDS:
        fields = _CARDS[fields["version"]](fields)
    return fields


def migrate_tensors(tensors: Mapping[str, Tensor], version: int, architecture: str) -> dict[str, Tensor]:
    """Weights of a file whose card has `version` -> the same weights under today's names."""
    migrated = dict(tensors)
    for step in range(version, CARD_VERSION):
        for pattern, new in _NAMES[step](architecture).items():
            migrated = {re.sub(pattern, new, name): tensor for name, tensor in migrated.items()}
    return migrated
