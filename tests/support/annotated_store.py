"""A store of annotations as tests of the viewer's model see it, and what another viewer does to it."""

from pathlib import Path

from softcam_core.annotations.annotation import Annotation
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Rectangle
from softcam_core.annotations.store import AnnotationStore

BOX = Rectangle(top=1, left=1, height=3, width=4)


def stored(path: Path) -> list[Annotation]:
    with AnnotationStore(path, read_only=True) as store:
        return list(reversed(store.find(Query())))


def meddle(path: Path, change) -> None:
    """What another viewer does."""
    with AnnotationStore(path) as store:
        change(store)
