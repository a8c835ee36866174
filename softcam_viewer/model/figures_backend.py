"""Figures of maps, asked of the core. Each function runs off the UI thread and imports what it needs there."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, TypeVar

from softcam_viewer.model.answers import Aim
from softcam_viewer.model.figure_columns import AGREEMENT, LOCALISATION, SPARSITY, Cell
from softcam_viewer.model.known_annotation import KnownAnnotation

if TYPE_CHECKING:
    from softcam_core.evaluation.one_image import RemovalCurve
    from softcam_core.explainers.explanation import Explanation
    from softcam_core.imaging.image import MedicalImage
    from softcam_core.models.classifier import Classifier

Key = TypeVar("Key", bound=Hashable)

LOST = "Some values of the map are no numbers."
NOTHING_POSITIVE = "No value of the map is above zero: nothing speaks for the class."
CONSTANT = "One of the two maps is the same everywhere, or has values that are no numbers."
UNLIKE = "The models of the two panes do not see the same pixels of the image."
OUTSIDE = "What is annotated lies outside of what the model sees."
EMPTY = "Nothing is annotated: the mask is empty."


def map_cells(explanation: Explanation, aim: Aim, known: KnownAnnotation) -> dict[str, Cell]:
    """Figures of a map by itself, and with what was annotated.

    Returns
    -------
    dict of str to Cell
        All of `SPARSITY` and `LOCALISATION`.
    """
    from softcam_core.errors import ImageReadError
    from softcam_core.evaluation.cases import see_annotation
    from softcam_core.evaluation.metrics import METRICS
    from softcam_core.evaluation.one_image import figures_of, shown_map

    shown = shown_map(explanation, *aim)
    region, why = None, known.why_not
    if not why:
        try:
            region, seen = see_annotation(known.boxes, known.mask, explanation.geometry, explanation.card.preprocessing)
        except ImageReadError as error:
            why = str(error)
        else:
            why = {"outside": OUTSIDE, "none": EMPTY, "seen": ""}[seen]
    found = figures_of(shown, [METRICS[name] for name in (*SPARSITY, *LOCALISATION)], None if why else region)
    reasons = dict.fromkeys((*SPARSITY, *LOCALISATION), LOST)
    if why:
        return {name: Cell.of(found[name], LOST) for name in SPARSITY} | {name: Cell(why=why) for name in LOCALISATION}
    if not shown.is_lost:
        reasons["relevance_mass"] = NOTHING_POSITIVE
    return {name: Cell.of(found[name], reason) for name, reason in reasons.items()}


def agreement_cells(explanation: Explanation, aim: Aim, other: Explanation, other_aim: Aim) -> dict[str, Cell]:
    """How like another map a map is."""
    from softcam_core.evaluation.one_image import agreement_of, is_seen_alike, shown_map

    if not is_seen_alike(explanation.geometry, other.geometry):
        return {AGREEMENT: Cell(why=UNLIKE)}
    value = agreement_of(shown_map(explanation, *aim), shown_map(other, *other_aim))
    return {AGREEMENT: Cell.of(value, CONSTANT)}


def removal(
    model: Classifier,
    image: MedicalImage,
    maps: Mapping[Key, tuple[Explanation, Aim]],
    of: int,
    on_progress: Callable[[float], None],
    should_stop: Callable[[], bool],
) -> dict[Key, dict[str, RemovalCurve]] | None:
    """Deletion and insertion of several maps of an image by one model.

    Parameters
    ----------
    model : Classifier
        What the maps explain.
    image : MedicalImage
    maps : mapping
        Any key -> explanation, and which of its maps.
    of : int
        Class whose probability is followed.
    on_progress, should_stop : callable
        See `softcam_core.explainers.watch.Watch`.

    Returns
    -------
    dict or None
        None where it was stopped; nothing for maps with values that are no numbers.

    Raises
    ------
    SettingsError
        When the image does not fit the device's memory.
    """
    import torch

    from softcam_core.errors import OutOfMemoryError, SettingsError
    from softcam_core.evaluation.one_image import curves_of, shown_map
    from softcam_core.explainers.watch import CancelledError, Watch

    names = {str(number): key for number, key in enumerate(maps)}
    shown = {name: shown_map(maps[key][0], *maps[key][1]) for name, key in names.items()}
    try:
        found = curves_of(model, image, shown, of, watch=Watch(on_progress, should_stop))
    except CancelledError:
        return None
    except (torch.OutOfMemoryError, OutOfMemoryError) as error:
        reason = f"its curves do not fit the memory of {model.device}"
        raise SettingsError(image.source.name, reason, "Run on the CPU.") from error
    return {key: found.get(name, {}) for name, key in names.items()}
