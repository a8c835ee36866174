"""A small residual network that sees little at a time, and sees it straight."""

from collections import OrderedDict

from torch import nn
from torchvision.models.resnet import BasicBlock

CHANNELS = 96


def compact_features() -> nn.Sequential:
    """Residual features with stride 4, 96 channels and a receptive field of 30 pixels; 0.2 M parameters.

    A network whose receptive field spans the image can put the evidence for a lesion in any cell, and trained
    from scratch it does. Here a cell cannot see a lesion that is not near it.

    Both halvings are even-sized windows, so that what a cell sees is centred on the cell. The 3x3 convolutions of
    stride 2 in a ResNet look half a pixel up and left at each halving, and evidence then lies low and right of what
    it is for.

    Returns
    -------
    nn.Sequential
        (B, 3, H, W) -> (B, 96, H // 4, W // 4).
    """
    features = nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(nn.Conv2d(3, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)),
            layer1=BasicBlock(32, 32),
            halve=nn.AvgPool2d(2),
            layer2=BasicBlock(32, CHANNELS, downsample=_pointwise(32, CHANNELS)),
            layer3=nn.Sequential(_pointwise(CHANNELS, CHANNELS), nn.ReLU(inplace=True)),
        )
    )
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return features


def _pointwise(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))
