import json
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from softcam_core.errors import CheckpointError
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import CARD_KEY, is_model_file, load_model, read_card, save_model, weights_hash
from softcam_core.models.initialisation import load_backbone
from softcam_core.models.softcam import SoftCAM


@pytest.fixture
def model_file(compact_model: SoftCAM, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(compact_model, path)
    return path


def card_fields(model: SoftCAM, **changes) -> str:
    return json.dumps(json.loads(model.card.model_dump_json()) | changes)


def write(path: Path, model: SoftCAM, card: str | None = None, **tensors: torch.Tensor) -> Path:
    """Write a model file as it should not be."""
    state = model.state_dict() | tensors
    safetensors.torch.save_file(state, path, {CARD_KEY: card if card is not None else card_fields(model)})
    return path


def refusal(path: Path, load=load_model) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- round trip


def test_saved_model_comes_back(compact_model: SoftCAM, model_file: Path) -> None:
    loaded = load_model(model_file)
    assert not loaded.training
    assert loaded.card == read_card(model_file)
    assert loaded.card == compact_model.card.model_copy(update={"sha256": weights_hash(loaded.state_dict())})
    assert loaded.state_dict().keys() == compact_model.state_dict().keys()
    assert all(torch.equal(v, compact_model.state_dict()[k]) for k, v in loaded.state_dict().items())
    assert all(p.requires_grad for p in loaded.parameters())
    x = torch.randn(1, 3, 40, 50)
    with torch.inference_mode():
        assert torch.equal(loaded(x).maps, compact_model(x).maps)


def test_channels_last_weights_are_saved_as_they_are(compact_model: SoftCAM, model_file: Path, tmp_path: Path) -> None:
    save_model(compact_model.to(memory_format=torch.channels_last), tmp_path / "b.safetensors")
    assert (tmp_path / "b.safetensors").read_bytes() == model_file.read_bytes()


def test_saving_replaces_as_a_whole(compact_model: SoftCAM, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model_file.read_bytes()

    def full_disk(path: Path, content: bytes) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(CheckpointError, match=r"cannot be written.*No space left"):
        save_model(compact_model, model_file)
    assert model_file.read_bytes() == before


def test_saving_into_no_folder(compact_model: SoftCAM, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_model(compact_model, tmp_path / "none" / "m.safetensors")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_run_in_single(compact_model: SoftCAM, tmp_path: Path, dtype: torch.dtype) -> None:
    converted = {k: v.to(dtype) for k, v in compact_model.state_dict().items() if v.is_floating_point()}
    loaded = load_model(write(tmp_path / "m.safetensors", compact_model, None, **converted))
    x = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x).logits, compact_model(x).logits, atol=0.05, rtol=0.05)


# --- refusals


def test_missing_file_folder_and_empty_file(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.safetensors")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "empty.safetensors").touch()
    assert "is empty" in refusal(tmp_path / "empty.safetensors")


@pytest.mark.parametrize("name", ["model.safetensors", "model.pth", "model.pt"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_is_refused_and_never_run(bomb, tmp_path: Path, name: str, protocol: int) -> None:
    path, marker = tmp_path / name, tmp_path / "executed"
    path.write_bytes(pickle.dumps(bomb(marker), protocol=protocol))
    assert "is a Python pickle" in refusal(path)
    assert "pickle" in refusal(path, read_card)
    assert not marker.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_torch_file_is_refused_and_never_run(bomb, tmp_path: Path, zipped: bool) -> None:
    path, marker = tmp_path / "model.pth", tmp_path / "executed"
    torch.save({"w": torch.zeros(1), "b": bomb(marker)}, path, _use_new_zipfile_serialization=zipped)
    assert "is a Python pickle" in refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize("keep", [1, 7, 8, 9, 100, -1, -1000])
def test_truncated_files(model_file: Path, keep: int) -> None:
    model_file.write_bytes(model_file.read_bytes()[:keep])
    assert "is damaged" in refusal(model_file)


@pytest.mark.parametrize("content", [b"junk", b"\xff" * 500, b"\x00" * 500, b"{}" * 40, b"\x02" + b"\0" * 7 + b"{}"])
def test_junk(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junk.safetensors"
    path.write_bytes(content)
    assert any(reason in refusal(path) for reason in ("is damaged", "no SoftCAM model card"))


def test_weights_without_a_card(compact_model: SoftCAM, tmp_path: Path) -> None:
    safetensors.torch.save_file(compact_model.state_dict(), tmp_path / "m.safetensors")
    assert "no SoftCAM model card" in refusal(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 3}, "version 3, this program reads up to 2"),
        ({"architecture": "resnet19"}, "no architecture 'resnet19'"),
        ({"class_names": ["a", "a"]}, "class names must differ"),
        ({"class_names": []}, "class_names"),
        ({"task": "guess"}, "task"),
        ({"preprocessing": {"shorter_side": -1}}, "shorter_side"),
        ({"surprise": 1}, "surprise"),
        ({"options": {"output_stride": 5}}, "output_stride"),
        ({"sha256": "abc"}, "sha256"),
        ({"version": 0}, "version"),
    ],
)
def test_cards_that_are_not_valid(compact_model: SoftCAM, tmp_path: Path, changes, reason: str) -> None:
    path = write(tmp_path / "m.safetensors", compact_model, card_fields(compact_model, **changes))
    assert reason in refusal(path)
    assert reason in refusal(path, read_card)


@pytest.mark.parametrize("card", ["", "{", "[]", "null", '"text"', '{"version": "x"}'])
def test_cards_that_are_no_cards(compact_model: SoftCAM, tmp_path: Path, card: str) -> None:
    assert "model card that is not valid" in refusal(write(tmp_path / "m.safetensors", compact_model, card))


def test_weights_of_other_classes(compact_model: SoftCAM, tmp_path: Path) -> None:
    card = card_fields(compact_model, class_names=["a", "b", "c"])
    assert "weights for 2 classes, but its card names 3" in refusal(
        write(tmp_path / "m.safetensors", compact_model, card)
    )


def test_weights_of_another_architecture(compact_model: SoftCAM, tmp_path: Path) -> None:
    card = card_fields(compact_model, architecture="resnet18")
    assert "does not hold the weights of resnet18" in refusal(write(tmp_path / "m.safetensors", compact_model, card))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(compact_model: SoftCAM, tmp_path: Path, value: float) -> None:
    bias = compact_model.head.bias.detach().clone()
    bias[1] = value
    path = write(tmp_path / "m.safetensors", compact_model, **{"head.bias": bias})
    assert "not finite (head.bias)" in refusal(path)


def test_weights_of_whole_numbers(compact_model: SoftCAM, tmp_path: Path) -> None:
    path = write(tmp_path / "m.safetensors", compact_model, **{"head.bias": torch.zeros(2, dtype=torch.int32)})
    assert "wrong type (head.bias: torch.int32)" in refusal(path)


def test_a_header_that_claims_ten_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes((10 * 2**30).to_bytes(8, "little") + b"{" + b" " * 1000)
    assert "is damaged" in refusal(path)
    assert "is damaged" in refusal(path, read_card)


def test_weights_changed_after_saving(compact_model: SoftCAM, model_file: Path, tmp_path: Path) -> None:
    content = bytearray(model_file.read_bytes())
    content[-5] ^= 1
    model_file.write_bytes(content)
    assert "not those it was saved with" in refusal(model_file)


def test_architecture_that_cannot_have_the_cards_stride(compact_model: SoftCAM, tmp_path: Path) -> None:
    card = card_fields(compact_model, options={"output_stride": 8})
    assert "cannot be dilated" in refusal(write(tmp_path / "m.safetensors", compact_model, card))


def test_weights_of_another_shape(compact_model: SoftCAM, tmp_path: Path) -> None:
    wrong = {"features.stem.0.weight": torch.zeros(32, 3, 5, 5)}
    message = refusal(write(tmp_path / "m.safetensors", compact_model, **wrong))
    assert "1 of another shape (features.stem.0.weight)" in message


def test_model_files_are_told_from_others(model_file: Path, tmp_path: Path) -> None:
    assert is_model_file(model_file)
    torch.save({"w": torch.zeros(2)}, tmp_path / "w.pth")
    safetensors.torch.save_file({"w": torch.zeros(2)}, tmp_path / "w.safetensors")
    assert not is_model_file(tmp_path / "w.pth")
    assert not is_model_file(tmp_path / "w.safetensors")
    assert not is_model_file(tmp_path / "none")


# --- weights to start from


def backbone_refusal(path: Path, architecture: str = "compact") -> str:
    model = SoftCAM.from_card(ModelCard(name="m", architecture=architecture, class_names=("a", "b")))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    message = refusal(path, lambda p: load_backbone(model, p))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    return message


def test_backbone_of_a_softcam_leaves_the_head(compact_model: SoftCAM, model_file: Path) -> None:
    model = SoftCAM.from_card(ModelCard(name="m", architecture="compact", class_names=("a", "b", "c")))
    head = model.head.weight.detach().clone()
    load_backbone(model, model_file)
    assert all(torch.equal(v, compact_model.features.state_dict()[k]) for k, v in model.features.state_dict().items())
    assert torch.equal(model.head.weight, head)


@pytest.mark.parametrize("zipped", [True, False])
def test_backbone_file_with_code_is_refused_and_never_run(bomb, tmp_path: Path, zipped: bool) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "executed"
    torch.save({"w": bomb(marker)}, path, _use_new_zipfile_serialization=zipped)
    assert "could run code" in backbone_refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04 junk", b"\x80\x02junk", bytes(range(256)) * 20])
def test_backbone_files_that_are_damaged(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    assert "is damaged" in backbone_refusal(path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200).map(lambda tail: b"\x80\x02" + tail) | st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_backbone(compact_model: SoftCAM, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        load_backbone(compact_model, path)
    with pytest.raises(CheckpointError):
        load_model(path)


def test_backbone_files_that_are_no_state_dicts(compact_model: SoftCAM, tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    assert "holds no state dict" in backbone_refusal(tmp_path / "list.pth")
    torch.save({"epoch": 3, "loss": 0.1}, tmp_path / "other.pth")
    assert "holds no state dict" in backbone_refusal(tmp_path / "other.pth")
    assert "no such file" in backbone_refusal(tmp_path / "none.pth")


def test_backbone_of_another_architecture(model_file: Path) -> None:
    message = backbone_refusal(model_file, "resnet18")
    assert "does not hold the weights of resnet18" in message
    assert "It fits compact: choose that." in message


def test_truncated_backbone(compact_model: SoftCAM, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(compact_model.state_dict(), path)
    path.write_bytes(path.read_bytes()[:5000])
    assert "damaged" in backbone_refusal(path)
