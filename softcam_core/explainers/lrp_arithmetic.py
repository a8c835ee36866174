"""Rules for the arithmetic between layers, which hooks on layers do not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, relu
from torch.overrides import TorchFunctionMode
from zennit.core import stabilize

_ADDING = (torch.add, Tensor.add, Tensor.add_)
_MULTIPLYING = (torch.mul, Tensor.mul, Tensor.mul_)


class Arithmetic(TorchFunctionMode):
    """While it is entered, arithmetic between feature maps hands relevance back instead of gradients.

    A sum gives each of its parts a share, a product with a gate gives all to what the gate lets through, and pooling
    written as a function does what the layer of that name would. Concatenating, splitting and shuffling only move
    numbers: their gradients move relevance the same way back.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  # whatever the function gives
        kwargs = kwargs or {}
        if func is relu:
            return func(args[0])  # never in place: what is overwritten cannot be read on the way back
        if func is avg_pool2d:
            return _Pool.apply(args[0], lambda x: func(x, *args[1:], **kwargs))
        if len(args) == 2 and not kwargs and all(isinstance(x, Tensor) and x.ndim == 4 for x in args):
            if func in _ADDING:
                return _Sum.apply(*args)
            if func in _MULTIPLYING:
                signal, gate = sorted(args, key=Tensor.numel, reverse=True)
                return _Gate.apply(signal, gate.detach())
        return func(*args, **kwargs)


class _Sum(torch.autograd.Function):
    """z = a + b gives a the share a / z of the relevance and b the share b / z, as zennit's rule for its Sum."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(a, b)
        return a + b

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        a, b = ctx.saved_tensors
        share = relevance / stabilize(a + b)
        return a * share, b * share


class _Gate(torch.autograd.Function):
    """z = x g, with x the larger of the two, gives x all the relevance: the gate is taken for a constant.

    Arras et al., Explaining and Interpreting LSTMs, in Explainable AI, Springer 2019, chapter 11 (LRP-all).
    """

    @staticmethod
    def forward(ctx: Any, signal: Tensor, gate: Tensor) -> Tensor:  # noqa: ANN401
        return signal * gate

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return relevance, None


class _Pool(torch.autograd.Function):
    """A mean gives each of its parts its share of the relevance, as zennit's rule for layers that pool."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, pool: Callable[[Tensor], Tensor]) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x)
        ctx.pool = pool
        return pool(x)

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (x,) = ctx.saved_tensors
        leaf = x.detach().requires_grad_()
        with torch.enable_grad():
            pooled = ctx.pool(leaf)
        (slope,) = torch.autograd.grad(pooled, leaf, relevance / stabilize(pooled.detach()))
        return x * slope, None
