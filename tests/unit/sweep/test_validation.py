from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softcam_core.data.manifest import Manifest, Sample, read_manifest
from softcam_core.errors import ImageReadError
from softcam_core.evaluation.localization import pointing_game, relevance_mass
from softcam_core.evaluation.sparsity import gini_index, near_zero_share
from softcam_core.explainers.methods import explain
from softcam_core.imaging.readers import read_image
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM
from softcam_core.sweep.images import without_test
from softcam_core.sweep.validation import annotated_region, find_annotated, judge_evidence
from softcam_core.training.config import TrainingConfig


@pytest.fixture
def manifest(marked_table: Path) -> Manifest:
    return without_test(read_manifest(marked_table))


@pytest.fixture
def model() -> SoftCAM:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        statistics = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
        card = ModelCard(
            name="fresh",
            architecture="compact",
            class_names=("plain", "spot"),
            preprocessing={"shorter_side": 32, **statistics},
        )
        return SoftCAM.from_card(card).eval()


def with_val(manifest: Manifest, samples: list[Sample], **changes) -> Manifest:
    return replace(manifest, samples=tuple(samples), **changes)


def test_figures_are_those_of_single_explanations(model: SoftCAM, manifest: Manifest, quick: Callable) -> None:
    annotated = find_annotated(manifest, skip_bad=False)
    # Batches of 3 leave a smaller one at the end.
    found = judge_evidence(model, manifest, annotated, quick({"training": {"batch_size": 3}}))
    gini, near_zero, masses, hits = [], [], [], []
    for sample in manifest.split("val"):
        explanation = explain(model, read_image(sample.path))
        shown = torch.from_numpy(explanation.map_of(explanation.predicted))
        gini.append(float(gini_index(shown)))
        near_zero.append(float(near_zero_share(shown)))
        if sample.mask is not None:
            mask = torch.from_numpy(np.asarray(Image.open(sample.mask)) > 0)[None]
            on_image = torch.from_numpy(explanation.on_image("spot", against="plain"))[None]
            masses.append(float(relevance_mass(on_image, mask)))
            hits.append(float(pointing_game(on_image, mask)))
    assert len(masses) == 4
    expected = {"gini": gini, "near_zero": near_zero, "mass_in_annotation": masses, "pointing": hits}
    assert found == pytest.approx({name: np.mean(values) for name, values in expected.items()}, abs=1e-4)


def test_without_annotations_nothing_is_said_of_places(model: SoftCAM, manifest: Manifest, quick: Callable) -> None:
    bare = with_val(manifest, [replace(sample, mask=None) for sample in manifest.samples])
    assert find_annotated(bare, skip_bad=False) == ()
    assert judge_evidence(model, bare, (), quick()).keys() == {"gini", "near_zero"}


def test_an_image_without_evidence_for_its_finding_has_no_mass_there(
    model: SoftCAM, manifest: Manifest, quick: Callable
) -> None:
    last = [module for module in model.head.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([1.0, 0.0]))
    found = judge_evidence(model, manifest, find_annotated(manifest, skip_bad=False), quick())
    chance = 10 * 10 / 32**2  # all pixels of a constant map are its highest
    assert found == pytest.approx(
        {"gini": 0.0, "near_zero": 0.0, "mass_in_annotation": 0.0, "pointing": chance}, abs=1e-12
    )


def test_an_annotation_that_is_cropped_away_has_neither_mass_nor_a_hit(
    manifest: Manifest, quick: Callable, tmp_path: Path
) -> None:
    card = ModelCard(
        name="central",
        architecture="compact",
        class_names=("plain", "spot"),
        preprocessing={"shorter_side": 32, "crop": (16, 16)},
    )
    mask = np.zeros((32, 32), np.uint8)
    mask[:4, :4] = 255
    Image.fromarray(mask).save(tmp_path / "corner.png")
    cornered = [replace(sample, mask=tmp_path / "corner.png") for sample in manifest.split("val") if sample.mask]
    manifest = with_val(manifest, cornered)
    annotated = find_annotated(manifest, skip_bad=False)
    found = judge_evidence(SoftCAM.from_card(card).eval(), manifest, annotated, quick())
    assert len(annotated) == 4
    assert (found["mass_in_annotation"], found["pointing"]) == (0.0, 0.0)


def test_only_validation_images_are_looked_at(model: SoftCAM, marked_table: Path, quick: Callable) -> None:
    manifest = read_manifest(marked_table)  # its test images cannot be read
    annotated = find_annotated(manifest, skip_bad=False)
    assert {each.sample.split for each in annotated} == {"val"}
    assert judge_evidence(model, manifest, annotated, quick())["gini"] > 0


def test_the_other_class_is_taken_away_where_two_exclude_each_other(manifest: Manifest) -> None:
    assert {(e.target, e.against) for e in find_annotated(manifest, skip_bad=False)} == {(1, 0)}
    three = replace(manifest, class_names=("plain", "spot", "third"))
    assert {(e.target, e.against) for e in find_annotated(three, skip_bad=False)} == {(1, None)}


def test_with_several_labels_only_images_of_one_finding_count(manifest: Manifest) -> None:
    marked = [sample for sample in manifest.split("val") if sample.mask][:3]
    labels = [(0, 1), (1, 1), (0, 0)]
    several = [replace(sample, label=label) for sample, label in zip(marked, labels, strict=True)]
    found = find_annotated(with_val(manifest, several, task="multi_label"), skip_bad=False)
    assert [(each.sample, each.target, each.against) for each in found] == [(several[0], 1, None)]


def test_an_empty_mask_marks_nothing(manifest: Manifest, tmp_path: Path) -> None:
    Image.new("L", (32, 32)).save(tmp_path / "empty.png")
    sample = replace(manifest.split("val")[0], mask=tmp_path / "empty.png")
    assert find_annotated(with_val(manifest, [sample]), skip_bad=False) == ()


def test_a_mask_of_another_size_is_refused_or_left_out(manifest: Manifest, tmp_path: Path) -> None:
    Image.new("L", (32, 31), 255).save(tmp_path / "small.png")
    sample = replace(manifest.split("val")[0], mask=tmp_path / "small.png")
    with pytest.raises(ImageReadError, match=r"31 x 32 pixels and its image 32 x 32"):
        find_annotated(with_val(manifest, [sample]), skip_bad=False)
    assert find_annotated(with_val(manifest, [sample]), skip_bad=True) == ()


def test_boxes_mark_every_pixel_they_touch() -> None:
    sample = Sample(Path("x.png"), 1, "val", 2, boxes=((1.5, 0.0, 2.0, 1.0), (0.0, 3.0, 1.0, 0.25)))
    expected = np.zeros((4, 6), bool)
    expected[0, 1:4] = True
    expected[3, 0] = True
    assert (annotated_region(sample, (4, 6)) == expected).all()


def test_it_can_be_stopped_between_images(
    model: SoftCAM, manifest: Manifest, quick: Callable[..., TrainingConfig]
) -> None:
    asked = []
    judge_evidence(model, manifest, find_annotated(manifest, skip_bad=False), quick(), lambda: asked.append(1))
    assert len(asked) == 1 + 4  # a batch of 8, four annotated images
