"""BagNet: a ResNet-50 that looks at small patches only, and so has fine evidence by design."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

# For each of the four layers: how many of its first blocks have a 3x3 convolution; all others are 1x1.
_WIDE_BLOCKS = {"bagnet9": (1, 1, 0, 0), "bagnet17": (1, 1, 1, 0), "bagnet33": (1, 1, 1, 1)}
_BLOCKS = (3, 4, 6, 3)
_STRIDES = (2, 2, 2, 1)
_WIDTHS = (64, 128, 256, 512)
_EXPANSION = 4

ARCHITECTURES = tuple(_WIDE_BLOCKS)


class _Bottleneck(nn.Module):
    """1x1, KxK without padding, 1x1, and the input added."""

    def __init__(self, channels: int, width: int, kernel_size: int, stride: int) -> None:
        super().__init__()
        out = width * _EXPANSION
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size, stride, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 4 width, h, w)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        skipped = x if self.downsample is None else self.downsample(x)
        # Without padding the convolutions lose the border; what was skipped loses its last rows and columns, as in
        # the published network.
        skipped = skipped[:, :, : out.shape[2], : out.shape[3]]
        added: Tensor = self.relu(out + skipped)
        return added


class BagNet(nn.Module):
    """BagNet-9, -17 or -33, named after the pixels a cell sees.

    Layers and parameter names are those of the published networks (Brendel & Bethge, Approximating CNNs with
    bag-of-local-features models works surprisingly well on ImageNet, ICLR 2019), so that their weights load.

    Parameters
    ----------
    architecture : str
        One of `ARCHITECTURES`.
    num_classes : int
    """

    def __init__(self, architecture: str, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 64, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64, momentum=0.001)
        self.relu = nn.ReLU(inplace=True)
        channels = 64
        for number in range(4):
            blocks: OrderedDict[str, nn.Module] = OrderedDict()
            for index in range(_BLOCKS[number]):
                kernel_size = 3 if index < _WIDE_BLOCKS[architecture][number] else 1
                stride = _STRIDES[number] if index == 0 else 1
                blocks[str(index)] = _Bottleneck(channels, _WIDTHS[number], kernel_size, stride)
                channels = _WIDTHS[number] * _EXPANSION
            self.add_module(f"layer{number + 1}", nn.Sequential(blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> logits (B, K)."""
        for name, module in self.named_children():
            x = module(x.flatten(1) if name == "fc" else x)
        return x
