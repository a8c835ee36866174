from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from softcam_core.explainers.untouched import untouched
from softcam_core.models.softcam import SoftCAM


class BrokenError(Exception):
    pass


def do_nothing(*_: object) -> None:
    """A hook."""


HOOKS: dict[str, Callable[[nn.Module], object]] = {
    "forward": lambda part: part.register_forward_hook(do_nothing),
    "forward, with arguments": lambda part: part.register_forward_hook(do_nothing, with_kwargs=True),
    "forward, always": lambda part: part.register_forward_hook(do_nothing, always_call=True),
    "before forward": lambda part: part.register_forward_pre_hook(do_nothing),
    "before forward, with arguments": lambda part: part.register_forward_pre_hook(do_nothing, with_kwargs=True),
    "backward": lambda part: part.register_full_backward_hook(do_nothing),
    "before backward": lambda part: part.register_full_backward_pre_hook(do_nothing),
}


def hooks_of(model: nn.Module) -> list[list[object]]:
    return [
        [item for item in vars(part).items() if item[0].endswith("hooks") or item[0].endswith("kwargs")]
        for part in model.modules()
    ]


@pytest.mark.parametrize("how", HOOKS)
@pytest.mark.parametrize("breaks", [False, True])
def test_hooks_that_are_added_within_are_gone(how: str, breaks: bool, mixed_network: SoftCAM) -> None:
    for register in HOOKS.values():
        register(mixed_network.features.block)
    before = str(hooks_of(mixed_network))
    try:
        with untouched(mixed_network):
            for part in mixed_network.modules():
                HOOKS[how](part)
            assert str(hooks_of(mixed_network)) != before
            if breaks:
                raise BrokenError
    except BrokenError:
        assert breaks
    assert str(hooks_of(mixed_network)) == before


def test_hooks_that_were_there_run_within(mixed_network: SoftCAM, make_images) -> None:
    calls: list[int] = []
    mixed_network.head.register_forward_hook(lambda *_: calls.append(1))
    with untouched(mixed_network):
        mixed_network(make_images().float())
    assert calls == [1]


@pytest.mark.parametrize("breaks", [False, True])
def test_modes_gradients_and_activations_in_place_come_back(breaks: bool, mixed_network: SoftCAM) -> None:
    def state() -> list[object]:
        return [
            [(part.training, getattr(part, "inplace", None)) for part in mixed_network.modules()],
            [(p.requires_grad, p.grad) for p in mixed_network.parameters()],
            torch.is_grad_enabled(),
        ]

    before = state()
    assert len(set(before[0])) > 2  # a mixed one, or this test would prove little
    try:
        with untouched(mixed_network):
            assert not any(part.training for part in mixed_network.modules())
            assert not any(getattr(part, "inplace", False) for part in mixed_network.modules())
            assert not any(parameter.requires_grad for parameter in mixed_network.parameters())
            if breaks:
                raise BrokenError
    except BrokenError:
        assert breaks
    assert state() == before


def test_activations_may_stay_in_place(mixed_network: SoftCAM) -> None:
    with untouched(mixed_network, in_place=True):
        assert mixed_network.features.block.relu.inplace
    assert mixed_network.features.block.relu.inplace


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_images_can_be_differentiated_where_gradients_are_off(off, mixed_network: SoftCAM, make_images) -> None:
    given: Tensor = make_images().float()
    with off():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        with untouched(mixed_network):
            images = given.clone().requires_grad_()
            mixed_network.logits(images).sum().backward()
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
    assert images.grad is not None
    assert images.grad.any()
    gradients = [parameter.grad for parameter in mixed_network.parameters() if parameter.grad is not None]
    assert [gradient.tolist() for gradient in gradients] == [[1, 1, 1]]  # what was there before


def test_may_be_nested(mixed_network: SoftCAM) -> None:
    modes = [part.training for part in mixed_network.modules()]
    needed = [parameter.requires_grad for parameter in mixed_network.parameters()]
    with untouched(mixed_network):
        with untouched(mixed_network):
            pass
        assert not any(parameter.requires_grad for parameter in mixed_network.parameters())
        assert not mixed_network.features.block.relu.inplace
    assert [part.training for part in mixed_network.modules()] == modes
    assert [parameter.requires_grad for parameter in mixed_network.parameters()] == needed
    assert mixed_network.features.block.relu.inplace
