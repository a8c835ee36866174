"""Names under what was said before anybody asked who says it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from softcam_core.annotations.annotation import Annotation, Change, Edit
from softcam_viewer.model.annotation_book import AnnotationBook
from softcam_viewer.model.case_records import record_id


def signed(edits: Iterable[Edit], book: AnnotationBook, reviewer: str) -> list[Change]:
    """What puts a reviewer's name under all that edits have left in the book without one."""
    said = {(record_id(c.after), c.after.case): c.after for edit in edits for c in edit.changes if c.after is not None}
    changes = []
    for record in said.values():
        there = book.records(record.case)
        before = there.get(record_id(record))
        if before is None or before.reviewer:
            continue
        after = before.model_copy(update={"reviewer": reviewer, "modified": time.time()})
        if isinstance(before, Annotation):
            changes.append(Change(before=before, after=after))
        elif record_id(after) not in there:  # of a case and a reviewer there is one
            changes += [Change(before=before, after=None), Change(before=None, after=after)]
    return changes
