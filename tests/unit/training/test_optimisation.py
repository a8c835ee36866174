import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM
from softcam_core.training.config import OptimisationConfig
from softcam_core.training.optimisation import (
    Plateau,
    freeze,
    frozen_stages,
    learning_rate_factor,
    make_optimizer,
    set_learning_rate,
    stages,
)


def config(**fields) -> OptimisationConfig:
    return OptimisationConfig(**({"lr": 1e-3, "epochs": 50, "lr_min": 0.0} | fields))


def test_cosine_agrees_with_torch() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    for epoch in range(50):
        assert 1e-3 * learning_rate_factor(config(), epoch) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        schedule.step()


def test_quirk_cosine_is_clipped_and_does_not_approach_its_least() -> None:
    """The paper's schedule: the plain cosine as long as it is above the least rate."""
    paper = config(lr_min=1e-4, schedule_interval="epoch")
    rates = [1e-3 * learning_rate_factor(paper, epoch) for epoch in range(50)]
    expected = [max(1e-4, 1e-3 * (1 + math.cos(math.pi * epoch / 50)) / 2) for epoch in range(50)]
    assert rates == pytest.approx(expected)
    assert rates[30] < 1e-4 + (1e-3 - 1e-4) * (1 + math.cos(math.pi * 30 / 50)) / 2
    assert sum(rate == pytest.approx(1e-4) for rate in rates) == 10


def test_a_rate_by_the_epoch_stays_within_it() -> None:
    by_epoch = config(schedule_interval="epoch")
    assert learning_rate_factor(by_epoch, 7.9) == learning_rate_factor(by_epoch, 7)
    assert learning_rate_factor(config(), 7.9) < learning_rate_factor(config(), 7)


@pytest.mark.parametrize(
    ("schedule", "progress", "expected"),
    [("constant", 30, 1), ("step", 9.9, 1), ("step", 10, 0.1), ("step", 25, 0.01), ("exponential", 2, 0.01)],
)
def test_other_schedules(schedule: str, progress: float, expected: float) -> None:
    assert learning_rate_factor(config(schedule=schedule), progress) == pytest.approx(expected)


@given(
    schedule=st.sampled_from(["cosine", "constant", "step", "plateau", "exponential"]),
    interval=st.sampled_from(["step", "epoch"]),
    warmup=st.sampled_from([0.0, 0.3, 2.0]),
    progress=st.floats(0, 50),
    least=st.sampled_from([None, 0.0, 1e-4]),
)
def test_a_rate_lies_between_its_least_and_its_height(schedule, interval, warmup, progress, least) -> None:
    fields = config(schedule=schedule, schedule_interval=interval, lr_warmup=warmup, lr_min=least)
    factor = learning_rate_factor(fields, progress)
    assert 0 <= factor <= 1
    if progress >= warmup:
        assert factor >= fields.least_lr / fields.lr * (1 - 1e-12)


def test_warmup_rises_in_a_straight_line() -> None:
    warm = config(schedule="constant", lr_warmup=2)
    assert [learning_rate_factor(warm, t) for t in (0.5, 1, 1.5, 2)] == [0.25, 0.5, 0.75, 1]
    assert 0 < learning_rate_factor(warm, 0) <= 0.01


def test_plateau_lets_the_rate_fall_after_epochs_without_improvement() -> None:
    plateau, fields = Plateau(), config(schedule="plateau", lr_patience=1)
    factors = []
    for improved in (True, False, False, False, True, False, False):
        plateau.after(improved, fields)
        factors.append(learning_rate_factor(fields, 3, plateau.factor))
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.1, 0.1, 0.01])


@pytest.fixture(scope="module")
def resnet() -> SoftCAM:
    return SoftCAM.from_card(ModelCard(name="r", architecture="resnet18", class_names=("a", "b")))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_features_and_head_have_their_rates(resnet: SoftCAM, name: str) -> None:
    optimizer = make_optimizer(config(optimizer=name, head_lr=1e-2), resnet)
    set_learning_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [5e-4, 5e-3]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [5e-4, 5e-4]
    numbers = [sum(p.numel() for p in group["params"]) for group in optimizer.param_groups]
    assert numbers == [sum(p.numel() for p in part.parameters()) for part in (resnet.features, resnet.head)]


def test_sgd_is_nesterovs(resnet: SoftCAM) -> None:
    group = make_optimizer(config(optimizer="sgd"), resnet).param_groups[0]
    assert group["nesterov"]
    assert group["momentum"] == 0.9


def test_stages_are_unfrozen_from_the_last_to_the_first(resnet: SoftCAM) -> None:
    fields = config(freeze_epochs=2, unfreeze_every=3)
    names = {id(module): name for name, module in resnet.features.named_children()}
    still = [[names[id(m)] for m in frozen_stages(fields, resnet, epoch)] for epoch in (0, 1, 2, 5, 20)]
    everything = ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"]
    assert still == [everything, everything, everything[:-1], everything[:-2], []]
    assert [len(frozen_stages(config(freeze_epochs=2), resnet, epoch)) for epoch in (1, 2)] == [6, 0]
    assert frozen_stages(config(), resnet, 0) == []


def test_a_part_that_is_not_trained_stays_frozen(resnet: SoftCAM) -> None:
    counts = {part: len(frozen_stages(config(part=part), resnet, 9)) for part in ("all", "last", "head")}
    assert counts == {"all": 0, "last": 5, "head": 6}
    assert len(frozen_stages(config(part="last", freeze_epochs=2, unfreeze_every=1), resnet, 9)) == 5


def test_frozen_parts_neither_learn_nor_measure(resnet: SoftCAM) -> None:
    freeze(resnet, stages(resnet)[:4])
    statistics = resnet.features.layer1[0].bn1.running_mean.clone()
    resnet(torch.randn(2, 3, 64, 64)).logits.sum().backward()
    assert torch.equal(resnet.features.layer1[0].bn1.running_mean, statistics)
    assert all(p.grad is None for p in resnet.features.layer2.parameters())
    assert all(p.grad is not None for p in resnet.features.layer4.parameters())
    freeze(resnet, [])
    assert all(p.requires_grad for p in resnet.parameters())
    assert all(module.training for module in resnet.modules())


@pytest.mark.parametrize("architecture", ["compact", "squeezenet1_1", "densenet121", "efficientnet_b0", "vgg11"])
def test_stages_hold_all_features(architecture: str) -> None:
    model = SoftCAM.from_card(ModelCard(name="m", architecture=architecture, class_names=("a", "b")))
    parts = stages(model)
    assert len(parts) > 2
    assert sum(p.numel() for part in parts for p in part.parameters()) == sum(
        p.numel() for p in model.features.parameters()
    )
