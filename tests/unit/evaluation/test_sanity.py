import itertools

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from softcam_core.evaluation.sanity import cascade, sanity_check
from softcam_core.explainers.cam import GradCAM
from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.explainers.floors import Edges
from softcam_core.explainers.watch import CancelledError, Watch
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM

SIDE = 64


def network(architecture: str) -> SoftCAM:
    """Weights and statistics that no fresh network has."""
    torch.manual_seed(0)
    model = SoftCAM.from_card(ModelCard(name="m", architecture=architecture, class_names=("a", "b", "c"))).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor += 0.01 * torch.rand_like(tensor)
            else:
                tensor += 7
            assert name
    return model


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def model() -> SoftCAM:
    return network("resnet18")


def changed(model: nn.Module, other: nn.Module) -> set[str]:
    """Names of the layers that differ."""
    theirs = other.state_dict()
    return {name.rpartition(".")[0] for name, own in model.state_dict().items() if not torch.equal(own, theirs[name])}


def layers(model: nn.Module) -> list[str]:
    return list(dict.fromkeys(name.rpartition(".")[0] for name in model.state_dict()))


@pytest.mark.parametrize("stages", [2, 4, 7])
def test_weights_go_from_the_top_down(model: SoftCAM, stages: int) -> None:
    found = [(name, changed(model, copy)) for name, copy in cascade(model, stages)]
    assert len(found) == stages
    assert found[0] == ("head", {name for name in layers(model) if name.startswith("head")})
    held = layers(model.features)
    for (_, before), (name, now) in itertools.pairwise(found):
        assert before < now
        # Everything from the lowest layer up.
        lowest = held.index(name.removeprefix("features."))
        assert {n for n in now if n.startswith("features.")} == {f"features.{n}" for n in held[lowest:]}
    assert found[-1][1] == set(layers(model))  # nothing that was learnt is left
    sizes = [len(now) - len(before) for (_, before), (_, now) in itertools.pairwise(found)]
    assert max(sizes) - min(sizes) <= 1


def test_layers_start_as_their_kind_does(model: SoftCAM) -> None:
    *_, (_, last) = cascade(model)
    for part in last.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert (part.weight == 1).all()
            assert not part.bias.any()
            assert not part.running_mean.any()
            assert (part.running_var == 1).all()
            assert int(part.num_batches_tracked) == 0
        if isinstance(part, nn.Conv2d):
            bound = (part.in_channels * part.kernel_size[0] * part.kernel_size[1]) ** -0.5
            assert 0.9 * bound < float(part.weight.detach().abs().max()) <= 1.0001 * bound


def test_the_model_is_untouched_and_its_copies_differ(model: SoftCAM) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random_state = torch.random.get_rng_state()
    copies = [copy for _, copy in cascade(model)]
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    storages = [tensor.data_ptr() for each in (model, *copies) for tensor in each.state_dict().values()]
    assert len(set(storages)) == len(storages)
    logits = [each.logits(images(1)) for each in (model, *copies)]
    assert not any(torch.equal(a, b) for i, a in enumerate(logits) for b in logits[:i])
    assert [type(copy) for copy in copies] == [SoftCAM] * 4
    assert not any(part.training for copy in copies for part in copy.modules())


def test_the_seed_decides(model: SoftCAM) -> None:
    def weights(seed: int) -> list[Tensor]:
        return [copy.head.weight for _, copy in cascade(model, 2, seed)]

    assert all(torch.equal(a, b) for a, b in zip(weights(3), weights(3), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(weights(3), weights(4), strict=True))


class Scaled(nn.Module):
    """A layer without an initialisation of its own, as ConvNeXt's and timm's have."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.arange(96.0)[:, None, None] / 96)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x


@pytest.mark.parametrize("architecture", ["compact", "squeezenet1_1"])
def test_every_weight_goes(architecture: str) -> None:
    model = network(architecture)
    model.features = nn.Sequential(*model.features, Scaled())
    *_, (_, last) = cascade(model, 2)
    theirs = last.state_dict()
    assert not [name for name, own in model.state_dict().items() if torch.equal(own, theirs[name])]
    scale = last.features[-1].scale.flatten()
    assert torch.equal(scale.sort().values, torch.arange(96.0) / 96)  # shuffled


def test_black_boxes() -> None:
    model = BlackBox.twin_of(network("resnet18"))
    (name, first), *_, (_, last) = cascade(model)
    assert name == "head"
    assert all(layer.startswith("head") for layer in changed(model, first))
    assert changed(model, last) == set(layers(model))


def test_evidence_goes_with_the_weights_and_edges_stay() -> None:
    model = network("compact")
    evidence = torch.stack([sanity_check(SoftCAMEvidence(), model, images(4), None, seed=seed) for seed in range(4)])
    assert evidence.shape == (4, 4, 4)
    assert float(evidence[..., -1].mean().abs()) < 0.3
    edges = sanity_check(Edges(), model, images(2), 0)
    assert edges.flatten().tolist() == pytest.approx([1.0] * 8)


def test_likeness_is_that_of_absolute_values(model: SoftCAM) -> None:
    explainer, given = GradCAM(relu=False), images(2)
    found = sanity_check(explainer, model, given, [0, 2], stages=3, seed=5)
    before = explainer(model, given, [0, 2]).on_input((SIDE, SIDE)).abs()
    for stage, (_, copy) in enumerate(cascade(model, 3, 5)):
        after = explainer(copy, given, [0, 2]).on_input((SIDE, SIDE)).abs()
        for i in range(2):
            each = [spearmanr(before[i, t].flatten(), after[i, t].flatten()).statistic for t in range(2)]
            assert float(found[i, stage]) == pytest.approx(sum(each) / 2, abs=1e-6)


def test_cancelled_in_the_middle_the_model_is_as_it_was(model: SoftCAM) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random_state = torch.random.get_rng_state()
    seen: list[float] = []
    with pytest.raises(CancelledError):
        sanity_check(GradCAM(), model, images(1), 0, watch=Watch(seen.append, lambda: len(seen) > 3))
    assert 0 < max(seen) < 1
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_one_stage_is_no_cascade(model: SoftCAM) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        sanity_check(GradCAM(), model, images(1), 0, stages=1)
