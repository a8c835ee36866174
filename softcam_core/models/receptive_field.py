"""Which input pixels a cell of evidence can see, read off the operations of a forward pass.

Each convolution and pool widens the field of what comes before it and moves its centre (Araujo, Norris & Sim, Computing
receptive fields of convolutional neural networks, Distill 2019). Gates that see the whole image (squeeze and
excitation) weigh channels and not places; they are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from softcam_core.models.modes import evaluating

Box = tuple[float, float, float, float]

_SIDE = 96
_aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Where the cells of evidence look, in pixels of the model input, as (rows, columns).

    Attributes
    ----------
    stride : (int, int)
        From one cell to the next.
    size : (int, int)
        Height and width of the pixels that can change a cell.
    centre : (float, float)
        Middle of what cell (0, 0) sees; pixel edges lie at whole numbers.
    """

    stride: tuple[int, int]
    size: tuple[int, int]
    centre: tuple[float, float]

    def box(self, cell: tuple[int, int]) -> Box:
        """What a cell sees as (top, left, bottom, right); reaches beyond the input at its border."""
        middles = [c + s * i for c, s, i in zip(self.centre, self.stride, cell, strict=True)]
        (top, bottom), (left, right) = ((m - n / 2, m + n / 2) for m, n in zip(middles, self.size, strict=True))
        return top, left, bottom, right


def receptive_field(features: nn.Module, layer: nn.Module | None = None) -> ReceptiveField:
    """Receptive field of a module (B, 3, H, W) -> (B, D, h, w), or of a layer within it.

    Runs it once, on a small input, in eval mode; the module is left as it was.

    Parameters
    ----------
    features : nn.Module
    layer : nn.Module, optional
        A part of the features; the features as a whole by default.

    Raises
    ------
    LookupError
        When a cell of the layer's output has no place: it sees the whole image at once, or there is no such output.
    """
    like = next(features.parameters(), torch.empty(0))
    image = torch.zeros(1, 3, _SIDE, _SIDE, device=like.device, dtype=like.dtype)
    tracer = _Tracer()
    tracer.fields[id(image)] = image, (_Span(1, 0, 1), _Span(1, 0, 1))
    found: list[Field | None] = []

    def look(module: nn.Module, inputs: object, output: object) -> None:
        # Now, because what comes next may overwrite the output and widen its field.
        found.append(tracer.fields[id(output)][1] if id(output) in tracer.fields else None)

    handle = (layer or features).register_forward_hook(look)
    try:
        with evaluating(features), torch.no_grad(), tracer:
            features(image)
    finally:
        handle.remove()
    if len(found) != 1 or found[0] is None:
        raise LookupError("a cell of this layer sees no part of the image of its own")
    rows, columns = found[0]
    return ReceptiveField(
        stride=(rows.step, columns.step),
        size=(rows.end - rows.start, columns.end - columns.start),
        centre=((rows.start + rows.end) / 2, (columns.start + columns.end) / 2),
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """Along one axis: what position 0 sees, and how far the view moves from one position to the next."""

    step: int
    start: int
    end: int

    def through(self, kernel: int, stride: int, padding: int, dilation: int = 1) -> _Span:
        """Behind a sliding window."""
        start = self.start - padding * self.step
        return _Span(self.step * stride, start, start + dilation * (kernel - 1) * self.step + self.end - self.start)

    def moved(self, positions: int) -> _Span:
        return _Span(self.step, self.start + positions * self.step, self.end + positions * self.step)

    def joined(self, other: _Span) -> _Span:
        return _Span(max(self.step, other.step), min(self.start, other.start), max(self.end, other.end))


Field = tuple[_Span, _Span]


class _Tracer(TorchDispatchMode):
    """Follows the fields of all tensors that come from the image."""

    def __init__(self) -> None:
        super().__init__()
        # The tensors are kept, so that no id is given twice.
        self.fields: dict[int, tuple[Tensor, Field]] = {}

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  # whatever the operation gives
        out = func(*args, **(kwargs or {}))
        field = self._behind(func, args, kwargs or {})
        if field is not None:
            for tensor in out if isinstance(out, tuple | list) else (out,):
                if isinstance(tensor, Tensor):
                    self.fields[id(tensor)] = tensor, field
        return out

    def _behind(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Field | None:  # noqa: ANN401
        """Field of an operation's result; None where it does not come from the image, or from all of it at once."""
        inputs = [a for arg in args for a in (arg if isinstance(arg, list | tuple) else (arg,))]
        known = [self.fields[id(a)][1] for a in inputs if isinstance(a, Tensor) and id(a) in self.fields]
        if not known:
            return None
        rows, columns = known[0]
        for other in known[1:]:
            rows, columns = rows.joined(other[0]), columns.joined(other[1])
        packet = func.overloadpacket
        if packet is _aten.convolution:
            return _behind_window(rows, columns, args[1].shape[2:], *args[3:6])
        if packet is _aten.max_pool2d_with_indices:
            return _behind_window(rows, columns, *args[1:5])
        if packet is _aten.avg_pool2d:
            return _behind_window(rows, columns, *args[1:4])
        if packet is _aten.mean:
            return None
        if packet in (_aten.constant_pad_nd, _aten.replication_pad2d, _aten.reflection_pad2d):
            left, _, *rest = args[1]
            return rows.moved(-rest[0] if rest else 0), columns.moved(-left)
        if packet is _aten.slice and args[0].ndim == 4:
            dim, start = (args[1] if len(args) > 1 else 0) % 4, (args[2] if len(args) > 2 else 0) or 0
            return (rows.moved(start) if dim == 2 else rows), (columns.moved(start) if dim == 3 else columns)
        return rows, columns


def _behind_window(
    rows: _Span,
    columns: _Span,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
) -> Field:
    window = [tuple(value) * (2 // len(value)) for value in (kernel, stride or kernel, padding, dilation)]
    return rows.through(*(pair[0] for pair in window)), columns.through(*(pair[1] for pair in window))
