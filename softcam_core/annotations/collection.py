"""Annotations on their way from a store to a file, or from a file to a store."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit, Record, Review
from softcam_core.annotations.query import Query
from softcam_core.annotations.store import AnnotationStore
from softcam_core.annotations.stored_records import name_of
from softcam_core.errors import AnnotationError


@dataclass(frozen=True, slots=True)
class Collection:
    """Annotations with the cases they are on.

    Attributes
    ----------
    source : Path
        Store or file that they come from.
    cases : tuple of CaseRecord
        All that annotations and reviews are on, perhaps more.
    annotations : tuple of Annotation
    reviews : tuple of Review
    remarks : tuple of str
        What people should know of how they were read, sentences.
    undated : frozenset of str
        Identifiers of annotations of which the file does not say when they were made. Those that a store knows already
        are left as they are there.
    """

    source: Path
    cases: tuple[CaseRecord, ...]
    annotations: tuple[Annotation, ...]
    reviews: tuple[Review, ...] = ()
    remarks: tuple[str, ...] = ()
    undated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Brought:
    """What came into a store.

    Attributes
    ----------
    added, changed : int
        Annotations and reviews that were not there, and that were there in another form.
    known : int
        That were there as they are.
    kept : int
        That were there in a later form, which stays.
    cases : int
        New ones.
    """

    added: int
    changed: int
    known: int
    kept: int
    cases: int


def collect(store: AnnotationStore, query: Query | None = None) -> Collection:
    """Take what a query asks for out of a store, in the order in which it was made.

    Without a query all cases and reviews are taken; with one the cases of what it finds, and their reviews by the same
    reviewers.

    Raises
    ------
    AnnotationError
        As the store does.
    """
    with store.snapshot():
        found = store.iterate(Query() if query is None else query)
        annotations = sorted(found, key=lambda each: (each.created, each.id))
        cases, reviews = store.cases(), store.reviews()
    if query is not None:
        asked = {each.case for each in annotations}
        reviewers = {each.reviewer for each in annotations}
        cases = {key: case for key, case in cases.items() if key in asked}
        reviews = tuple(each for each in reviews if each.case in asked and each.reviewer in reviewers)
    return Collection(store.path, tuple(cases.values()), tuple(annotations), tuple(reviews))


def bring_in(store: AnnotationStore, collection: Collection) -> Brought:
    """Write a collection into a store: all of it or nothing.

    What is there already in another form is replaced where the collection's was modified later. What was removed from
    the store comes back. Cases are registered first: should writing fail after that, they are known and empty.

    Raises
    ------
    AnnotationError
        As the store does; where an image has another size in the store; and a ConflictError where somebody else changes
        the same meanwhile.
    """
    known_cases = store.cases()
    for case in collection.cases:
        known = known_cases.get(case.key)
        if known and (known.height, known.width) != (case.height, case.width):
            reason = f"has {case.width} x {case.height} pixels for the image {case.key}"
            advice = f"In {store.path} it has {known.width} x {known.height}. Nothing was written."
            raise AnnotationError(collection.source, reason, advice)
    changes: list[Change] = []
    counts = Counter[str]()
    records: list[Record] = [*collection.annotations, *collection.reviews]
    for record in records:
        stored = store.stored_as(name_of(record))
        before = stored.record if stored else None
        if before is None:
            fate = "added"
        elif before == record or name_of(record) in collection.undated:
            fate = "known"
        else:
            fate = "kept" if before.modified > record.modified else "changed"
        counts[fate] += 1
        if fate in ("added", "changed"):
            changes.append(Change(before=before, after=record))
    store.register(*collection.cases)
    store.apply(Edit(title=f"Import {collection.source.name}", changes=tuple(changes)))
    return Brought(
        **{fate: counts[fate] for fate in ("added", "changed", "known", "kept")},
        cases=len({case.key for case in collection.cases} - set(known_cases)),
    )


def lasting_id(*facts: object) -> str:
    """Identifier of an annotation from a file that has none, the same each time that the file is read."""
    return hashlib.sha256(repr(facts).encode("utf-8", "replace")).hexdigest()[:32]
