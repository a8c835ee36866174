"""A session whose background work is done when the test says so, on images and models that are made up."""

import hashlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from softcam_core.annotations import identity
from softcam_core.errors import BorderError, ImageReadError, SettingsError
from softcam_core.explainers.base import About
from softcam_core.explainers.explanation import Explanation
from softcam_core.explainers.targets import Target
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.image import ImageHeader, MedicalImage, Window
from softcam_core.models.card import ModelCard
from softcam_core.models.receptive_field import ReceptiveField
from softcam_viewer.jobs.lanes import Lanes
from softcam_viewer.model import backend, session
from softcam_viewer.model.answers import Answer
from softcam_viewer.model.desk import Desk
from softcam_viewer.model.loaded_model import LoadedModel
from softcam_viewer.model.methods import Method, Option
from softcam_viewer.model.overlay import make_overlay_map
from softcam_viewer.model.session import Session
from softcam_viewer.model.user_folders import UserFolders

METHODS = (
    Method("evidence", "SoftCAM evidence", "evidence", "forward", "Paper, eq. 1", "Always."),
    Method("cam", "CAM", "cam", "backward", "Paper, eq. 2", "Often.", (Option("layer", "", "where", None, ()),)),
    Method("cam2", "CAM 2", "cam", "backward", "Paper, eq. 3", "Often."),
    Method("lrp", "LRP", "propagation", "backward", "Paper, eq. 4", "Seldom."),
    Method("rise", "RISE", "perturbation", "thousands", "Paper, eq. 5", "Slowly."),
    Method("random", "Random", "floor", "forward", "None", "Never."),
)
LEVELS = ("one", "half", "three")


