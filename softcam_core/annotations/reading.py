"""What all files of annotations have in common when they are read: their text, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from softcam_core.errors import AnnotationError

MAX_SHOWN = 20
"""Problems that a message lists."""


@dataclass(slots=True)
class Problems:
    """What is wrong with single annotations of a file, gathered so that it is said all at once.

    Attributes
    ----------
    path : Path
        The file.
    found : list of (str, str)
        Place and problem.
    """

    path: Path
    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, text: str) -> None:
        """Note a problem."""
        self.found.append((place, text))

    def settle(self, advice: str, *, skip: bool = False) -> tuple[str, ...]:
        """Refuse the file, or say in one remark what is left out of it; nothing where there is no problem.

        Raises
        ------
        AnnotationError
            Without `skip`.
        """
        if not self.found:
            return ()
        if not skip:
            reason = f"{counted(len(self.found), 'annotation')} cannot be used:{self._lines()}"
            raise AnnotationError(self.path, reason, f"\n{advice}")
        return (f"Left out: {counted(len(self.found), 'annotation')}:{self._lines()}",)

    def _lines(self) -> str:
        lines = [f"\n  {place}: {text}" for place, text in self.found[:MAX_SHOWN]]
        if len(self.found) > MAX_SHOWN:
            lines.append(f"\n  and {len(self.found) - MAX_SHOWN} more")
        return "".join(lines)


def counted(count: int, noun: str) -> str:
    """Return "1 image", "2 images"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def what_is_wrong(error: ValidationError) -> list[tuple[str, str]]:
    """Place and message of each problem that pydantic found, without the values."""
    problems = error.errors(include_url=False, include_input=False)
    return [
        (".".join(str(part) for part in each["loc"]), each["msg"].removeprefix("Value error, ")) for each in problems
    ]
