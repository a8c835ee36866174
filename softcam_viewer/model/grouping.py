"""Patients, studies and series of cases: headings of the worklist."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from softcam_viewer.model.cases import Case, tell_apart

Key = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A line above cases that belong together.

    Attributes
    ----------
    key : tuple
        Tells it from others; the same after sorting and filtering.
    level : int
        0 for patients and folders, 1 for studies, 2 for series.
    title : str
        Without identity.
    identity : str
        Who and when, to be shown only where that is wanted; "" for folders.
    count : int
        Cases below it that are shown, those of folded headings included.
    is_folded : bool
    """

    key: Key
    level: int
    title: str
    identity: str = ""
    count: int = 0
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class Groups:
    """Which headings stand above each case.

    Attributes
    ----------
    above : tuple of tuple of Heading
        For each row the headings from the outermost to the innermost.
    ranks : tuple of int
        For each row the place of its innermost heading.
    """

    above: tuple[tuple[Heading, ...], ...] = ()
    ranks: tuple[int, ...] = ()

    @property
    def are_one(self) -> bool:
        """True where all cases stand under one heading, which then tells nothing."""
        return not self.ranks or len(set(self.ranks)) == 1

    @property
    def are_single(self) -> bool:
        """True where each case is the only one of its patient: headings then tell no more than who it is."""
        outermost = [headings[0].key for headings in self.above]
        return all(isinstance(key[0], str) for key in outermost) and len(set(outermost)) == len(outermost)


def make_groups(cases: Sequence[Case]) -> Groups:
    """Group cases by patient, study and series, and files that are no DICOM by their folder.

    Groups are numbered in the order of their first case. A case whose header is not read counts as no DICOM.
    """
    keys = [_key(case) for case in cases]
    names = _folder_names(list(dict.fromkeys(case.path.parent for case in cases)))
    numbers: dict[Key, int] = {}
    children: dict[Key, int] = defaultdict(int)
    modalities: dict[Key, dict[str, None]] = defaultdict(dict)
    for case, key in zip(cases, keys, strict=True):
        for level in range(1, len(key) + 1):
            part = key[:level]
            if part not in numbers:
                parent = part[:-1]
                # Folders are not numbered and leave no gap between patients.
                children[parent] += not isinstance(part[0], Path)
                numbers[part] = children[parent]
            if case.header is not None and case.header.modality:
                modalities[part][case.header.modality] = None
    series_of: Counter[Key] = Counter(key[:2] for key in {key for key in keys if len(key) == 3})
    made: dict[Key, tuple[Heading, ...]] = {}
    first: dict[Key, int] = {}
    for case, key in zip(cases, keys, strict=True):
        if key in made:
            continue
        levels = len(key) if len(key) < 3 or series_of[key[:2]] > 1 else 2
        made[key] = tuple(
            _heading(case, key[: level + 1], numbers, modalities, names) for level in range(min(levels, len(key)))
        )
        for level in range(1, len(key) + 1):
            first.setdefault(key[:level], len(first))
    # Cases of a patient stand together, though their files may not.
    places = {key: tuple(first[key[:level]] for level in range(1, len(key) + 1)) for key in made}
    ranked = {key: n for n, key in enumerate(sorted(made, key=places.__getitem__))}
    return Groups(tuple(made[key] for key in keys), tuple(ranked[key] for key in keys))


def _key(case: Case) -> Key:
    header = case.header
    if header is None or not header.is_dicom:
        return (case.path.parent,)
    who = header.identity
    patient = who.patient_id or who.patient_name or who.study_uid
    if not patient:
        return (case.path.parent,)
    return (f"patient {patient}", who.study_uid, who.series_uid)


def _heading(
    case: Case,
    key: Key,
    numbers: dict[Key, int],
    modalities: dict[Key, dict[str, None]],
    names: dict[Path, str],
) -> Heading:
    if isinstance(key[0], Path):
        return Heading(key, 0, names[key[0]])
    assert case.header is not None
    level, number, who = len(key) - 1, numbers[key], case.header.identity
    if level == 0:
        identity = ", ".join(filter(None, (_plain(who.patient_name), who.patient_id)))
        return Heading(key, 0, f"Patient {number}", identity)
    kinds = ", ".join(modalities[key])
    if level == 1:
        return Heading(key, 1, " · ".join(filter(None, (f"Study {number}", kinds))), _date(who.study_date))
    return Heading(key, 2, " · ".join(filter(None, (f"Series {number}", kinds))))


def _plain(name: str) -> str:
    """Family and given names, which DICOM separates by ^."""
    return ", ".join(filter(None, (part.strip() for part in name.split("^")[:2])))


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 and text.isdigit() else text


def _folder_names(folders: Sequence[Path]) -> dict[Path, str]:
    """Names of folders, with those above them where that tells them apart."""
    return dict(zip(folders, tell_apart(folders, [folder.name or str(folder) for folder in folders]), strict=True))
