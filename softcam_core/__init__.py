"""SoftCAM: image classifiers whose prediction is the mean of their evidence map."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from softcam_core.version import __version__ as __version__

if TYPE_CHECKING:
    from softcam_core.errors import BorderError as BorderError
    from softcam_core.errors import CheckpointError as CheckpointError
    from softcam_core.errors import ImageReadError as ImageReadError
    from softcam_core.errors import ManifestError as ManifestError
    from softcam_core.errors import SettingsError as SettingsError
    from softcam_core.explainers.explanation import Explanation as Explanation
    from softcam_core.explainers.methods import explain as explain
    from softcam_core.imaging.image import MedicalImage as MedicalImage
    from softcam_core.imaging.readers import read_image as read_image
    from softcam_core.models.card import ModelCard as ModelCard
    from softcam_core.models.checkpoint import load_model as load_model
    from softcam_core.models.checkpoint import save_model as save_model
    from softcam_core.models.conversion import convert as convert
    from softcam_core.models.softcam import Evidence as Evidence
    from softcam_core.models.softcam import SoftCAM as SoftCAM

# Imported when first used: torch takes seconds, and the viewer's window must not wait for it.
_HOMES = {
    "BorderError": "errors",
    "CheckpointError": "errors",
    "ImageReadError": "errors",
    "ManifestError": "errors",
    "SettingsError": "errors",
    "Explanation": "explainers.explanation",
    "explain": "explainers.methods",
    "MedicalImage": "imaging.image",
    "read_image": "imaging.readers",
    "ModelCard": "models.card",
    "load_model": "models.checkpoint",
    "save_model": "models.checkpoint",
    "convert": "models.conversion",
    "Evidence": "models.softcam",
    "SoftCAM": "models.softcam",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
