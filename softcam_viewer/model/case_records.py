"""What is said about a case, and how edits change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from softcam_core.annotations.annotation import Annotation, Edit, Record, Review

Records = Mapping[str, Record]
"""All that is said about a case, by `record_id`."""


def record_id(record: Record) -> str:
    """What tells a record of a case from others."""
    return record.id if isinstance(record, Annotation) else f"review by {record.reviewer}"


def records_of(annotations: Iterable[Annotation], reviews: Iterable[Review]) -> Records:
    """All that is said about a case."""
    records: tuple[Record, ...] = (*annotations, *reviews)
    return {record_id(record): record for record in records}


def edited(records: Records, edits: Iterable[Edit], case: str) -> Records:
    """Records of a case after edits, of which those to other cases are passed over."""
    result = dict(records)
    for edit in edits:
        for change in edit.changes:
            for record in (change.before, change.after):
                if record is not None and record.case == case:
                    result.pop(record_id(record), None)
            if change.after is not None and change.after.case == case:
                result[record_id(change.after)] = change.after
    return result


def annotations_in(records: Records) -> tuple[Annotation, ...]:
    """Annotations in the order in which they were made."""
    found = (record for record in records.values() if isinstance(record, Annotation))
    return tuple(sorted(found, key=lambda annotation: (annotation.created, annotation.id)))


def reviews_in(records: Records) -> tuple[Review, ...]:
    """Reviews in the order of their reviewers' names."""
    found = (record for record in records.values() if isinstance(record, Review))
    return tuple(sorted(found, key=lambda review: review.reviewer))


def cases_of(edit: Edit) -> tuple[str, ...]:
    """Keys of the cases that an edit is of, each once."""
    records = (record for change in edit.changes for record in (change.before, change.after))
    return tuple(dict.fromkeys(record.case for record in records if record is not None))
