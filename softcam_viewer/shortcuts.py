"""Shortcuts: which keys a command has, and who else has them."""

from __future__ import annotations

from collections.abc import Mapping

from softcam_viewer.commands import COMMANDS

Keys = Mapping[str, tuple[str, ...]]

FIXED: dict[str, str] = {
    "Space": "hides the overlays while it is held",
    "Shift+Tab": "goes from control to control",
    "Return": "presses what has the focus",
    "Enter": "presses what has the focus",
}
"""Keys that no command can have, and what they do."""


def keys_in_use(chosen: Keys) -> dict[str, tuple[str, ...]]:
    """Keys of all commands: those that were chosen, and otherwise the standard ones.

    Commands and keys that are not there (any more) are passed over; of a key that two commands have, the one that
    chose it keeps it.
    """
    taken = {key for command in COMMANDS for key in chosen.get(command.name, ())} | set(FIXED)
    keys: dict[str, tuple[str, ...]] = {}
    given: set[str] = set()
    for command in COMMANDS:
        own = chosen.get(command.name)
        wanted = (
            [key for key in command.keys if key not in taken] if own is None else [k for k in own if k not in FIXED]
        )
        keys[command.name] = tuple(key for key in dict.fromkeys(wanted) if key not in given)
        given.update(keys[command.name])
    return keys


def owner_of(key: str, keys: Keys) -> str | None:
    """Name of the command that has a key, None where it is free."""
    return next((name for name, own in keys.items() if key in own), None)


def changed_only(keys: Keys) -> dict[str, tuple[str, ...]]:
    """Those that are not the standard ones: what the settings keep."""
    return {command.name: tuple(keys[command.name]) for command in COMMANDS if keys[command.name] != command.keys}
