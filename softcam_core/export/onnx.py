"""Models as ONNX, for programs without PyTorch."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.notice import NOTICE

if TYPE_CHECKING:
    from softcam_core.models.softcam import SoftCAM

INPUT, OUTPUTS = "image", ("logits", "evidence")
CARD_KEY = "softcam_card"

_SIZES = ((160, 160), (224, 192))
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class OnnxReport:
    """How equal an exported model is.

    Attributes
    ----------
    max_difference : float
        Of logits and evidence, relative to the largest evidence.
    sizes : tuple of (int, int)
        Height and width of the inputs compared; the second differs from the one the model was traced with.
    """

    max_difference: float
    sizes: tuple[tuple[int, int], ...]


def export_onnx(model: SoftCAM, path: Path | str) -> OnnxReport:
    """Write a model as ONNX and compare it with PyTorch in ONNX Runtime.

    The input "image" is a normalised batch (B, 3, H, W) of any size; the outputs are "logits" (B, K) and "evidence"
    (B, K, h, w). The model card stands in the file's metadata as JSON under "softcam_card".

    Parameters
    ----------
    model : SoftCAM
        In eval mode, on the CPU.
    path : Path or str
        Written as a whole or not at all.

    Raises
    ------
    SettingsError
        When the packages onnx, onnxscript and onnxruntime are missing.
    CheckpointError
        When the file cannot be written, or computes something else than the model.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  # torch's exporter needs it
    except ImportError as error:
        raise SettingsError("onnx", f"{error.name} is not installed", "Run: pip install softcam[onnx]") from error
    path = Path(path)
    batch = torch.export.Dim("batch")
    height, width = torch.export.Dim("height", min=64), torch.export.Dim("width", min=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the insides of the exporter
        logging.getLogger("onnxscript").setLevel(logging.ERROR)
        program = torch.onnx.export(
            _exportable(model),
            (torch.randn(2, 3, *_SIZES[0]),),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: batch, 2: height, 3: width},),
        )
    assert program is not None
    program.model.metadata_props.update({CARD_KEY: model.card.model_dump_json(), "notice": NOTICE})
    serialized = program.model_proto.SerializeToString()
    onnx.checker.check_model(serialized)
    session = onnxruntime.InferenceSession(serialized, providers=["CPUExecutionProvider"])
    differences, strengths = [], []
    for size in _SIZES:
        x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            expected = model(x)
        found = session.run(list(OUTPUTS), {INPUT: x.numpy()})
        strengths.append(expected.maps.abs().max())
        for tensor, array in zip((expected.logits, expected.maps), found, strict=True):
            differences.append((tensor - torch.from_numpy(array)).abs().max())
    # Evidence of zero everywhere (SqueezeNet's ReLU can do that) has no scale; then nothing may differ.
    strongest = float(torch.stack(strengths).max()) or 1.0
    difference = float(torch.stack(differences).max()) / strongest
    if not difference <= _TOLERANCE:
        reason = f"the exported model differs from PyTorch's by {difference:.2g} of the largest evidence"
        raise CheckpointError(path, reason, "Nothing was written. Please report it with the model's architecture.")
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(serialized)
        partial.replace(path)
    except OSError as error:
        raise CheckpointError(path, f"cannot be written: {error}", "Check the folder and the free space.") from error
    return OnnxReport(difference, _SIZES)


class _PaddedMaxPool(nn.Module):
    """What max pooling with `ceil_mode` computes, by padding; the exporter cannot follow `ceil_mode` at all sizes.

    With s - 1 more pixels, floor((n + s - 1 - k) / s) = ceil((n - k) / s).
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.more = (pool.stride if isinstance(pool.stride, int) else pool.stride[0]) - 1
        self.pool = nn.MaxPool2d(pool.kernel_size, pool.stride, pool.padding, pool.dilation)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (0, self.more, 0, self.more), value=-torch.inf) if self.more else x
        pooled: Tensor = self.pool(padded)
        return pooled


def _exportable(model: SoftCAM) -> SoftCAM:
    """The model, or a copy without what the exporter cannot follow; weights are shared."""
    pools = [n for n, m in model.named_modules() if isinstance(m, nn.MaxPool2d) and m.ceil_mode]
    if not pools:
        return model
    copied = copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})
    for name in pools:
        pool = copied.get_submodule(name)
        assert isinstance(pool, nn.MaxPool2d)
        copied.set_submodule(name, _PaddedMaxPool(pool))
    return copied


def onnx_card(path: Path | str) -> dict[str, object]:
    """The model card in an exported file, as a dictionary."""
    import onnx

    properties = {p.key: p.value for p in onnx.load(path).metadata_props}
    return dict(json.loads(properties[CARD_KEY]))
