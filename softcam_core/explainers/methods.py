"""All explainers by name."""

from __future__ import annotations

from softcam_core.explainers.base import Explainer, Explanation
from softcam_core.explainers.evidence import explain_evidence
from softcam_core.imaging.image import MedicalImage
from softcam_core.models.softcam import SoftCAM

METHODS: dict[str, Explainer] = {"evidence": explain_evidence}


def explain(model: SoftCAM, image: MedicalImage, method: str = "evidence") -> Explanation:
    """Explain a model's prediction for an image.

    Parameters
    ----------
    model : SoftCAM
        Left as it was.
    image : MedicalImage
    method : str
        A name of `METHODS`.

    Raises
    ------
    KeyError
        For an unknown method, naming those there are.
    """
    if method not in METHODS:
        raise KeyError(f"no method {method!r}; there are {', '.join(METHODS)}")
    return METHODS[method](model, image)
