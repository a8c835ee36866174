"""What a fine-tuning would find: labelled images, and the flags on them. Runs off the UI thread."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softcam_core.training.parts import Part
from softcam_viewer.model.labels import is_table, source_of, tables_of

if TYPE_CHECKING:
    from softcam_core.data.samples import Manifest
    from softcam_core.data.source import DataSource
    from softcam_core.models.card import ModelCard
    from softcam_core.training.config import TrainingConfig

Split = str
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person chooses; see `softcam_core.training.fine_tuning.FineTuning`."""

    name: str = ""
    part: Part = "all"
    strength: float = 1.0
    epochs: int = 6
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found.

    Attributes
    ----------
    source : DataSource or None
        The labelled images; None where there are none.
    images : dict of str to int
        Number of images in "train", "val" and "test".
    data_problem : str
        Why they cannot be used, "" where they can.
    flags : dict of str to int
        Number of flags of each verdict that can be learnt from, on all images.
    flagged : int
        Images that they are on.
    used : dict of str to int
        Of these flags, those on training images.
    judged : int
        Flags on validation and test images: they are not learnt from.
    flag_problem : str
        Why there is nothing to learn from, "" where there is.
    notes : tuple of str
        What was left out, and what the data does not say, sentences.
    cases : tuple of str
        Keys of the flagged images.
    """

    source: DataSource | None = None
    images: dict[Split, int] = field(default_factory=dict)
    data_problem: str = ""
    flags: dict[str, int] = field(default_factory=dict)
    flagged: int = 0
    used: dict[str, int] = field(default_factory=dict)
    judged: int = 0
    flag_problem: str = ""
    notes: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()

    @property
    def path(self) -> Path | None:
        """File or folder of the labelled images."""
        return None if self.source is None else self.source.path

    @property
    def problem(self) -> str:
        """Why nothing can be trained, the first reason; "" where there is none."""
        return self.data_problem or self.flag_problem


def survey(
    card: ModelCard,
    store: Path | None,
    reviewers: tuple[str, ...],
    chosen: Path | None,
    opened: Sequence[Path],
    images: Sequence[Path],
) -> Survey:
    """Look at the images that a model can be trained on, and at what was said about them.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    store : Path or None
        Annotations.
    reviewers : tuple of str
        Whose annotations count; empty for all.
    chosen : Path or None
        Table or folder that was chosen; None for that of the images which are open.
    opened, images : sequence of Path
        What the user has opened, and all images of it.
    """
    found, manifest = _read_data(card, chosen or find_data(card.class_names, opened, images))
    return _with_flags(found, card, store, reviewers, manifest)


def find_data(class_names: Collection[str], opened: Sequence[Path], images: Sequence[Path]) -> Path | None:
    """The table that lists images which are open, or else the folder whose folders are classes; None for neither."""
    from softcam_core.data.samples import SPLIT_NAMES

    tables = tables_of(opened, images)
    if tables:
        return tables[0]
    known = {name.casefold() for name in class_names}
    folders = [folder for image in images[:1] for folder in image.parents if folder.name.casefold() in known]
    roots = [folder.parent for folder in folders]
    return next((root.parent if root.name.lower() in SPLIT_NAMES else root for root in roots), None)


def _read_data(card: ModelCard, path: Path | None) -> tuple[Survey, Manifest | None]:
    from softcam_core.data.source import DataSource, read_source
    from softcam_core.errors import ManifestError

    if path is None:
        return Survey(data_problem=NO_DATA), None
    try:
        source = source_of(path) if is_table(path) else DataSource(path=path)
        source = source.model_copy(update={"class_names": tuple(card.class_names)})
        manifest = read_source(source)
    except ManifestError as error:
        return Survey(data_problem=str(error)), None
    images = {split: len(manifest.split(split)) for split in ("train", "val", "test")}
    problem = ""
    if not images["train"]:
        problem = f"{path.name} has no training images. Give some of them the split “train”."
    elif manifest.task != card.task:
        problem = f"{path.name} has {_KINDS[manifest.task]}, but the model gives {_KINDS[card.task]}."
    return Survey(source=source, images=images, data_problem=problem, notes=manifest.notes), manifest


NO_DATA = (
    "No table of labels and no folders of classes belong to the images that are open. "
    "Choose the labelled images to train on."
)
_KINDS = {"single_label": "one label an image", "multi_label": "several labels an image"}


def _with_flags(
    base: Survey, card: ModelCard, store: Path | None, reviewers: tuple[str, ...], manifest: Manifest | None
) -> Survey:
    from softcam_core.errors import AnnotationError
    from softcam_core.training.config import FeedbackConfig
    from softcam_core.training.flags import match, read_said

    if store is None or not store.exists():
        return replace(base, flag_problem=NO_FLAGS)
    try:
        said = read_said(FeedbackConfig(store=store, reviewers=reviewers))
    except AnnotationError as error:
        reason = f"{error.reason[:1].upper()}{error.reason[1:]}. {error.advice}"
        return replace(base, flag_problem=NO_FLAGS if "holds no evidence" in error.reason and not reviewers else reason)
    verdicts: list[str] = [note.verdict for note in said.annotations]
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    base = replace(base, flags=counts, flagged=len(said.cases), cases=tuple(case.key for case in said.cases))
    if manifest is None:
        return base
    try:
        flags = match(said, manifest.samples, card.class_names, store)
    except AnnotationError as error:
        return replace(base, flag_problem=f"{error.reason[:1].upper()}{error.reason[1:]}. {error.advice}")
    used = flags.counts(manifest.split("train"))
    all_of_them = flags.counts(manifest.samples)
    judged = sum(all_of_them.values()) - sum(used.values())
    problem = "" if sum(used.values()) else NONE_TRAINED
    notes = tuple(f"{note[:1].upper()}{note[1:]}." for note in flags.notes)
    return replace(base, used=used, judged=judged, flag_problem=problem, notes=(*base.notes, *notes))


NO_FLAGS = (
    "No evidence is flagged yet. Press F over evidence that is wrong, or draw around a finding that was missed, "
    "in some of the training images."
)
NONE_TRAINED = (
    "All flagged images are kept for validation or test, which nothing is learnt from. "
    "Flag some of the training images."
)


def make_settings(
    start: Path, card: ModelCard, source: DataSource, store: Path | None, choices: Choices
) -> dict[str, Any]:
    """Settings of a fine-tuning; see `softcam_core.training.fine_tuning.fine_tuning_settings`."""
    from softcam_core.training.fine_tuning import FineTuning, fine_tuning_settings

    return fine_tuning_settings(FineTuning(start=start, data=source, store=store, **asdict(choices)), card)


def check(settings: dict[str, Any]) -> TrainingConfig:
    """Check settings and add the defaults; raises SettingsError."""
    from softcam_core.training.config_files import make_config, with_absolute_paths

    return with_absolute_paths(make_config(settings))


def write_settings(settings: dict[str, Any]) -> str:
    """All settings as YAML, with what they mean; raises SettingsError."""
    from softcam_core.training.config_files import to_yaml

    return to_yaml(check(settings), explained=True)


def read_settings(text: str) -> dict[str, Any]:
    """Settings of YAML, not checked yet; raises SettingsError."""
    import yaml

    from softcam_core.errors import SettingsError

    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        place = f", line {mark.line + 1}" if mark else ""
        raise SettingsError("settings", f"are not YAML{place}", "Check indentation and colons there.") from error
    if not isinstance(settings, dict):
        raise SettingsError("settings", "hold nothing", "Go back to the choices to begin anew.")
    return settings


def finished(settings: dict[str, Any]) -> dict[str, Any]:
    """All settings, checked, as a run takes them; raises SettingsError."""
    return check(settings).model_dump(mode="json")


def estimate(settings: dict[str, Any]) -> float:
    """Seconds that a run would take here; raises BorderError where it could not be made."""
    from softcam_core.training.estimate import estimate_run

    return estimate_run(check(settings)).seconds


def devices() -> tuple[tuple[str, str], ...]:
    """Names and titles of the devices that can be trained on."""
    import torch

    from softcam_core.devices import describe_device

    cuda = [torch.device(f"cuda:{n}") for n in range(torch.cuda.device_count())]
    return tuple((str(device), describe_device(device)) for device in (*cuda, torch.device("cpu")))
