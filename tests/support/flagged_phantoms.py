"""Phantoms whose tag is flagged as wrong evidence: where tags and lesions are, and what must come of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from recomputed import THRESHOLD, Truth, read_again

from softcam_core.annotations.annotation import Annotation
from softcam_core.annotations.masks import mask_of
from softcam_core.annotations.shapes import Bitmap
from softcam_core.models.checkpoint import load_model
from softcam_core.training.comparison import read_comparison
from softcam_core.training.events import EndEvent, EpochEvent, StartEvent, read_events

SIDE = 256
"""Of the images, in pixels."""


def box_of(text: str) -> tuple[int, int, int, int]:
    """Top, left, height and width of the first box of a manifest."""
    left, top, width, height = map(int, text.split(";")[0].split())
    return top, left, height, width


def tag_of(row: dict[str, str]) -> tuple[float, float]:
    top, left, height, width = box_of(row["tag"])
    return top + height / 2, left + width / 2


def around_lesion(row: dict[str, str]) -> list[tuple[float, float]]:
    """Five corners, row and column."""
    top, left, height, width = box_of(row["boxes"])
    shape = ((-0.2, 0.1), (-0.1, 1.1), (0.6, 1.3), (1.2, 0.5), (0.6, -0.3))
    return [(top + down * height, left + across * width) for down, across in shape]


def job_of(folder: Path) -> dict:
    return json.loads((folder / "job.json").read_text("utf-8"))


def check_annotations(
    kept: list[Annotation], reviewer: str, model: Path, table: Path, ill: list[dict[str, str]]
) -> None:
    """Flags are the regions of the map under the tags, and each annotation tells where it comes from."""
    card = load_model(model).card
    flags = [annotation for annotation in kept if annotation.verdict == "wrong"]
    for flag, row in zip(flags, ill, strict=True):
        truth = read_again(model, table.parent / row["image"])
        row_at, column_at = map(round, tag_of(row))
        regions = [mask for mask, _ in truth.regions(truth.geometry, THRESHOLD) if mask[row_at, column_at]]
        assert len(regions) == 1
        assert isinstance(flag.shape, Bitmap)
        mask = mask_of(flag.shape, (SIDE, SIDE))
        assert (mask & regions[0]).sum() > 0.97 * (mask | regions[0]).sum()
    for annotation in kept:
        assert annotation.reviewer == reviewer
        assert annotation.model_sha256 == card.sha256
        assert (annotation.class_name, annotation.against) == card.class_names[::-1]
    assert len({annotation.case for annotation in kept}) == len(ill)


def check_run(job: Path, model: Path, epochs: int) -> None:
    """It was stopped once, went on where it was, and trained each epoch once."""
    events = list(read_events(job / "run" / "events.jsonl"))
    starts = [event.resumed_from for event in events if isinstance(event, StartEvent)]
    assert starts[0] is None
    assert len(starts) == 2
    assert starts[1] > 0
    assert [event.epoch for event in events if isinstance(event, EpochEvent)] == list(range(1, epochs + 1))
    assert [event.status for event in events if isinstance(event, EndEvent)][-1] == "finished"
    before = load_model(model).card
    after = load_model(job / "run" / "last.safetensors").card
    assert after.provenance["lineage"] == [{"name": before.name, "sha256": before.sha256}]
    comparison = read_comparison(job / "run" / "comparison.json")
    assert (comparison.before, comparison.after) == (before.sha256, after.sha256)


def check_change(told: float, truths: list[Truth], flag: Annotation) -> None:
    """The sum that is told is the difference of the log-odds, and what was flagged is gone."""
    before, after = truths
    assert told == pytest.approx(np.diff(after.logits - before.logits)[0], abs=0.001)
    mask = mask_of(flag.shape, (SIDE, SIDE))
    was, now = (truth.geometry.shares(truth.log_odds)[mask].clip(min=0).sum() for truth in truths)
    assert now < 0.5 * was
