import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.export.onnx import export_onnx, onnx_card
from softcam_core.models.card import ModelCard
from softcam_core.models.families import FAMILIES
from softcam_core.models.softcam import SoftCAM
from softcam_core.notice import NOTICE


def model_of(architecture: str, **options) -> SoftCAM:
    torch.manual_seed(0)
    card = ModelCard(name="m", architecture=architecture, class_names=("a", "b", "c"), options=options)
    return SoftCAM.from_card(card).eval()


@pytest.mark.parametrize(
    ("architecture", "options"), [("compact", {}), ("squeezenet1_0", {}), ("resnet18", {"output_stride": 8})]
)
def test_other_programs_compute_the_same_at_any_size(architecture: str, options, tmp_path: Path) -> None:
    model = model_of(architecture, **options)
    report = export_onnx(model, tmp_path / "m.onnx")
    assert report.max_difference < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_outputs()] == ["logits", "evidence"]
    x = torch.randn(3, 3, 96, 176)
    with torch.inference_mode():
        expected = model(x)
    logits, evidence = session.run(None, {"image": x.numpy()})
    scale = float(expected.maps.abs().max())
    np.testing.assert_allclose(logits, expected.logits.numpy(), atol=1e-4 * scale)
    np.testing.assert_allclose(evidence, expected.maps.numpy(), atol=1e-4 * scale)
    np.testing.assert_allclose(evidence.mean((2, 3)), logits, atol=1e-5 * scale)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_exported(family: str, tmp_path: Path) -> None:
    assert export_onnx(model_of(FAMILIES[family].architectures[0]), tmp_path / "m.onnx").max_difference < 1e-4


def test_the_card_travels_with_the_model(tmp_path: Path) -> None:
    model = model_of("compact")
    export_onnx(model, tmp_path / "m.onnx")
    assert ModelCard.model_validate(onnx_card(tmp_path / "m.onnx")) == model.card
    properties = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert properties["notice"] == NOTICE
    assert json.loads(properties["softcam_card"])["class_names"] == ["a", "b", "c"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be written"):
        export_onnx(model_of("compact"), tmp_path / "none" / "m.onnx")


def test_without_the_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SettingsError, match=r"onnxruntime is not installed.*pip install softcam\[onnx\]"):
        export_onnx(model_of("compact"), tmp_path / "m.onnx")


def test_a_network_without_any_evidence(tmp_path: Path) -> None:
    model = model_of("squeezenet1_1")
    torch.nn.init.constant_(model.head[1].bias, -100)
    assert export_onnx(model, tmp_path / "m.onnx").max_difference == 0
