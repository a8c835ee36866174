import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision.models as tv
from torch import nn

import softcam_core as sc
from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import Conversion
from softcam_core.models.conversion import convert
from softcam_core.models.fitting import fitting_architectures, output_count
from softcam_core.models.layouts import paper_names
from softcam_core.models.softcam import SoftCAM

NAMES = ("a", "b", "c")


def same_logits(model: SoftCAM, network: nn.Module) -> bool:
    x = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        return torch.allclose(model(x).logits, network(x), atol=1e-4, rtol=1e-4)


def paper_checkpoint(network: nn.Module, sliced: int) -> "OrderedDict[str, torch.Tensor]":
    """What the SoftCAM paper's code would save for this network: its children without the last ones, and a 1x1 head."""
    backbone = nn.Sequential(*list(network.children())[:-sliced])
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    state = OrderedDict((f"backbone.{name}", tensor) for name, tensor in backbone.state_dict().items())
    state["classifier.weight"] = linear.weight.detach()[:, :, None, None]
    state["classifier.bias"] = linear.bias.detach()
    return state


# --- what comes in


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "net.module.", "model.backbone."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_state_dicts_as_people_have_them(prefix: str, wrapper: str | None, black_box, tmp_path: Path) -> None:
    network = black_box("resnet18")
    state = {prefix + name: tensor for name, tensor in network.state_dict().items()}
    content = state if wrapper is None else {wrapper: state, "epoch": 7, "optimizer": {"lr": 0.1}}
    torch.save(content, tmp_path / "weights.pth")
    model = convert(tmp_path / "weights.pth", NAMES)
    assert model.card.architecture == "resnet18"
    assert model.card.provenance["converted_from"] == "weights.pth"
    assert same_logits(model, network)


def test_safetensors_and_half_precision(black_box, tmp_path: Path) -> None:
    network = black_box("resnet18").half()
    safetensors.torch.save_file(dict(network.state_dict()), tmp_path / "weights.safetensors")
    model = convert(tmp_path / "weights.safetensors", NAMES, "resnet18")
    assert next(model.parameters()).dtype is torch.float32
    assert same_logits(model, network.float())


def test_a_network_itself_is_left_as_it_was(black_box) -> None:
    network = black_box("resnet18").train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    model = convert(network, NAMES)
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert model.card.provenance["converted_from"] == "ResNet"
    with torch.no_grad():
        next(model.parameters()).zero_()
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize("architecture", ["resnet18", "efficientnet_b0", "densenet121", "squeezenet1_1"])
def test_the_twin_is_the_black_box_and_shares_its_weights(architecture: str, black_box) -> None:
    network = black_box(architecture)
    model = convert(network, NAMES, architecture)
    twin = model.black_box()
    assert type(twin) is type(network)
    assert not twin.training
    trained = network.state_dict()
    assert all(torch.equal(v, trained[k]) for k, v in twin.state_dict().items())
    first = next(twin.parameters())
    assert first.data_ptr() in {p.data_ptr() for p in model.parameters()}


def test_wrapped_classifiers(black_box) -> None:
    network = black_box("resnet18")
    state = {name.replace("fc.", "fc.1."): tensor for name, tensor in network.state_dict().items()}
    assert same_logits(convert(state, NAMES), network)
    network = black_box("densenet121")
    state = {f"densenet121.{n}".replace("classifier.", "classifier.0."): t for n, t in network.state_dict().items()}
    old = {n.replace("norm1.", "norm.1.").replace("norm2.", "norm.2."): t for n, t in state.items()
           if "denselayer" in n and "norm" in n}  # fmt: skip
    state = {n: t for n, t in state.items() if not ("denselayer" in n and "norm" in n)} | old
    assert same_logits(convert(state, NAMES), network)


def test_a_classifier_without_bias(black_box) -> None:
    network = black_box("resnet18")
    state = {k: v for k, v in network.state_dict().items() if k != "fc.bias"}
    nn.init.zeros_(network.fc.bias)
    assert same_logits(convert(state, NAMES), network)


def test_auxiliary_heads_and_losses_are_no_part_of_the_prediction(black_box) -> None:
    state = dict(black_box("resnet18").state_dict())
    state |= {"criterion.weight": torch.ones(3), "aux1.fc.weight": torch.ones(2), "train_auc.thresholds": torch.ones(4)}
    assert convert(state, NAMES).card.conversion.exact


