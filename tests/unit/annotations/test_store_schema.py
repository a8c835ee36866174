import sqlite3
from pathlib import Path

import pytest

from softcam_core.annotations import store_schema
from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit
from softcam_core.annotations.shapes import Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_core.errors import AnnotationError

STEP = ("ALTER TABLE cases ADD COLUMN hospital TEXT NOT NULL DEFAULT 'unknown'", "CREATE TABLE hospitals (name TEXT)")
FLAG = Annotation(
    case="file-1", verdict="wrong", class_name="a", shape=Rectangle(top=0, left=0, height=1, width=1), reviewer="Ann"
)


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "annotations.sqlite"
    with AnnotationStore(path) as store:
        store.register(CaseRecord(key="file-1", height=2, width=3))
        store.apply(Edit(title="Add", changes=(Change(before=None, after=FLAG),)))
    return path


def asked(path: Path, question: str) -> list:
    connection = sqlite3.connect(path)
    found = connection.execute(question).fetchall()
    connection.close()
    return found


def test_a_new_store_is_of_the_current_version(path) -> None:
    assert asked(path, "PRAGMA user_version") == [(store_schema.current_version(),)]
    assert asked(path, "PRAGMA application_id") == [(store_schema.APPLICATION_ID,)]


def test_an_earlier_store_is_brought_up_to_date_and_keeps_all(path, monkeypatch) -> None:
    monkeypatch.setattr(store_schema, "MIGRATIONS", (*store_schema.MIGRATIONS, STEP))
    with pytest.raises(AnnotationError, match=r"is of an earlier version, and to be read only\. Open it once to be"):
        AnnotationStore(path, read_only=True)
    for _ in range(2):
        with AnnotationStore(path) as store:
            assert store.of_case("file-1") == (FLAG,)
            store.register(CaseRecord(key="file-2", height=2, width=3))
        assert asked(path, "PRAGMA user_version") == [(store_schema.current_version(),)]
        assert asked(path, "SELECT key, hospital FROM cases") == [("file-1", "unknown"), ("file-2", "unknown")]


def test_a_store_is_brought_up_to_date_wholly_or_not_at_all(path, monkeypatch) -> None:
    version = store_schema.current_version()
    with monkeypatch.context() as patch:
        patch.setattr(store_schema, "MIGRATIONS", (*store_schema.MIGRATIONS, (*STEP, "CREATE TABLE hospitals (a)")))
        with pytest.raises(AnnotationError, match="cannot be used: table hospitals already exists"):
            AnnotationStore(path)
    assert asked(path, "PRAGMA user_version") == [(version,)]
    with AnnotationStore(path) as store:
        assert store.of_case("file-1") == (FLAG,)


def test_a_store_of_no_version_is_damaged(path) -> None:
    asked(path, "PRAGMA user_version = 0")
    with pytest.raises(AnnotationError, match=r"is damaged: its version is 0\. Keep the file"):
        AnnotationStore(path)
