"""A small residual network that sees little at a time, and sees it straight."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

CHANNELS = 96


class Compact(nn.Module):
    """Residual features with stride 4, 96 channels and a receptive field of 54 pixels; 0.2 M parameters.

    A network whose receptive field spans the image can put the evidence for a lesion in any cell, and trained
    from scratch it does. Here a cell cannot see a lesion that is not near it.

    Both halvings are even-sized windows, so that what a cell sees is centred on the cell. The 3x3 convolutions of
    stride 2 in a ResNet look half a pixel up and left at each halving, and evidence then lies low and right of what
    it is for.

    The convolutions see 30 pixels, and what they find in a lesion is mostly its edge. The features are therefore
    averaged over 7x7 cells, so that the evidence of opposite edges meets in the middle.

    Parameters
    ----------
    num_classes : int
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True))
        self.layer1 = BasicBlock(32, 32)
        self.halve = nn.AvgPool2d(2)
        self.layer2 = BasicBlock(32, CHANNELS, downsample=_pointwise(32, CHANNELS))
        self.layer3 = nn.Sequential(_pointwise(CHANNELS, CHANNELS), nn.ReLU(inplace=True))
        self.smooth = nn.AvgPool2d(7, stride=1, padding=3, count_include_pad=False)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(CHANNELS, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> logits (B, K)."""
        x = self.halve(self.layer1(self.stem(x)))
        x = self.smooth(self.layer3(self.layer2(x)))
        return self.fc(self.avgpool(x).flatten(1))  # type: ignore[no-any-return]


def _pointwise(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))
