"""Which parts of a network can be trained alone; knows no torch, so that a window can list them."""

from __future__ import annotations

from typing import Literal

Part = Literal["all", "last", "head"]

PARTS: dict[Part, str] = {
    "all": "The whole network",
    "last": "The last stage and the evidence layer",
    "head": "The evidence layer alone",
}
"""What can be trained, and what people call it."""