@pytest.mark.parametrize("count", [1, 2, 14])
def test_any_number_of_classes_and_sigmoids(count: int, black_box) -> None:
    network = black_box("resnet18", count)
    names = [f"finding {k}" for k in range(count)]
    model = convert(network, names, task="multi_label")
    assert same_logits(model, network)
    torch.testing.assert_close(model.probabilities(torch.zeros(count)), torch.full((count,), 0.5))


@pytest.mark.parametrize(("architecture", "sliced"), [("resnet18", 2), ("bagnet17", 2), ("efficientnet_b0", 2)])
def test_the_papers_checkpoints(architecture: str, sliced: int, black_box, tmp_path: Path) -> None:
    network = black_box(architecture)
    torch.save(paper_checkpoint(network, sliced), tmp_path / "paper.pth")
    for model in (convert(tmp_path / "paper.pth", NAMES), convert(tmp_path / "paper.pth", NAMES, architecture)):
        assert model.card.architecture == architecture
        assert model.card.provenance["layout"] == "softcam paper"
        assert model.card.conversion.exact
        assert same_logits(model, network)


def test_the_papers_densenet_has_no_last_relu(black_box) -> None:
    """Slicing children loses the ReLU of torchvision's forward; the paper's DenseNets were trained without it."""
    network = black_box("densenet121")
    model = convert(paper_checkpoint(network, 1), NAMES)
    assert not model.card.options.final_relu
    assert model.card.conversion is None
    assert model.features(torch.randn(1, 3, 64, 64)).min() < 0
    x = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        expected = network.classifier(network.features(x).mean((2, 3)))
        torch.testing.assert_close(model(x).logits, expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(SettingsError, match="without the last ReLU"):
        model.black_box()


def test_the_papers_vgg_is_a_softcam_already() -> None:
    torch.manual_seed(0)
    features = tv.vgg11(num_classes=3).features
    hidden = nn.Sequential(nn.Conv2d(512, 4096, 1), nn.ReLU(), nn.Dropout(), nn.Conv2d(4096, 4096, 1), nn.ReLU())
    head = nn.Conv2d(4096, 3, 1)
    state = {f"backbone.{k}": v for k, v in nn.Sequential(features, hidden).state_dict().items()}
    state |= {f"classifier.{k}": v for k, v in head.state_dict().items()}
    model = convert(state, NAMES)
    assert model.card.architecture == "vgg11"
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model(x).maps, head(hidden.eval()(features(x))), atol=1e-5, rtol=1e-5)


def test_paper_names_are_those_of_slicing_children(black_box) -> None:
    network = black_box("resnet18")
    names = paper_names(convert(network, NAMES))
    assert set(names.values()) == set(paper_checkpoint(network, 2))


# --- what is measured


def test_equivalence_is_measured_on_the_images_given(black_box, grey_image) -> None:
    network = black_box("resnet18")
    generator = np.random.default_rng(0)
    images = [grey_image(generator.random((70, 90))) for _ in range(2)]
    how = Preprocessing(shorter_side=64)
    model = convert(network, NAMES, preprocessing=how, images=images)
    report = model.card.conversion
    assert report is not None
    assert (report.inputs, report.count) == ("images", 2)
    assert report.max_logit_difference < 1e-4 < report.largest_logit


def test_a_network_that_computes_something_else_is_refused(black_box) -> None:
    network = black_box("resnet18")
    network.avgpool = nn.AdaptiveMaxPool2d(1)
    with pytest.raises(CheckpointError, match="another pooling") as caught:
        convert(network, NAMES)
    assert "--retrain-head" in str(caught.value)


def test_a_network_that_does_not_give_logits_is_refused(black_box) -> None:
    network = nn.Sequential(OrderedDict(model=black_box("resnet18"), more=nn.Unflatten(1, (3, 1))))
    with pytest.raises(CheckpointError, match=r"gives \(1, 3, 1\) and not one logit a class"):
        convert(network, NAMES)


def test_logits_that_are_not_numbers_are_refused(black_box) -> None:
    state = black_box("resnet18").state_dict()
    state["layer4.1.bn2.running_var"].fill_(-1)  # finite, and yet
    with pytest.raises(CheckpointError, match="not finite numbers"):
        convert(state, NAMES)


