"""Output stride: finer evidence from the same weights, by trading stride for dilation.

Where a layer of stride 2 is made to take every position, and every layer after it to look twice as far apart, the old
cells come out as before and new ones lie between them (atrous convolution: Chen et al., DeepLab, PAMI 2018, section
3.1). Gates that look at the whole image (squeeze and excitation) average over more cells and change a little.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class DilatedAverage(nn.Module):
    """2x2 average pooling of stride 1 whose four values lie `dilation` apart.

    Parameters
    ----------
    dilation : int
        Pixels between the averaged values.
    """

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W); beyond the border the last pixels go on."""
        d, (height, width) = self.dilation, x.shape[2:]
        x = F.pad(x, (0, d, 0, d), mode="replicate")
        rows = (x[:, :, :height] + x[:, :, d:]) / 2
        return (rows[..., :width] + rows[..., d:]) / 2

    def extra_repr(self) -> str:
        """Shown by print(module)."""
        return f"dilation={self.dilation}"


def set_output_stride(stages: Iterable[nn.Module], output_stride: int) -> None:
    """Change a network in place so that its features have at most this stride.

    Parameters
    ----------
    stages : iterable of nn.Module
        In the order they run; each changes the size at most once.
    output_stride : int
        Input pixels from one cell to the next.
    """
    stride = dilation = 1
    for stage in stages:
        factor = max([_stride(module) for module in stage.modules()], default=1)
        if stride * factor <= output_stride:
            stride *= factor
            _dilate(stage, dilation, dilation)
        else:
            _dilate(stage, dilation, dilation * factor)
            dilation *= factor


def _stride(module: nn.Module) -> int:
    if isinstance(module, nn.Conv2d):
        return module.stride[0]
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return module.stride if isinstance(module.stride, int) else module.stride[0]
    return 1


def _dilate(stage: nn.Module, before: int, after: int) -> None:
    """Dilate a stage: by `before` up to and with its strided layer, by `after` behind it.

    Where both are equal the stage keeps its stride.
    """
    passed = False
    for name, module in list(stage.named_modules()):
        strided = _stride(module) > 1
        if isinstance(module, nn.Conv2d):
            if strided and before != after:
                module.stride = (1, 1)
                passed = True
                _space_out(module, before)
            else:
                _space_out(module, after if passed else before)
        elif strided and before != after:
            # DenseNet's transitions: the one pool that halves after the stem, at the end of its stage.
            stage.set_submodule(name, DilatedAverage(before))


def _space_out(conv: nn.Conv2d, dilation: int) -> None:
    height, width = conv.kernel_size
    if dilation == 1 or height == width == 1:
        return
    conv.dilation = (dilation, dilation)
    conv.padding = (dilation * (height // 2), dilation * (width // 2))
