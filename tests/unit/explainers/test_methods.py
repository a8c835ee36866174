"""What holds for every method, whoever wrote it: one test each over the whole registry."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from softcam_core.errors import SettingsError
from softcam_core.explainers.base import Explainer
from softcam_core.explainers.methods import METHODS, make_explainer, parse_method
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import CancelledError, Watch
from softcam_core.models.black_box import BlackBox
from softcam_core.models.softcam import SoftCAM

SIDE = 64
every_method = pytest.mark.parametrize("method", METHODS)
every_method_that_runs_the_network = pytest.mark.parametrize(
    "method", [name for name, kind in METHODS.items() if kind.about.family != "floor"]
)


class BrokenError(Exception):
    pass


class Counter:
    """Counts what happens, and makes it fail at a given time."""

    def __init__(self, fails_at: int = 0) -> None:
        self.count, self.fails_at = 0, fails_at

    def tick(self, *_: object) -> None:
        self.count += 1
        if self.count == self.fails_at:
            raise BrokenError


class Tripwire(nn.Module):
    """A part of the network that counts forward and backward passes; copies of it count together."""

    def __init__(self, tick: Callable[..., None]) -> None:
        super().__init__()
        self.tick = lambda *arguments: tick(*arguments)  # functions are not copied

    def forward(self, x: Tensor) -> Tensor:
        self.tick()
        out = x.clone()
        if out.requires_grad:
            out.register_hook(self.tick)
        return out


def with_tripwires(model: SoftCAM, counter: Counter) -> SoftCAM:
    model.features.append(Tripwire(counter.tick))
    model.head = nn.Sequential(Tripwire(counter.tick), model.head)
    return model


def state_of(model: nn.Module, images: Tensor) -> tuple[dict[str, Tensor], list[Any]]:
    """Everything that an explanation must leave as it was: tensors, and the rest."""
    tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    tensors |= {f"{name}.grad": p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    tensors["images"] = images.detach().clone()
    rest = [
        [(p is not None and id(p), p.requires_grad, p._backward_hooks) for p in model.parameters()],
        (images.requires_grad, images.grad, torch.is_grad_enabled()),
    ]
    for part in model.modules():
        attributes = {name: list(value) for name, value in vars(part).items() if name.endswith("hooks")}
        rest.append((id(part), part.training, getattr(part, "inplace", None), sorted(vars(part)), attributes))
    return tensors, rest


def assert_same(before: tuple[dict[str, Tensor], list[Any]], after: tuple[dict[str, Tensor], list[Any]]) -> None:
    assert before[0].keys() == after[0].keys()
    for name, tensor in before[0].items():
        assert torch.equal(tensor, after[0][name]), name
    assert before[1] == after[1]


@pytest.fixture(scope="module")
def cheap(cheap_options) -> Callable[[str], Explainer]:
    return lambda method: make_explainer(method, **cheap_options.get(method, {}))


@pytest.fixture
def images(make_images) -> Tensor:
    return make_images(2, SIDE, SIDE).float()


def test_cheap_options_are_known_for_every_method(cheap_options) -> None:
    assert cheap_options.keys() >= METHODS.keys()


@every_method
def test_leaves_everything_as_it_was(method: str, cheap, mixed_network: SoftCAM, images: Tensor) -> None:
    before = state_of(mixed_network, images)
    cheap(method)(mixed_network, images)
    assert_same(before, state_of(mixed_network, images))


@every_method_that_runs_the_network
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_leaves_everything_as_it_was_after_an_exception(
    method: str, place: str, cheap, mixed_network: SoftCAM, images: Tensor
) -> None:
    counter = Counter()
    model = with_tripwires(mixed_network, counter)
    before = state_of(model, images)
    cheap(method)(model, images)
    assert counter.count
    counter.fails_at = {"first": 1, "middle": counter.count // 2 + 1, "last": counter.count}[place]
    counter.count = 0
    with pytest.raises(BrokenError):
        cheap(method)(model, images)
    assert_same(before, state_of(model, images))
    counter.fails_at = 0
    cheap(method)(model, images)


@every_method
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_leaves_everything_as_it_was_after_a_cancel(
    method: str, place: str, cheap, mixed_network: SoftCAM, images: Tensor
) -> None:
    questions = []

    def should_stop() -> bool:
        questions.append(1)
        return len(questions) == stop_at

    stop_at = 0
    before = state_of(mixed_network, images)
    expected = cheap(method)(mixed_network, images, watch=Watch(should_stop=should_stop)).values
    assert questions
    stop_at = {"first": 1, "middle": len(questions) // 2 + 1, "last": len(questions)}[place]
    questions.clear()
    with pytest.raises(CancelledError):
        cheap(method)(mixed_network, images, watch=Watch(should_stop=should_stop))
    assert_same(before, state_of(mixed_network, images))
    assert torch.equal(cheap(method)(mixed_network, images).values, expected)


@every_method
@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        ([3], "the model has no class 3"),
        ([Target(1, -1)], "the model has no class -1"),
        ([], "there are none"),
        ([[0], [1], [2]], "lists for 3 images, but 2 images"),
        ([[0, 1], [2]], "different numbers of targets"),
    ],
)
def test_refuses_targets_that_do_not_fit(
    method: str, targets: list, reason: str, cheap, mixed_network: SoftCAM, images: Tensor
) -> None:
    before = state_of(mixed_network, images)
    with pytest.raises(SettingsError, match=reason):
        cheap(method)(mixed_network, images, targets)
    assert_same(before, state_of(mixed_network, images))


@every_method
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_refuses_half_precision_where_anything_is_differentiated(
    method: str, dtype: torch.dtype, cheap, mixed_network: SoftCAM, images: Tensor
) -> None:
    model = mixed_network.to(dtype)
    before = state_of(model, images)
    if method == "evidence":
        assert cheap(method)(model, images).values.dtype == torch.float32
    else:
        with pytest.raises(SettingsError, match="half precision"):
            cheap(method)(model, images)
    assert_same(before, state_of(model, images))


@every_method
def test_gives_a_finite_map_for_each_image_and_target(method: str, cheap, mixed_network, images) -> None:
    targets = [Target(0), Target(2, 1), Target(1, "rest"), Target(1)]
    maps = cheap(method)(mixed_network, images, targets)
    assert maps.values.shape[:2] == (2, 4)
    assert torch.isfinite(maps.values).all()
    assert maps.values.dtype == torch.float32
    assert maps.values.any()
    assert not maps.values.requires_grad
    if maps.lattice is None:
        assert maps.values.shape[2:] == (SIDE, SIDE)
    assert maps.on_input((SIDE, SIDE)).shape == (2, 4, SIDE, SIDE)
    assert METHODS[method].about.signed or (maps.values[:, [0, 3]] >= 0).all()
    if maps.errors is not None:
        assert maps.errors.shape == (2, 4)
    exact = cheap(method)(mixed_network.double(), images.double(), targets).values
    assert exact.dtype == torch.float64
    close = (maps.values - exact).abs() <= 1e-3 * exact.abs().amax((2, 3), keepdim=True)
    assert close.double().mean() > 0.99  # a ReLU near zero may go either way


@every_method
def test_targets_do_not_touch_each_other(method: str, cheap, mixed_network, images) -> None:
    explainer, model = cheap(method), mixed_network.double()
    together = explainer(model, images).values
    for k in range(3):
        torch.testing.assert_close(explainer(model, images, k).values[:, 0], together[:, k])
    shuffled = explainer(model, images, [[2, 0], [0, 1]]).values
    torch.testing.assert_close(shuffled, torch.stack([together[0, [2, 0]], together[1, [0, 1]]]))


@every_method
def test_images_of_a_batch_do_not_touch_each_other(method: str, cheap, mixed_network, images) -> None:
    explainer, model = cheap(method), mixed_network.double()
    together = explainer(model, images).values
    for b in range(2):
        torch.testing.assert_close(explainer(model, images[[b]]).values[0], together[b])
    torch.testing.assert_close(explainer(model, images.flip(0)).values, together.flip(0))


@every_method
def test_gives_the_same_again(method: str, cheap, mixed_network, images) -> None:
    first = cheap(method)(mixed_network, images).values
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert torch.equal(cheap(method)(mixed_network, images).values, first)
    assert torch.equal(torch.get_rng_state(), before)


@every_method
@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_works_where_gradients_are_off(method: str, off, cheap, mixed_network, images) -> None:
    expected = cheap(method)(mixed_network, images).values
    with off():
        assert torch.equal(cheap(method)(mixed_network, images.clone()).values, expected)
    mixed_network.requires_grad_(False)
    assert torch.equal(cheap(method)(mixed_network, images).values, expected)


@every_method
def test_progress_rises_from_0_to_1(method: str, cheap, mixed_network, images) -> None:
    told: list[float] = []
    cheap(method)(mixed_network, images, watch=Watch(on_progress=told.append))
    assert told[0] == 0
    assert told[-1] == pytest.approx(1)
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(told))


@every_method
def test_explains_a_black_box(method: str, cheap, make_network, images) -> None:
    model = BlackBox.twin_of(make_network("compact"))
    if METHODS[method].about.needs_softcam:
        with pytest.raises(SettingsError, match="a black box has no evidence of its own"):
            cheap(method)(model, images, [1])
    else:
        maps = cheap(method)(model, images, [Target(1, 0)])
        assert torch.isfinite(maps.values).all()
        assert maps.values.shape[:2] == (2, 1)


@every_method
def test_says_what_it_is(method: str, cheap) -> None:
    about = METHODS[method].about
    assert about.name == method
    assert about.title
    assert about.reference
    assert about.valid.endswith(".")
    explainer = cheap(method)
    assert parse_method(str(explainer)) == explainer
    assert parse_method(method).options() == {}
    assert METHODS[method].__doc__


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("occlusion:patch=8,stride=4,fill=black", {"patch": 8, "stride": 4, "fill": "black"}),
        (" rise : keep = 0.25 , seed = 3 ", {"keep": 0.25, "seed": 3}),
        ("smoothgrad:noise=1,absolute=yes", {"noise": 1, "absolute": True}),
        ("ig:steps=32,", {}),
    ],
)
def test_methods_are_read_with_their_options(text: str, options: dict[str, Any]) -> None:
    explainer = parse_method(text)
    assert explainer.options() == options
    assert explainer == make_explainer(explainer.about.name, **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("occlussion", r"occlussion: is not a method\. Did you mean occlusion"),
        ("tea-leaves", r"tea-leaves: is not a method\. There are evidence, gradcam"),
        ("occlusion:size=8", r"occlusion:size: is not an option of this method\. It has patch, stride, fill\."),
        ("edges:seed=1", r"edges:seed: is not an option of this method\. It has none\."),
        ("occlusion:patch=big", r"occlusion:patch: 'big' does not fit\. Give a whole number\."),
        ("occlusion:patch=8.5", r"occlusion:patch: '8\.5' does not fit\. Give a whole number\."),
        ("smoothgrad:noise=much", r"smoothgrad:noise: 'much' does not fit\. Give a number\."),
        ("smoothgrad:absolute=maybe", r"smoothgrad:absolute: 'maybe' does not fit\. Give true or false\."),
        ("occlusion:patch", r"occlusion:patch: 'patch' sets nothing\. Write NAME:OPTION=VALUE"),
        ("occlusion:patch=0", r"occlusion:patch: 0 is too small\. The least is 1\."),
        ("occlusion:fill=pink", r"occlusion:fill: 'pink' is unknown\. There are black, mean\."),
        ("ig:steps=0", r"ig:steps: 0 is too small"),
        ("smoothgrad:noise=inf", r"smoothgrad:noise: inf is no finite number"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_option_and_what_to_do(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_method(text)
