"""A small residual network that sees little at a time."""

from collections import OrderedDict

from torch import nn
from torchvision.models.resnet import BasicBlock


def compact_features() -> nn.Sequential:
    """Residual features with stride 4, 96 channels and a receptive field of 39 pixels; 0.3 M parameters.

    A network whose receptive field spans the image can put the evidence for a lesion in any cell, and trained
    from scratch it does. Here a cell cannot see a lesion that is not near it.

    Returns
    -------
    nn.Sequential
        (B, 3, H, W) -> (B, 96, ceil(H / 4), ceil(W / 4)).
    """

    def block(before: int, after: int, stride: int = 1) -> BasicBlock:
        shortcut = None
        if stride != 1 or before != after:
            shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        return BasicBlock(before, after, stride, shortcut)

    features = nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)),
            layer1=block(32, 32),
            layer2=block(32, 96, stride=2),
            layer3=block(96, 96),
        )
    )
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return features
