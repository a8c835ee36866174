"""A classifier that follows global pooling, made to act on each location by itself."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def per_location(classifier: nn.Module, cells: int = 1) -> nn.Module:
    """The classifier as a module on feature maps.

    Affine layers become 1x1 convolutions, freshly initialised; dropout drops whole channels and not single cells;
    flattening goes. Activations and normalisations over channels stay.

    Parameters
    ----------
    classifier : nn.Module
        Linear, or Sequential; acts on (B, D) or (B, D, 1, 1).
    cells : int
        Cells that the classifier's first layer saw at once, where the pool before it kept more than one.

    Returns
    -------
    nn.Module
        (B, D, h, w) -> (B, K, h, w). Its parameters have the names of the classifier's.

    Raises
    ------
    TypeError
        For a layer that this function does not know.
    """
    if isinstance(classifier, nn.Linear):
        return _convolution(classifier, cells)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, layer in classifier.named_children():
        if isinstance(layer, nn.Linear):
            layers[name] = _convolution(layer, cells)
            cells = 1
        elif isinstance(layer, nn.Conv2d):
            layers[name] = _convolution_like(layer)
        elif isinstance(layer, nn.Dropout):
            layers[name] = nn.Dropout2d(layer.p)
        elif isinstance(layer, nn.ReLU | nn.Hardswish):
            layers[name] = type(layer)()
        elif isinstance(layer, nn.LayerNorm):  # ConvNeXt's acts over the channels of one location
            layers[name] = layer
        elif not isinstance(layer, nn.Flatten | nn.AdaptiveAvgPool2d | nn.Identity):
            raise TypeError(f"no 1x1 convolution does what {type(layer).__name__} does")
    return nn.Sequential(layers)


def _convolution(linear: nn.Linear, cells: int) -> nn.Conv2d:
    return nn.Conv2d(linear.in_features // cells, linear.out_features, 1, bias=linear.bias is not None)


def _convolution_like(conv: nn.Conv2d) -> nn.Conv2d:
    """SqueezeNet's classifier is a 1x1 convolution already; its evidence starts near zero, as in the original."""
    fresh = nn.Conv2d(conv.in_channels, conv.out_channels, 1)
    nn.init.normal_(fresh.weight, mean=0.0, std=0.01)
    nn.init.zeros_(fresh.bias)  # type: ignore[arg-type]
    return fresh


def last_convolution(head: nn.Module) -> tuple[str, nn.Conv2d]:
    """Name within the head, and module, of the convolution that gives the evidence."""
    return [(name, m) for name, m in head.named_modules() if isinstance(m, nn.Conv2d)][-1]
