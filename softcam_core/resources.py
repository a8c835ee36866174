"""Files that come with the program: demo cases, demo model, icons."""

from pathlib import Path

from softcam_core.errors import SettingsError

# In a wheel they lie inside the package, in a checkout beside it.
_PLACES = (Path(__file__).parent / "_resources", Path(__file__).parents[1] / "resources")


def resource(name: str) -> Path:
    """Path of a bundled file or folder, for instance "demo/model.safetensors".

    Raises
    ------
    SettingsError
        When the installation lacks it.
    """
    for place in _PLACES:
        if (place / name).exists():
            return place / name
    raise SettingsError(_PLACES[0] / name, "is missing from this installation", "Install the program again.")
