"""Training configurations as YAML: presets, files, single settings from the command line, and how they are written."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from softcam_core.errors import SettingsError
from softcam_core.models.families import default_preprocessing
from softcam_core.resources import resource
from softcam_core.training.config import ModelConfig, TrainingConfig

Settings = dict[str, Any]

_WIDTH = 100
_ADVICE = "`softcam train --show-config` lists all settings."


def preset_names() -> list[str]:
    """Names that `load_preset` knows."""
    return sorted(path.stem for path in resource("presets").glob("*.yaml"))


def load_preset(name: str) -> Settings:
    """Settings of a preset, such as "fundus".

    Raises
    ------
    SettingsError
        For an unknown one.
    """
    if name not in preset_names():
        raise SettingsError("preset", f"no preset is called {name!r}", f"There are {', '.join(preset_names())}.")
    return load_settings(resource(f"presets/{name}.yaml"))


def load_settings(path: Path | str) -> Settings:
    """Read settings, perhaps not all, from a YAML file.

    Raises
    ------
    SettingsError
        When the file cannot be read or is no table of settings.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(path, f"cannot be read: {error.strerror}", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(path, "is not a text file in UTF-8", "Save it as UTF-8.") from error
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        place = f" (line {mark.line + 1})" if mark else ""
        raise SettingsError(path, f"is not YAML{place}", "Check indentation and colons there.") from error
    if not isinstance(settings, dict):
        raise SettingsError(path, "holds no settings", "It needs lines like `training:` and, indented, `lr: 1e-3`.")
    return settings


def parse_setting(text: str) -> Settings:
    """``"training.lr=1e-3"`` -> ``{"training": {"lr": 0.001}}``; values as in YAML.

    Raises
    ------
    SettingsError
        When there is no ``=`` or the value is not YAML.
    """
    name, equals, value = text.partition("=")
    if not equals or not all(part.isidentifier() for part in name.strip().split(".")):
        raise SettingsError(f"--set {text}", "is not NAME=VALUE", "Give for instance --set training.lr=1e-3.")
    try:
        return nested(name.strip(), yaml.safe_load(value))
    except yaml.YAMLError as error:
        raise SettingsError(f"--set {text}", "has a value that is not YAML", "Put it in quotes.") from error


def nested(name: str, value: object) -> Settings:
    """``("training.lr", 0.001)`` -> ``{"training": {"lr": 0.001}}``."""
    for part in reversed(name.split(".")):
        value = {part: value}
    return value  # type: ignore[return-value]


def merged(layers: Iterable[Mapping[str, Any]]) -> Settings:
    """Put settings on top of each other; the later ones win, section by section."""
    result: Settings = {}
    for layer in layers:
        for name, value in layer.items():
            below = result.get(name)
            both = isinstance(below, Mapping) and isinstance(value, Mapping)
            result[name] = merged((below, value)) if both else value  # type: ignore[arg-type]
    return result


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``{"training": {"lr": 0.001}}`` -> ``("training.lr", 0.001)`` and so on."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def changed(before: TrainingConfig, now: TrainingConfig) -> list[str]:
    """Names of settings that differ and decide what is learnt."""
    old, new = (dict(flat(config.model_dump(mode="json", exclude={"hardware"}))) for config in (before, now))
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def make_config(settings: Mapping[str, Any], source: Path | str = "settings") -> TrainingConfig:
    """Check settings and add the defaults; mean, std and input follow the architecture where they are not given.

    Parameters
    ----------
    settings : mapping
    source : Path or str
        Where they come from, for error messages.

    Raises
    ------
    SettingsError
        Naming each setting that is unknown or has a value it cannot have.
    """
    try:
        model = ModelConfig.model_validate(settings.get("model") or {})
        preprocessing = default_preprocessing(model.architecture).model_dump()
        given = settings.get("preprocessing") or {}
        return TrainingConfig.model_validate({**settings, "preprocessing": {**preprocessing, **given}})
    except ValidationError as error:
        raise SettingsError(source, _problems(error), _ADVICE) from error
    except TypeError as error:  # a section that is no mapping
        raise SettingsError(source, f"a section holds a value ({error})", _ADVICE) from error


def _problems(error: ValidationError) -> str:
    prefix = f"{'model.' if error.title == 'ModelConfig' else ''}"
    lines = []
    for problem in error.errors():
        # Unions name their members in the location; people want the setting.
        place = ".".join(str(part) for part in problem["loc"] if str(part).isidentifier() or isinstance(part, int))
        message = str(problem["msg"]).removeprefix("Value error, ")
        message = "there is no such setting" if problem["type"] == "extra_forbidden" else message
        lines.append(f"{prefix}{place or 'settings'}: {message[:1].lower()}{message[1:]}")
    return "; ".join(dict.fromkeys(lines))


def with_absolute_paths(config: TrainingConfig) -> TrainingConfig:
    """Make a configuration mean the same from any folder."""

    def absolute(path: Path | str | None) -> Path | str | None:
        return Path(path).resolve() if isinstance(path, Path) else path

    return config.model_copy(
        update={
            "data": config.data.model_copy(
                update={"path": absolute(config.data.path), "root": absolute(config.data.root)}
            ),
            "model": config.model.model_copy(
                update={"init": absolute(config.model.init), "start": absolute(config.model.start)}
            ),
            "feedback": config.feedback.model_copy(update={"store": absolute(config.feedback.store)}),
            "hardware": config.hardware.model_copy(update={"cache": absolute(config.hardware.cache)}),
        }
    )


def to_yaml(config: TrainingConfig, *, explained: bool = False) -> str:
    """Write a whole configuration; `explained` puts what each setting means above it."""
    if not explained:
        return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return "\n".join(_section(config, "")) + "\n"


def _section(section: BaseModel, indent: str) -> list[str]:
    lines: list[str] = []
    meanings, told = _attributes(type(section)), ""
    for name, value in section.model_dump(mode="json").items():
        inner = getattr(section, name)
        is_section = isinstance(inner, BaseModel)
        text = (inspect.getdoc(inner) or "").partition("\n")[0] if is_section else meanings.get(name, "")
        lines += [""] if is_section else []
        if text != told:  # what belongs together is explained once
            mark = f"{indent}# "
            lines += textwrap.wrap(text, _WIDTH - len(indent), initial_indent=mark, subsequent_indent=mark)
        told = text
        if is_section:
            lines += [f"{indent}{name}:", *_section(inner, indent + "  ")]
        else:
            # In flow style a value is one line, however long.
            written = yaml.safe_dump({name: value}, default_flow_style=True, width=10**6, allow_unicode=True)
            lines.append(f"{indent}{written.strip()[1:-1]}")
    return lines


def _attributes(section: type[BaseModel]) -> dict[str, str]:
    """Name -> type and meaning, from the class's docstring."""
    _, _, attributes = (inspect.getdoc(section) or "").partition("Attributes\n----------\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in attributes.splitlines():
        if head := re.fullmatch(r"(\w[\w, ]*) : (.+)", line):
            names = [name.strip() for name in head[1].split(",")]
            found |= dict.fromkeys(names, f"{head[2]}.")
        elif line.startswith(" "):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found
