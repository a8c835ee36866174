from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softcam_core.data.manifest import Manifest, read_manifest
from softcam_core.data.samples import Sample
from softcam_core.errors import ManifestError
from softcam_core.evaluation.cases import choose_samples, finding_of, present_in, read_cases, see
from softcam_core.imaging.preprocessing import Preprocessing

WHOLE = Preprocessing(shorter_side=24, mean=(0.0,) * 3, std=(1.0,) * 3)
CENTRE = WHOLE.model_copy(update={"crop": (16, 16)})


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    Image.fromarray(np.full((48, 48), 100, np.uint8)).save(path)
    return path


def write_mask(path: Path, rows: slice, columns: slice, size: tuple[int, int] = (48, 48)) -> Path:
    mask = np.zeros(size, np.uint8)
    mask[rows, columns] = 255
    Image.fromarray(mask).save(path)
    return path


def test_a_pixel_is_annotated_when_half_of_it_is_covered(image: Path) -> None:
    # Two pixels of the image are one of the model's: 10 to 15.5 of the image are 5 to 7.75 there.
    seen = see(Sample(image, 1, "test", 2, boxes=((10, 10, 5.5, 4.8),)), WHOLE)
    assert seen.annotation == "seen"
    rows, columns = seen.region.nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 6, 5, 7)


def test_an_annotation_that_covers_no_pixel_by_half_is_what_it_touches(image: Path) -> None:
    seen = see(Sample(image, 1, "test", 2, boxes=((10.2, 10.2, 0.5, 0.5),)), WHOLE)
    assert seen.region.nonzero().tolist() == [[5, 5]]


def test_a_mask_counts_before_boxes(image: Path, tmp_path: Path) -> None:
    mask = write_mask(tmp_path / "mask.png", slice(0, 8), slice(0, 48))
    seen = see(Sample(image, 1, "test", 2, boxes=((40, 40, 4, 4),), mask=mask), WHOLE)
    assert seen.region.float().mean(1).tolist() == [1.0] * 4 + [0.0] * 20


def test_annotations_outside_of_what_the_model_sees_are_told_from_none(image: Path, tmp_path: Path) -> None:
    # The centre crop is rows and columns 8 to 40 of the image.
    edge = write_mask(tmp_path / "edge.png", slice(0, 6), slice(0, 6))
    empty = write_mask(tmp_path / "empty.png", slice(0, 0), slice(0, 0))
    samples = {
        "outside": [Sample(image, 1, "test", 2, boxes=((0, 0, 5, 5),)), Sample(image, 1, "test", 2, mask=edge)],
        "none": [Sample(image, 1, "test", 2), Sample(image, 1, "test", 2, mask=empty)],
        "seen": [Sample(image, 1, "test", 2, boxes=((0, 0, 20, 20),))],
    }
    for annotation, some in samples.items():
        assert [see(sample, CENTRE).annotation for sample in some] == [annotation] * len(some)


def test_findings_are_those_of_the_label(image: Path) -> None:
    assert finding_of(2, None) == 2
    assert finding_of((0, 1, 0), None) == 1
    assert finding_of((0, 1, 1), None) is None
    assert finding_of((0, 0, 0), None) is None
    assert finding_of((0, 1, 1), 2) == 2
    assert finding_of(1, 2) is None
    assert present_in((0, 1, 1)) == (1, 2)


def test_the_same_images_are_drawn_for_the_same_seed(spots: Path) -> None:
    manifest = read_manifest(spots)
    first, again, other = (choose_samples(manifest, "test", 3, seed) for seed in (0, 0, 1))
    assert first == again
    assert len(first) == 3
    assert first != other
    assert [sample.row for sample in first] == sorted(sample.row for sample in first)
    assert choose_samples(manifest, None, 99, 0) == manifest.samples
    with pytest.raises(ManifestError, match=r"has no image in the split 'val'\. It has test"):
        choose_samples(manifest, "val", None, 0)


def test_what_is_blanked_with_is_the_mean_of_the_images(spots: Path) -> None:
    manifest = read_manifest(spots)
    other = Preprocessing(shorter_side=20, crop=(10, 16), mean=(0.1, 0.2, 0.3), std=(0.5,) * 3)
    cases = read_cases(manifest, manifest.samples, [WHOLE, other, WHOLE])
    assert set(cases.surveys) == {WHOLE, other}
    for preprocessing, survey in cases.surveys.items():
        inputs = torch.stack([see(case.sample, preprocessing).image for case in cases.chosen])
        assert survey.mean == pytest.approx(inputs.double().mean((0, 2, 3)).tolist())
        assert set(survey.sizes) == {tuple(inputs.shape[2:])}
    assert [case.number for case in cases.annotated(WHOLE)] == [1, 3, 5]


def test_images_of_a_patient_share_a_group_and_unknown_patients_none(image: Path) -> None:
    samples = [Sample(image, 0, "test", row, patient=patient) for row, patient in enumerate(("a", "", "a", "", "b"))]
    cases = read_cases(Manifest(image, ("x", "y"), tuple(samples)), samples, [WHOLE])
    groups = [case.group for case in cases.chosen]
    assert groups[0] == groups[2]
    assert len(set(groups)) == 4


@pytest.fixture
def damaged(image: Path, tmp_path: Path) -> Manifest:
    text = tmp_path / "text.png"
    text.write_text("no image")
    small = write_mask(tmp_path / "small.png", slice(0, 2), slice(0, 2), (40, 48))
    samples = (Sample(image, 0, "test", 2), Sample(text, 0, "test", 3), Sample(image, 0, "test", 4, mask=small))
    return Manifest(tmp_path / "table.csv", ("x", "y"), samples)


def test_files_that_cannot_be_used_are_listed_together(damaged: Manifest) -> None:
    with pytest.raises(ManifestError) as caught:
        read_cases(damaged, damaged.samples, [WHOLE])
    message = str(caught.value)
    assert "2 problems" in message
    assert "row 3: " in message
    assert "row 4: " in message
    assert "this mask has 40 x 48 pixels and its image 48 x 48" in message
    assert "--skip-bad" in message


def test_files_that_cannot_be_used_are_left_out_by_name(damaged: Manifest, tmp_path: Path) -> None:
    read: list[tuple[int, int]] = []
    cases = read_cases(damaged, damaged.samples, [WHOLE], skip_bad=True, on_read=lambda *n: read.append(n))
    assert [case.sample.row for case in cases.chosen] == [2]
    assert [name for name, _ in cases.left_out] == ["text.png", "image.png"]
    assert str(tmp_path) not in str(cases.left_out)
    assert read == [(3, 3)]
    with pytest.raises(ManifestError, match="cannot be read"):
        read_cases(damaged, damaged.samples[1:], [WHOLE], skip_bad=True)
