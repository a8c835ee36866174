"""What a plan to fine-tune says of itself in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softcam_core.annotations.annotation import VERDICTS, Verdict
from softcam_viewer.model.job_words import about

if TYPE_CHECKING:
    from collections.abc import Mapping

    from softcam_viewer.model.fine_tuning import FineTuningPlan

SPLITS = {"train": "to train on", "val": "to validate", "test": "to test"}
_WEAK, _STRONG = 0.5, 2.0


def intent_text(plan: FineTuningPlan) -> str:
    """What will happen, in two or three sentences."""
    if plan.model is None:
        return "Trains a copy of a model so that it no longer relies on evidence that was flagged as wrong."
    used = plan.survey.used if plan.survey is not None else {}
    aims = [
        text
        for verdict, text in (
            ("wrong", "evidence flagged as wrong fades"),
            ("correct", "evidence flagged as correct stays"),
            ("missed", "missed findings are seen"),
        )
        if used.get(verdict)
    ] or ["evidence flagged as wrong fades"]
    listed = aims[0] if len(aims) == 1 else f"{', '.join(aims[:-1])} and {aims[-1]}"
    text = (
        f"Trains a copy of {plan.model.card.name} so that {listed}. Images without flags are mixed in to keep its "
        "accuracy. The model itself stays as it is; you compare the two and decide."
    )
    waits = plan.waits_for
    return text + (f" Starts when job #{waits.number} is over." if waits is not None else "")


def data_text(plan: FineTuningPlan) -> str:
    """How many images there are."""
    found = plan.survey
    if plan.refusal:
        return ""
    if found is None:
        return "Reading…"
    if not found.images:
        return "None"
    parts = [f"{count:,} {SPLITS[split]}" for split, count in found.images.items() if count]
    notes = [note for note in found.notes if not note.startswith("Left out are")]
    return "\n".join((f"{sum(found.images.values()):,} images: {', '.join(parts)}", *notes))


def flags_text(plan: FineTuningPlan) -> str:
    """How many flags there are, how many of them are learnt from, and which cannot be."""
    found = plan.survey
    if plan.refusal:
        return ""
    if found is None:
        return "Reading…"
    total = sum(found.flags.values())
    if not total:
        return "None"
    lines = [f"{_flags(total)} on {_images(found.flagged)}: {_by_verdict(found.flags)}"]
    if found.images:
        used = sum(found.used.values())
        lines.append(f"{used} of them in training images: these are learnt from")
        if found.judged:
            lines.append(f"{found.judged} in validation or test images: these only judge the result")
    lines += [note for note in found.notes if note.startswith("Left out are")]
    return "\n".join(lines)


def strength_text(strength: float) -> str:
    """How much flags count beside labels."""
    word = "gentle" if strength < _WEAK else "strong" if strength > _STRONG else "balanced with the labels"
    return f"{word} · × {strength:g}"


def time_text(plan: FineTuningPlan) -> str:
    """How long it will take."""
    if plan.seconds is not None:
        return f"{about(plan.seconds)[:1].upper()}{about(plan.seconds)[1:]} on this machine"
    if plan.is_estimating:
        return "Measuring…"
    return f"Not known: {plan.why_no_time}" if plan.why_no_time else "Not known yet"


def _by_verdict(counts: Mapping[str, int]) -> str:
    words: dict[Verdict, str] = {"wrong": "wrong", "correct": "correct", "missed": "missed", "unsure": "unsure"}
    return ", ".join(f"{counts[verdict]} {words[verdict]}" for verdict in VERDICTS if counts.get(verdict))


def _flags(count: int) -> str:
    return f"{count:,} flag{'' if count == 1 else 's'}"


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"
