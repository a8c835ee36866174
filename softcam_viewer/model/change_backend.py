"""What the viewer asks of two models at once. Runs off the UI thread."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from softcam_viewer.model import backend
from softcam_viewer.model.answers import Aim, Answer

if TYPE_CHECKING:
    from softcam_core.imaging.image import MedicalImage
    from softcam_viewer.model.loaded_model import LoadedModel


def explain_change(
    before: LoadedModel | None,
    after: LoadedModel,
    image: MedicalImage,
    views: Collection[Aim | None] = (),
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Answer | None:
    """Explain what changed from one model to another.

    Parameters
    ----------
    before, after : LoadedModel
        `before` is None where there is none.
    image : MedicalImage
    views, on_progress, should_stop
        See `softcam_viewer.model.backend.explain`.

    Returns
    -------
    Answer or None
        None where it was stopped.

    Raises
    ------
    SettingsError
        When there is no model before, one of the two is a black box, or they cannot be compared place by place.
    """
    from softcam_core.errors import SettingsError
    from softcam_core.explainers.change import change_between
    from softcam_viewer.model.overlay import make_overlay_map

    if before is None:
        reason = "there is no other model to compare its evidence with"
        raise SettingsError(after.card.name, reason, "Add a model to compare, and show the change in one of its panes.")
    for model in (before, after):
        if model.is_black_box:
            reason = "is a black box and has no evidence that could change"
            raise SettingsError(model.card.name, reason, "Choose two SoftCAMs.")
    answers = [backend.explain(model.network, image, on_progress=on_progress, should_stop=should_stop)
               for model in (before, after)]  # fmt: skip
    first, second = answers
    if first is None or second is None:
        return None
    change = change_between(first.explanation, second.explanation)
    shown = {view or change.default_view() for view in views}
    return Answer(change, {view: make_overlay_map(change, *view) for view in shown})
