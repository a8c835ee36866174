"""Errors at the border: what came from outside could not be used.

Each border has one type. Its message names the file, the reason and what to do; a program that catches
:class:`BorderError` may show ``str(error)`` to a person as it is.
"""

from pathlib import Path


class BorderError(Exception):
    """Something from outside could not be used.

    Parameters
    ----------
    path : Path or str
        The file or folder concerned.
    reason : str
        What is wrong with it, without a full stop.
    advice : str, optional
        What the user can do about it, a full sentence.
    """

    def __init__(self, path: Path | str, reason: str, advice: str = "") -> None:
        self.path = Path(path)
        self.reason = reason
        self.advice = advice
        super().__init__(f"{path}: {reason}." + (f" {advice}" if advice else ""))


class ImageReadError(BorderError):
    """An image file could not be read."""


class CheckpointError(BorderError):
    """A model file could not be read, or does not describe a model of ours."""


class ManifestError(BorderError):
    """A table of labelled images could not be used."""


class SettingsError(BorderError):
    """What was asked for cannot be done with these options or in this place."""


class NotFiniteError(SettingsError):
    """Training came to a loss that is no number."""


class OutOfMemoryError(SettingsError):
    """The device's memory is too small for what was asked."""


class AnnotationError(BorderError):
    """An annotation, or a file or store of annotations, could not be used."""


class ConflictError(AnnotationError):
    """What was to be edited was changed by somebody else meanwhile."""


class JobError(BorderError):
    """A job could not be started, or ended before it was done."""
