"""New versions of what is said: an annotation or a review with other fields."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from softcam_core.annotations.annotation import Annotation, Change, Record, Review
from softcam_viewer.model.case_records import Records, record_id
from softcam_viewer.model.judged import UnsayableError, why_nothing

R = TypeVar("R", Annotation, Review)


def with_fields(record: R, fields: Mapping[str, Any]) -> R:
    """A record with other fields, changed now; the record itself where they are not others.

    Raises
    ------
    UnsayableError
        For values that it cannot have.
    """
    try:
        after = type(record).model_validate({**record.model_dump(), **fields, "modified": time.time()})
    except ValidationError as error:
        raise UnsayableError(f"This cannot be kept: {error.errors()[0]['msg']}.") from error
    return record if after.model_copy(update={"modified": record.modified}) == record else after


def annotation_change(before: Annotation, fields: Mapping[str, Any], size: tuple[int, int] | None) -> Change | None:
    """An annotation with other fields, on an image of a size; None where it is the same. Raises UnsayableError."""
    shape = fields.get("shape")
    if shape is not None and size is not None and (why := why_nothing(shape, size)):
        raise UnsayableError(why)
    after = with_fields(before, fields)
    return None if after is before else Change(before=before, after=after)


def review_change(records: Records, case: str, reviewer: str, fields: Mapping[str, Any]) -> Change | None:
    """A reviewer's review of a case with other fields; None where it is the same. Raises UnsayableError."""
    own = Review(case=case, reviewer=reviewer)
    before: Record | None = records.get(record_id(own))
    after = with_fields(before if isinstance(before, Review) else own, fields)
    return None if after is before else Change(before=before, after=after)