def test_a_network_in_half_precision_is_compared_as_it_will_run(black_box) -> None:
    network = black_box("resnet18").half()
    report = convert(network, NAMES).card.conversion
    assert report.exact
    assert report.max_logit_difference < 1e-4
    assert next(network.parameters()).dtype is torch.float16


def test_images_too_small_for_the_network(black_box, grey_image) -> None:
    how, image = Preprocessing(shorter_side=None), grey_image(np.zeros((4, 9)))
    with pytest.raises(CheckpointError, match="cannot be run on an input of 4 x 9 pixels"):
        convert(black_box("squeezenet1_1"), NAMES, preprocessing=how, images=[image])


def test_a_fresh_head_keeps_the_features(black_box) -> None:
    network = black_box("resnet18")
    model = convert(network, ("x", "y", "z", "w"), retrain_head=True)
    assert not model.card.conversion.exact
    assert "train the model" in model.card.conversion.summary()
    assert torch.equal(model.features.conv1.weight, network.conv1.weight)
    assert model.head.weight.shape[0] == 4


def test_summaries() -> None:
    report = Conversion(source="x", exact=True, max_logit_difference=2e-6, largest_logit=3, inputs="images", count=2)
    assert report.summary() == "Same function as the black box: largest logit difference 2e-06 on 2 images."
    report = report.model_copy(update={"exact": False, "inputs": "noise", "count": 1})
    assert report.summary() == "Not the black box itself: largest logit difference 2e-06 on 1 noise input."


# --- the architecture's guess


@pytest.mark.parametrize("architecture", ["resnet50", "densenet161", "efficientnet_b2", "vgg13_bn", "googlenet"])
def test_the_architecture_is_read_off_the_weights(architecture: str) -> None:
    from softcam_core.models.card import ArchitectureOptions
    from softcam_core.models.families import family_of

    with torch.device("meta"):
        network = family_of(architecture).network(architecture, 7, ArchitectureOptions())
    tensors = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    assert fitting_architectures(tensors) == [(architecture, 1.0)]
    assert output_count(tensors, architecture) == 7


def test_timms_layout_is_recognised_where_torchvision_has_none() -> None:
    import timm

    state = timm.create_model("efficientnet_b0", num_classes=3).state_dict()
    fits = [name for name, fit in fitting_architectures(state) if fit == 1]
    assert fits == ["timm/efficientnet_b0", "timm/tf_efficientnet_b0"]
    with pytest.raises(CheckpointError, match=r"fits timm/efficientnet_b0 and timm/tf_efficientnet_b0 alike"):
        convert(state, NAMES)
    assert convert(state, NAMES, "timm/efficientnet_b0").card.conversion.exact


# --- what is refused, and how


def test_other_architecture_is_named(black_box) -> None:
    with pytest.raises(CheckpointError) as caught:
        convert(black_box("resnet18"), NAMES, "resnet50")
    message = str(caught.value)
    assert "does not hold the weights of resnet50" in message
    assert "missing (layer1.0.conv3.weight, " in message
    assert "and " in message
    assert "It fits resnet18: choose that." in message


def test_missing_and_unknown_names_are_shown(black_box) -> None:
    state = dict(black_box("resnet18").state_dict())
    gone = [state.pop(f"layer{k}.0.conv1.weight") for k in (1, 2)]
    assert gone
    state |= {f"attention.{k}.weight": torch.zeros(1) for k in range(7)}
    with pytest.raises(CheckpointError) as caught:
        convert(state, NAMES, "resnet18")
    message = str(caught.value)
    assert "2 missing (layer1.0.conv1.weight, layer2.0.conv1.weight)" in message
    assert "7 unknown (attention.0.weight, attention.1.weight, attention.2.weight, attention.3.weight, " in message
    assert "attention.4.weight and 2 more)" in message


