"""Explaining a network without changing it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from softcam_core.models.modes import evaluating

_HOOKS = (
    *("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"),
    *("_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs"),
)


@contextmanager
def untouched(model: nn.Module, *, in_place: bool = False) -> Iterator[None]:
    """Eval mode, no gradients of parameters and no activations in place; everything as before afterwards.

    Gradients of activations and images can be had within, also where the caller has turned gradients off. Hooks that
    are added within are gone afterwards, whatever happens.

    Parameters
    ----------
    model : nn.Module
    in_place : bool
        Leave activations that overwrite their input as they are, which saves time and memory: for those who read no
        activation that a later layer can overwrite.
    """
    parts = list(model.modules())
    needed = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    # Overwritten activations could not be differentiated, nor read by hooks.
    overwriting = [part for part in parts if getattr(part, "inplace", None) is True and not in_place]
    hooks = [(part, name, OrderedDict(getattr(part, name))) for part in parts for name in _HOOKS]
    try:
        for parameter, _ in needed:
            parameter.requires_grad_(False)
        for part in overwriting:
            part.inplace = False  # type: ignore[assignment]
        with evaluating(model), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for part, name, before in hooks:
            registered = getattr(part, name)
            for key in [key for key in registered if key not in before]:
                del registered[key]
        for part in overwriting:
            part.inplace = True  # type: ignore[assignment]
        for parameter, requires_grad in needed:
            parameter.requires_grad_(requires_grad)
