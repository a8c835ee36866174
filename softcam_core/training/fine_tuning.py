"""Fine-tuning a model on what people said about its evidence: few choices, and the training settings they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from softcam_core.data.source import DataSource
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import read_card
from softcam_core.training.config_files import Settings, merged
from softcam_core.training.parts import Part


class FineTuning(BaseModel):
    """What a person chooses.

    Attributes
    ----------
    start : Path
        Model to start from, a SoftCAM; its classes, preprocessing and architecture stay.
    data : DataSource
        Labelled images, flagged ones and others: the others keep the accuracy.
    store : Path or None
        Annotations; None to train on without them.
    reviewers : tuple of str
        Whose annotations count; empty for all.
    part : {"all", "last", "head"}
    strength : float
        Weight of the feedback against the classification.
    flagged_share : float
        Part of the images of a step that are flagged ones.
    epochs : int
    lr : float
    batch_size : int
    l1, l2 : float or None
        Elastic net on top; by default as the start was trained. It rises over the first half of the epochs: penalised
        at once, a network that loses its evidence finds that none is cheapest.
    device : str
    name : str
        Of the new model.
    seed : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Path
    data: DataSource
    store: Path | None = None
    reviewers: tuple[str, ...] = ()
    part: Part = "all"
    strength: float = Field(default=1.0, ge=0)
    flagged_share: float = Field(default=0.25, gt=0, lt=1)
    epochs: int = Field(default=6, ge=1)
    lr: float = Field(default=3e-4, gt=0)
    batch_size: int = Field(default=16, ge=1)
    l1: float | None = Field(default=None, ge=0)
    l2: float | None = Field(default=None, ge=0)
    device: str = "auto"
    name: str = ""
    seed: int = 0


def fine_tuning_settings(choices: FineTuning, card: ModelCard | None = None) -> Settings:
    """Settings for `softcam_core.training.config_files.make_config`; paths are made absolute.

    Parameters
    ----------
    choices : FineTuning
    card : ModelCard, optional
        Of the start; read from its file by default.

    Raises
    ------
    CheckpointError
        When it cannot be read.
    """
    loss = _elastic_net_of(card or read_card(choices.start))
    loss |= {name: value for name in ("l1", "l2") if (value := getattr(choices, name)) is not None}
    if any(loss.values()):
        loss["penalty_warmup"] = choices.epochs // 2
    feedback: dict[str, Any] = {}
    if choices.store is not None:
        feedback = {
            "store": choices.store.resolve(),
            "strength": choices.strength,
            "share": choices.flagged_share,
            "reviewers": choices.reviewers,
        }
    data = choices.data.model_dump(exclude_defaults=True)
    data["path"] = choices.data.path.resolve()
    if choices.data.root is not None:
        data["root"] = choices.data.root.resolve()
    return merged(
        [
            {
                "seed": choices.seed,
                "data": data,
                "model": {"start": choices.start.resolve(), "name": choices.name},
                "loss": loss,
                "training": {
                    "part": choices.part,
                    "epochs": choices.epochs,
                    "lr": choices.lr,
                    "batch_size": choices.batch_size,
                    "keep": "best" if choices.store is None else "last",
                },
                "hardware": {"device": choices.device},
            },
            {"feedback": feedback} if feedback else {},
        ]
    )


def _elastic_net_of(card: ModelCard) -> dict[str, float]:
    """What a model was trained with, as far as its card tells."""
    settings = card.provenance.get("settings")
    trained = settings.get("loss") if isinstance(settings, dict) else None
    found = {name: trained.get(name) for name in ("l1", "l2")} if isinstance(trained, dict) else {}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float) and value >= 0}