def test_unknown_parts_are_refused_unless_told_otherwise(black_box) -> None:
    state = dict(black_box("resnet18").state_dict()) | {"attention.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"1 unknown \(attention.weight\).*--ignore"):
        convert(state, NAMES, "resnet18")
    assert convert(state, NAMES, "resnet18", ignore=["attention."]).card.conversion.exact


def test_longer_heads_are_refused(black_box) -> None:
    network = black_box("resnet18")
    network.fc = nn.Sequential(nn.Linear(512, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(CheckpointError, match=r"more in its head than one linear layer \(fc.0.weight"):
        convert(network, NAMES, "resnet18")
    assert convert(network, NAMES, "resnet18", retrain_head=True).head.weight.shape == (3, 512, 1, 1)


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c", "d")])
def test_wrong_class_count(names: tuple[str, ...], black_box) -> None:
    with pytest.raises(CheckpointError, match=rf"has 3 outputs, but {len(names)} class names were given"):
        convert(black_box("resnet18"), names)


@pytest.mark.parametrize("names", [(), ("a", "a", "b"), ("a", "", "b")])
def test_class_names_that_make_no_sense(names: tuple[str, ...], black_box) -> None:
    with pytest.raises(SettingsError, match="classes"):
        convert(black_box("resnet18"), names)


def test_unknown_architecture(black_box) -> None:
    with pytest.raises(SettingsError, match="resnett"):
        convert(black_box("resnet18"), NAMES, "resnett")
    with pytest.raises(CheckpointError, match="fits no architecture"):
        convert({"a.weight": torch.zeros(2)}, NAMES)


def test_a_softcam_is_not_converted_again(black_box) -> None:
    with pytest.raises(CheckpointError, match="is a SoftCAM already"):
        convert(convert(black_box("resnet18"), NAMES).state_dict(), NAMES)


def test_weights_that_are_not_finite(black_box, tmp_path: Path) -> None:
    state = black_box("resnet18").state_dict()
    state["conv1.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"not finite \(conv1.weight\)"):
        convert(tmp_path / "weights.pth", NAMES)


@pytest.mark.parametrize("how", ["pickle", "torch", "torch, old", "whole network"])
def test_code_in_a_file_is_never_run(bomb, how: str, black_box, tmp_path: Path) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "executed"
    if how == "pickle":
        path.write_bytes(pickle.dumps({"conv1.weight": bomb(marker)}))
    elif how == "whole network":
        torch.save(black_box("resnet18"), path)
    else:
        torch.save({"w": bomb(marker)}, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(CheckpointError) as caught:
        convert(path, NAMES)
    assert "could run code" in str(caught.value)
    assert "torch.save(model.state_dict()" in str(caught.value)
    assert not marker.exists()


def test_squeezenets_real_weights(shared_data) -> None:
    path = shared_data / "weights_squeezenet1_1" / "squeezenet1_1_imagenet.pth"
    images = [sc.read_image(p) for p in sorted((shared_data / "cxr_nih_examples").glob("*.png"))[:2]]
    model = convert(path, [str(k) for k in range(1000)], images=images)
    assert model.card.architecture == "squeezenet1_1"
    assert model.card.conversion.inputs == "images"
    assert model.card.conversion.count == len(images)
    assert model.card.conversion.max_logit_difference < 1e-4


# --- the oracle


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("architecture", ["resnet18", "densenet121", "efficientnet_b0"])
def test_grad_cam_without_relu_is_the_evidence(architecture: str, dtype, tolerance: float, black_box) -> None:
    """For linear heads: Grad-CAM before its ReLU, times h w, is the evidence minus its bias (method.md, section 2)."""
    model = convert(black_box(architecture), NAMES, architecture).to(dtype)
    twin = model.black_box()
    x = torch.randn(1, 3, 96, 128, dtype=dtype, generator=torch.Generator().manual_seed(3))
    head = [m for m in model.head.modules() if isinstance(m, nn.Conv2d)][-1]
    with torch.inference_mode():
        expected = model(x).maps - head.bias[:, None, None]
    caught: list[torch.Tensor] = []
    pool = nn.AdaptiveAvgPool2d(1)
    features = model.features(x)
    features.retain_grad()
    # torchvision's own pool and classifier behind the same features
    logits = twin.get_submodule("classifier" if architecture != "resnet18" else "fc")(pool(features).flatten(1))
    for k in range(3):
        (gradient,) = torch.autograd.grad(logits[0, k], features, retain_graph=True)
        weights = gradient.mean((2, 3), keepdim=True)
        caught.append((weights * features).sum(1)[0])
    cam = torch.stack(caught).detach() * features.shape[2] * features.shape[3]
    assert float((cam - expected[0]).abs().max()) <= tolerance


def test_weights_saved_on_a_gpu_open_without_one(black_box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = black_box("resnet18")
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        torch.save(network.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(RuntimeError, match="CUDA"):  # as they are they would not
        torch.load(tmp_path / "weights.pth", weights_only=True)
    model = convert(tmp_path / "weights.pth", NAMES)
    assert model.device == torch.device("cpu")
    assert same_logits(model, network)