class HandLane:
    """A lane whose work is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable, Callable, Callable]] = []

    def submit(self, work, done, failed) -> None:
        self.waiting.append((work, done, failed))

    def clear(self) -> None:
        self.waiting.clear()

    def run_next(self) -> None:
        work, done, failed = self.waiting.pop(0)
        try:
            result = work()
        except BorderError as error:
            failed(str(error))
        else:
            done(result)

    def run_all(self) -> None:
        while self.waiting:
            self.run_next()


class Network:
    """What a method runs on; counts its runs."""

    def __init__(self, names) -> None:
        self.card = ModelCard(name=" ".join(names), architecture="compact", class_names=names)
        self.asked: list[tuple[str, object]] = []


def film(path: Path, frame: int) -> backend.OpenedImage:
    if "bad" in path.name:
        raise ImageReadError(path, "is damaged", "Copy it again.")
    pixels = np.zeros((10, 12), np.uint8)
    image = MedicalImage(
        path, pixels, pixels.astype(np.float32), pixels.astype(np.float32), Window.from_limits(0, 255),
        frame=frame, frame_count=3 if "multi" in path.name else 1,
    )  # fmt: skip
    return backend.OpenedImage(image, (path, frame))


def key_of(path: Path, uid: str = "") -> str:
    return f"file-{hashlib.sha256(path.name.encode()).hexdigest()[:40]}"


def model_of(path: Path, refusals: dict[str, str] | None = None) -> LoadedModel:
    network = Network(tuple(path.stem.split("-")))
    field = ReceptiveField((4, 4), (30, 30), (2, 2))
    return LoadedModel(path, path.stem, network, "cpu", field, network, network, "black-box twin", refusals or {})


def about(name: str, *, signed: bool = True) -> About:
    method = next(m for m in METHODS if m.name == name)
    return About(name, method.title, method.reference, method.family, method.cost, signed, method.valid)


def explained(
    network: Network, image: MedicalImage, method="evidence", aim=None, views=(), on_progress=None, should_stop=None
) -> Answer | None:
    """Evidence that grows with the class; other methods give one map, RISE in four passes, LRP is refused."""
    name = method.partition(":")[0]
    network.asked.append((method, aim))
    if name == "lrp":
        raise SettingsError("compact", "LRP cannot explain it: no rule for a layer", "Choose another method.")
    for number in range(4 if name == "rise" else 0):
        if should_stop and should_stop():
            return None
        on_progress(number / 4)
    count = len(network.card.class_names)
    classes = np.arange(count * 4, dtype=np.float32).reshape(count, 2, 2)
    logits = classes.mean((1, 2))
    is_evidence = name == "evidence"
    aim = aim or (count - 1, None)
    explanation = Explanation(
        about=about(name),
        method=method,
        targets=tuple(Target(k) for k in range(count)) if is_evidence else (Target(*aim),),
        scale="mean" if is_evidence else "relative",
        unit="logit" if is_evidence else "",
        card=network.card,
        logits=logits,
        probabilities=logits / logits.sum(),
        grid=classes if is_evidence else classes[aim[0]][None],
        geometry=Geometry.plan(image.size, None),
        seconds=0.5,
        device="cpu",
        warnings=("",) * (count if is_evidence else 1),
    )
    shown = {view or explanation.default_view() for view in views} if is_evidence else {aim}
    return Answer(explanation, {view: make_overlay_map(explanation, *view) for view in shown})


@pytest.fixture
def lanes() -> Lanes:
    return Lanes(*(HandLane() for _ in Lanes._fields))


@pytest.fixture
def session_of_tests(monkeypatch, lanes, qapp) -> Iterator[Session]:
    monkeypatch.setattr(backend, "find_paths", lambda paths: paths)
    monkeypatch.setattr(identity, "case_key", key_of)
    monkeypatch.setattr(backend, "read", film)
    monkeypatch.setattr(backend, "key_of", lambda path, frame: backend.read(path, frame).key)
    monkeypatch.setattr(backend, "read_headers", lambda paths: dict.fromkeys(paths, ImageHeader()))
    monkeypatch.setattr(session, "read_labels", lambda opened, images: ({}, ()))
    monkeypatch.setattr(backend, "explain", explained)
    monkeypatch.setattr(backend, "load", lambda path, device: model_of(path))
    monkeypatch.setattr(backend, "load_to_compare", lambda path, like, device: model_of(path, {"evidence": "a box"}))
    monkeypatch.setattr(session, "list_methods", lambda: METHODS)
    made = Session(lanes, device="cpu")
    yield made
    made.stop()
    made.annotating.book.close()
    made.deleteLater()


@pytest.fixture
def settle(lanes) -> Callable[[], None]:
    """Do all the work that waits."""

    def run() -> None:
        while any(lane.waiting for lane in lanes):
            for lane in lanes:
                lane.run_all()

    return run


@pytest.fixture
def opened(session_of_tests, settle) -> Session:
    """Three classes, two cases, the first in view."""
    session_of_tests.open_model(Path("a-b-c"))
    session_of_tests.open_paths([Path("one"), Path("two")])
    settle()
    return session_of_tests


# Sessions on their desk


class Bench:
    """A session on its desk, whose background work is done when the test says so."""

    def __init__(self, session: Session, lanes: Lanes, files: HandLane, disk: Path) -> None:
        self.lanes, self.files, self.disk = lanes, files, disk
        self.session = session
        self.desk = Desk(session, lanes, files, UserFolders(disk / "config", disk / "data"))
        self.messages: list[str] = []
        self.desk.failed.connect(self.messages.append)

    @property
    def all_lanes(self) -> list[HandLane]:
        return [*self.lanes, self.files]

    def settle(self, shuffle: random.Random | None = None) -> None:
        while any(lane.waiting for lane in self.all_lanes):
            waiting = [lane for lane in self.all_lanes if lane.waiting]
            (shuffle.choice(waiting) if shuffle else waiting[0]).run_next()

    def save(self) -> None:
        """What the timer does a second later."""
        self.desk.keeping._timer.stop()
        self.desk.keeping._on_time()
        self.settle()

    def save_as(self, path: Path) -> None:
        self.desk.keeping.save_as(path)
        self.settle()

    def open(self, path: Path, shuffle: random.Random | None = None) -> None:
        self.desk.open_session(path)
        self.settle(shuffle)

    def work(self) -> None:
        """Open all, and change everything there is to change."""
        desk, session, disk = self.desk, self.session, self.disk
        desk.open_model(disk / "a-b-c")
        desk.open_images([disk / name for name in ("one.png", "two.png", "multi.png")])
        self.settle()
        desk.add_model(disk / "b-c-d")
        self.settle()
        session.select(1)
        self.settle()
        panes = session.panes
        panes.set_layout("1x2")
        first, second = panes.shown
        first.set_model(session.models[0])
        first.set_overlay(target=0, against="rest", threshold=0.4, opacity=0.3, visible=False)
        second.set_method("cam")
        second.set_model(session.models[1])
        self.settle()
        second.set_overlay(target=1, against=None, sign="positive")
        panes.toggle_pinned(second)
        second.film.set_window(Window(7.0, 3.0))
        session.select(2, 1)
        self.settle()
        session.film.set_window(Window(12.0, 34.0))
        session.film.toggle_inverted()
        panes.share_scale(on=True)
        panes.link_views(on=False)
        panes.activate(1)
        panes.maximise(on=True)
        session.cases.set_reviewed([disk / "one.png"])
        session.worklist.sort_by("name", is_turned=True)
        session.worklist.filter_by("not reviewed")
        self.settle()
        session.weighing.add_shape([(1, 1), (1, 7.25), (6, 6)])

    def state(self) -> dict[str, object]:
        session, panes, worklist = self.session, self.session.panes, self.session.worklist
        return {
            "case": (session.cases[session.row].path.name, session.film.image.frame),
            "window": (session.film.window, session.film.inverted),
            "layout": (panes.layout, panes.active_index, panes.is_maximised),
            "together": (panes.shares_scale, panes.links_views),
            "models": [model.path.name for model in session.models],
            "reviewed": [path.name for path in session.cases.reviewed_paths],
            "worklist": (worklist.sorted_by, worklist.is_turned, worklist.filter_text),
            "left out": (session.weighing.seeds, session.weighing.shapes),
            "panes": [
                (pane.method, pane.model.path.name, pane.overlay, panes.is_pinned(pane), pane.film.image.source.name,
                 pane.film.window, pane.explanation.targets[0].of)
                for pane in panes.shown
            ],
        }  # fmt: skip


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Three images and three models that are there."""
    for name in ("one.png", "two.png", "multi.png", "a-b-c", "x-y", "b-c-d"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


@pytest.fixture
def make_bench(session_of_tests, disk: Path) -> Iterator[Callable[[], Bench]]:
    """Makes benches; each begins anew, on the same files."""

    made = []

    def make() -> Bench:
        lanes = Lanes(*(HandLane() for _ in Lanes._fields))
        bench = Bench(Session(lanes, device="cpu"), lanes, HandLane(), disk)
        made.append(bench)
        bench.settle()
        return bench

    yield make
    for bench in made:
        bench.session.stop()
        bench.session.annotating.book.close()
