from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from softcam_core.errors import ImageReadError
from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.explainers.explanation import Explanation
from softcam_core.explainers.targets import Target
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.models.card import ModelCard
from softcam_core.models.receptive_field import ReceptiveField
from softcam_viewer.model import backend
from softcam_viewer.model.session import Session

FIELD = ReceptiveField((4, 4), (30, 30), (2, 2))


class HandLane:
    """A lane whose work is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable, Callable, Callable]] = []

    def submit(self, work, done, failed) -> None:
        self.waiting.append((work, done, failed))

    def clear(self) -> None:
        self.waiting.clear()

    def run_all(self) -> None:
        while self.waiting:
            work, done, failed = self.waiting.pop(0)
            try:
                result = work()
            except ImageReadError as error:
                failed(str(error))
            else:
                done(result)


class Network:
    def __init__(self, names) -> None:
        self.card = ModelCard(name="Test", architecture="compact", class_names=names)


def film(path: Path, frame: int) -> MedicalImage:
    if "bad" in path.name:
        raise ImageReadError(path, "is damaged", "Copy it again.")
    pixels = np.zeros((10, 12), np.uint8)
    return MedicalImage(
        path, pixels, pixels.astype(np.float32), pixels.astype(np.float32), Window.from_limits(0, 255),
        frame=frame, frame_count=3 if "multi" in path.name else 1,
    )  # fmt: skip


def explained(model: backend.LoadedModel, image: MedicalImage) -> Explanation:
    names = model.network.card.class_names
    grid = np.arange(len(names) * 4, dtype=np.float32).reshape(len(names), 2, 2)
    logits = grid.mean((1, 2))
    share = logits / logits.sum()
    return Explanation(
        about=SoftCAMEvidence.about,
        method="evidence",
        targets=tuple(Target(k) for k in range(len(grid))),
        scale="mean",
        unit="logit",
        card=model.network.card,
        logits=logits,
        probabilities=share,
        grid=grid,
        geometry=Geometry.plan(image.size, None),
        seconds=0.0,
        device="cpu",
    )


@pytest.fixture
def lanes() -> list[HandLane]:
    return [HandLane(), HandLane(), HandLane()]


@pytest.fixture
def session(monkeypatch, lanes, qapp) -> Session:
    monkeypatch.setattr(backend, "find_paths", lambda paths: paths)
    monkeypatch.setattr(backend, "read", film)
    monkeypatch.setattr(backend, "explain", explained)
    monkeypatch.setattr(
        backend,
        "load",
        lambda path, device: backend.LoadedModel(path, Network(tuple(path.stem.split("-"))), device, FIELD),
    )
    return Session(*lanes, device="cpu")


def settle(lanes) -> None:
    while any(lane.waiting for lane in lanes):
        for lane in lanes:
            lane.run_all()


def test_the_evidence_of_a_case_left_behind_is_not_shown_for_the_next(session, lanes):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one"), Path("two")])
    settle(lanes)
    first = session.image
    session.select(1)
    settle(lanes)
    shown = session.explanation
    session._on_explained(first, session.model, explained(session.model, first))
    assert session.image.source == Path("two")
    assert session.explanation is shown


def test_an_image_that_arrives_late_does_not_replace_the_case_chosen_since(session, lanes):
    session.open_paths([Path("one"), Path("two")])
    settle(lanes)
    session._on_image_read(1, film(Path("two"), 0))
    assert session.image.source == Path("one")


def test_a_failed_read_says_so_and_shows_no_film(session, lanes):
    messages = []
    session.failed.connect(messages.append)
    session.open_paths([Path("one"), Path("bad")])
    settle(lanes)
    session.step(1)
    settle(lanes)
    assert session.image is None
    assert session.window is None
    assert len(messages) == 1
    assert "bad" in messages[0]
    assert session.cases[1].error
    assert session.busy == ""


def test_the_wheel_goes_through_frames_before_it_goes_to_the_next_case(session, lanes):
    session.open_paths([Path("multi"), Path("one")])
    settle(lanes)
    seen = []
    for _ in range(4):
        seen.append((session.row, session.image.frame))
        session.step_frame(1)
        settle(lanes)
    assert seen == [(0, 0), (0, 1), (0, 2), (1, 0)]
    session.step_frame(-1)
    settle(lanes)
    assert (session.row, session.image.frame) == (0, 0)


def test_stepping_keeps_the_class_shown_and_another_model_resets_it(session, lanes):
    session.open_model(Path("a-b-c"))
    session.open_paths([Path("one"), Path("two")])
    settle(lanes)
    assert session.overlay.target == 2  # predicted
    session.set_overlay(target=0, threshold=0.7)
    session.step(1)
    settle(lanes)
    assert session.overlay.target == 0
    session.open_model(Path("x-y"))
    settle(lanes)
    assert (session.overlay.target, session.overlay.against) == (1, 0)
    assert session.overlay.threshold == 0.7


def test_next_class_goes_round_and_swaps_two_exclusive_classes(session, lanes):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one")])
    settle(lanes)
    session.next_class()
    assert (session.overlay.target, session.overlay.against) == (0, 1)
    session.next_class()
    assert (session.overlay.target, session.overlay.against) == (1, 0)


def test_only_a_change_of_class_makes_a_new_map(session, lanes):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one")])
    settle(lanes)
    made = session.overlay_map
    session.set_overlay(threshold=0.5, opacity=0.1, sign="positive")
    assert session.overlay_map is made
    session.set_overlay(against=None)
    assert session.overlay_map is not made


def test_a_setting_that_does_not_change_is_not_announced(session, lanes):
    announced = []
    session.overlay_changed.connect(lambda: announced.append(1))
    session.set_overlay(threshold=session.overlay.threshold)
    assert announced == []


def test_predictions_of_an_earlier_model_are_forgotten(session, lanes, monkeypatch):
    preview = backend.Preview(np.zeros((4, 4), np.uint8), 1, ("a", 0.9))
    monkeypatch.setattr(backend, "preview", lambda path, model: preview)
    session.open_model(Path("a-b"))
    session.open_paths([Path("one"), Path("two")])
    settle(lanes)
    session.cases.data(session.cases.index(1), session.cases.CASE_ROLE)
    settle(lanes)
    assert session.cases[1].prediction == ("a", 0.9)
    session.open_model(Path("x-y"))
    lanes[1].run_all()
    assert session.cases[1].prediction is None


def test_a_late_prediction_is_not_written_beside_another_case(session, lanes):
    session.open_model(Path("a-b"))
    session.open_paths([Path("one"), Path("bad")])
    settle(lanes)
    first, known = session.image, session.cases[0].prediction
    session.select(1)  # its image is not read yet, the film of the first is still in view
    session._on_explained(first, session.model, explained(session.model, first))
    assert session.cases[1].prediction is None
    assert session.cases[0].prediction == known
    settle(lanes)
    assert session.cases[1].prediction is None


def test_the_user_sees_that_a_case_is_awaited_until_it_is_there(session, lanes):
    session.open_paths([Path("one"), Path("two")])
    settle(lanes)
    session.select(1)
    assert session.busy == "Reading the image…"
    lanes[0].run_all()
    assert session.busy == ""
