"""Bringing what was said in two stores together."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from softcam_core.annotations.annotation import CaseRecord, Record
from softcam_core.annotations.store import AnnotationStore
from softcam_core.annotations.stored_records import Stored
from softcam_core.errors import AnnotationError


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that the two stores had differently.

    Attributes
    ----------
    name : str
        The id of an annotation; the case and the reviewer of a review.
    here, there : Annotation, Review or None
        As the store that was merged into had it, and as the other had it; None where it was removed.
    is_theirs_kept : bool
        True where the other's was written later.
    """

    name: str
    here: Record | None
    there: Record | None
    is_theirs_kept: bool


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What a merge did.

    Attributes
    ----------
    cases : int
        Images that were not known before.
    added : int
        Annotations and reviews that were not known before.
    unchanged : int
        That were the same in both.
    differing : tuple of Difference
        That were not.
    """

    cases: int
    added: int
    unchanged: int
    differing: tuple[Difference, ...]

    @property
    def replaced(self) -> int:
        """Taken from the other store, where they were changed later."""
        return sum(found.is_theirs_kept and found.there is not None for found in self.differing)

    @property
    def removed(self) -> int:
        """Gone, since they were removed in the other store later."""
        return sum(found.is_theirs_kept and found.there is None for found in self.differing)

    @property
    def kept(self) -> int:
        """Left as they were, since they were changed or removed here later."""
        return sum(not found.is_theirs_kept for found in self.differing)


def merge(store: AnnotationStore, other: AnnotationStore) -> MergeReport:
    """Bring all of another store into a store; both then agree, whichever way and how often stores are merged.

    Annotations are known by their ids, reviews by case and reviewer. Of one that both have, the one that was written or
    removed later stands: by the clocks of the computers where that was. Nobody else writes meanwhile, and a merge that
    fails changes nothing.

    Parameters
    ----------
    store : AnnotationStore
        Merged into.
    other : AnnotationStore
        Only read.

    Returns
    -------
    MergeReport

    Raises
    ------
    AnnotationError
        When one of them cannot be read or written, or both are the same file.
    """
    with suppress(OSError):  # one that is gone is told of where it is read
        if store.path.samefile(other.path):
            raise AnnotationError(other.path, "is the store that it was to be merged into", "Choose another store.")
    added, unchanged, differing = 0, 0, list[Difference]()
    with store.writing(), other.snapshot():
        known = store.cases()
        for key, theirs in other.cases().items():
            case = _together(known.get(key), theirs)
            if case != known.get(key):
                store.put(case)
        cases = len(store.cases()) - len(known)
        for there in other.stored():
            here = store.stored_as(there.name)
            if here == there:
                unchanged += there.record is not None
                continue
            is_later = here is None or _order(there) > _order(here)
            if is_later:
                store.put(there)
            if (here and here.record) == there.record:
                unchanged += there.record is not None
            elif here is None:
                added += 1
            else:
                differing.append(Difference(there.name, here.record, there.record, is_later))
    return MergeReport(cases, added, unchanged, tuple(differing))


def _order(stored: Stored) -> tuple[float, bool, str]:
    # Of two that were written at the same moment both stores must choose the same.
    record = stored.record
    return stored.written, record is None, "" if record is None else record.model_dump_json()


def _together(here: CaseRecord | None, there: CaseRecord) -> CaseRecord:
    """What is known of a case here, and beyond that there: where its file lies differs between computers."""
    if here is None:
        return there
    uid, path = here.sop_instance_uid or there.sop_instance_uid, here.path or there.path
    return here.model_copy(update={"sop_instance_uid": uid, "path": path})
