from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit
from softcam_core.annotations.identity import case_key
from softcam_core.annotations.shapes import Polygon, Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_core.data.samples import Sample
from softcam_core.errors import AnnotationError
from softcam_core.imaging.geometry import Geometry
from softcam_core.training.config import FeedbackConfig
from softcam_core.training.flags import Flags, load_said, match, read_said, write_said

CLASSES = ("plain", "spot")
BOX = Rectangle(top=2, left=4, height=6, width=8)


@pytest.fixture
def images(tmp_path: Path) -> list[Sample]:
    samples = []
    for number in range(4):
        path = tmp_path / f"image{number}.png"
        Image.fromarray(np.full((24, 32), 10 * number, np.uint8)).save(path)
        samples.append(Sample(path, number % 2, "train", number + 2))
    return samples


@pytest.fixture
def store(images: list[Sample], tmp_path: Path) -> Callable[..., Path]:
    """Write a store; each argument is the number of an image and what is said about it."""

    def write(*said: tuple[int, dict]) -> Path:
        path = tmp_path / "store.sqlite"
        with AnnotationStore(path) as made:
            for number, fields in said:
                key = case_key(images[number].path)
                made.register(CaseRecord(key=key, height=24, width=32, path=str(images[number].path)))
                note = Annotation(**{"case": key, "verdict": "wrong", "class_name": "spot", "shape": BOX, **fields})
                made.apply(Edit(title="flag", changes=(Change(before=None, after=note),)))
        return path

    return write


def found(path: Path, samples: list[Sample], **config) -> Flags:
    return match(read_said(FeedbackConfig(store=path, **config)), samples, CLASSES, path)


def test_flags_find_their_images_wherever_these_have_been_moved(
    images: list[Sample], store: Callable[..., Path], tmp_path: Path
) -> None:
    path = store((1, {"against": "plain"}), (3, {"verdict": "missed", "confidence": 0.5}), (3, {"verdict": "unsure"}))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = [Sample(s.path.rename(elsewhere / f"other{s.row}.png"), s.label, s.split, s.row) for s in images]
    flags = found(path, moved)
    assert flags.indexes(moved) == [1, 3]
    (first,), (second,) = flags.of(moved[1]), flags.of(moved[3])
    assert (first.verdict, first.target, first.against, first.shape) == ("wrong", 1, 0, BOX)
    assert (second.verdict, second.against, second.confidence) == ("missed", None, 0.5)
    assert flags.counts(moved) == {"wrong": 1, "correct": 0, "missed": 1}


def test_what_cannot_be_used_is_told(images: list[Sample], store: Callable[..., Path]) -> None:
    path = store((0, {}), (1, {"class_name": "tumour"}), (2, {"frame": 3}), (3, {}))
    flags = found(path, images[:3])
    assert flags.indexes(images) == [0]
    told = " ".join(flags.notes)
    for words in ("tumour (1)", "1 flags of frames after the first", "1 images that are not among the data"):
        assert words in told


@pytest.mark.parametrize(
    ("said", "config", "words"),
    [
        ((0, {"verdict": "unsure"}), {}, "holds no evidence flagged"),
        ((0, {"reviewer": "A"}), {"reviewers": ("B",)}, "missed by B"),
        ((0, {"class_name": "tumour"}), {}, "none of its annotations is of an image and a class of the data"),
    ],
)
def test_nothing_to_learn_from_is_refused(images, store, said, config, words) -> None:
    with pytest.raises(AnnotationError, match=words):
        found(store(said), images, **config)


def test_a_store_that_is_not_there_is_refused(images: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="there is no such store"):
        found(tmp_path / "none.sqlite", images)


def test_what_was_said_is_kept_with_the_run_and_without_who_said_it(
    images: list[Sample], store: Callable[..., Path], tmp_path: Path
) -> None:
    polygon = Polygon(points=((1.5, 2), (9, 3.25), (4, 20)))
    said = read_said(FeedbackConfig(store=store((2, {"shape": polygon, "reviewer": "Dr A", "comment": "why"}))))
    write_said(said, tmp_path / "flags.json")
    assert load_said(tmp_path / "flags.json") == said
    text = (tmp_path / "flags.json").read_text()
    assert "Dr A" not in text
    assert "why" not in text
    (tmp_path / "flags.json").write_text(text[:-20])
    with pytest.raises(AnnotationError, match="is damaged"):
        load_said(tmp_path / "flags.json")


def test_places_lie_on_what_is_cut_out_and_resized(images: list[Sample], store: Callable[..., Path]) -> None:
    flags = found(store((0, {}), (0, {"shape": BOX.moved(10, 12)})), images)
    geometry = Geometry.plan((24, 32), 12, field=(4, 0, 24, 32))
    places = flags(images[0], geometry)
    assert places.shape == (2, *geometry.resized)
    down, across = geometry.scale
    # The first reaches 4 pixels into what is cut out.
    assert places[0].sum() == pytest.approx(4 * 8 * down * across, rel=1e-5)
    assert places[1].sum() == pytest.approx(6 * 8 * down * across, rel=1e-5)
    rows, columns = np.nonzero(places[1] > 0.99)
    assert (rows.min(), columns.min()) == (int(np.ceil(8 * down)), int(np.ceil(16 * across)))
