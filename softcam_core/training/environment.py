"""What a run ran on: software, processors and the command, without names of people, machines or folders."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

import softcam_core

_PACKAGES = ("torchvision", "lightning-fabric", "torchmetrics", "numpy")
_SECONDS_TO_WAIT = 10.0


def environment(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Describe this process's surroundings, as JSON can hold them.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line; `sys.argv` by default. Paths are reduced to their last part.

    Returns
    -------
    dict
        "versions" (of softcam, python and packages; those not installed are left out), "platform", "machine", "cpus"
        (that this process may use), "threads" (of torch), "cuda" (None without a device; else "devices", "driver",
        "version" and "cudnn"), "git" (None where softcam does not run from a checkout; else "commit" and "changed")
        and "command".
    """
    import torch

    versions = {"softcam": softcam_core.__version__, "python": platform.python_version()}
    versions["torch"] = str(torch.__version__)  # with its build ("+cu130"), which the package's metadata lack
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "versions": versions,
        "platform": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpus": _cpus(),
        "threads": torch.get_num_threads(),
        "cuda": _cuda(),
        "git": _git(Path(softcam_core.__file__).parents[1]),
        "command": without_folders(sys.argv if arguments is None else arguments),
    }


def without_folders(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with paths reduced to their last part, which tells nothing of who ran it and where.

    Architectures of timm keep their "timm/".
    """
    return [_without_folders(argument) for argument in arguments]


def _without_folders(argument: str) -> str:
    if not re.search(r"[/\\]", argument):
        return argument
    if argument.lstrip().startswith(("[", "{")):
        try:
            return json.dumps(_last_parts(yaml.safe_load(argument)), ensure_ascii=False)
        except yaml.YAMLError:
            return _last_part(argument)
    key, equals, value = argument.partition("=")
    if equals and not re.search(r"[/\\]", key):
        return key + equals + _without_folders(value)
    return _last_part(argument)


def _last_parts(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {_last_parts(key): _last_parts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_last_parts(item) for item in value]
    return _last_part(value) if isinstance(value, str) else value


def _last_part(text: str) -> str:
    return text if text.startswith("timm/") else re.split(r"[/\\]", text.rstrip("/\\ "))[-1]


def _cpus() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _cuda() -> dict[str, Any] | None:
    import torch

    if not torch.cuda.is_available():
        return None
    driver = _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return {
        "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "driver": driver.splitlines()[0].strip() if driver else None,
        "version": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def _git(root: Path) -> dict[str, Any] | None:
    # A folder of installed packages may lie in a checkout of something else.
    if not (root / ".git").exists():
        return None
    here = ("git", f"--git-dir={root / '.git'}", f"--work-tree={root}")
    commit = _output(*here, "rev-parse", "HEAD")
    if not commit:
        return None
    changes = _output(*here, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit.strip(), "changed": None if changes is None else bool(changes.strip())}


def _output(program: str, *arguments: str) -> str | None:
    """What a program prints; None where it is not there or fails."""
    found = shutil.which(program)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, timeout=_SECONDS_TO_WAIT, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
