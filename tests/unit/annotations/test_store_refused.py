"""Stores that cannot be opened, read or written: each refusal names the file, the reason and what to do."""

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from softcam_core.annotations import store_connection
from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Polygon, Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_core.errors import AnnotationError

CASE = CaseRecord(key="file-1", height=20, width=30)
NOBODY = 65534


def flag(**values) -> Annotation:
    box = Rectangle(top=1, left=2, height=3, width=4)
    return Annotation(**{"case": "file-1", "verdict": "wrong", "class_name": "opacity", "shape": box} | values)


def add(*records) -> Edit:
    return Edit(title="Add", changes=tuple(Change(before=None, after=record) for record in records))


def large_flag() -> Annotation:
    return flag(shape=Polygon(points=tuple((i + 0.123456789, i / 7) for i in range(2000))))


def refused(path: Path, reason: str, advice: str):
    return pytest.raises(AnnotationError, match=rf"^{re.escape(str(path))}: .*{reason}.*\. .*{advice}")


@pytest.fixture
def path(tmp_path) -> Path:
    """A store with one annotation, closed."""
    path = tmp_path / "annotations.sqlite"
    with AnnotationStore(path) as store:
        store.register(CASE)
        store.apply(add(flag()))
    return path


@pytest.fixture
def folder_of_all() -> Iterator[Path]:
    """A folder that everybody may read, for as long as one is nobody in particular: root may do everything."""
    folder = Path(tempfile.mkdtemp())
    user = os.geteuid()
    yield folder
    if user == 0:
        os.seteuid(0)
    folder.chmod(0o700)
    shutil.rmtree(folder)


def become_nobody() -> None:
    if os.geteuid() == 0:
        os.seteuid(NOBODY)


def test_a_store_of_a_newer_version_is_left_as_it_is(path) -> None:
    with sqlite3.connect(path) as outside:
        outside.execute("PRAGMA user_version = 99")
    outside.close()
    for read_only in (False, True):
        with refused(path, "newer version of this software: it is of version 99", "Use the newer software"):
            AnnotationStore(path, read_only=read_only)


def test_a_store_that_newer_software_changed_meanwhile_is_not_written(path) -> None:
    with AnnotationStore(path) as store:
        with sqlite3.connect(path) as outside:
            outside.execute("PRAGMA user_version = 99")
        outside.close()
        with refused(path, "newer version", "close older windows"):
            store.apply(add(flag()))
        assert store.count(Query()) == 1


def test_a_locked_store_can_be_read_and_is_written_later(path) -> None:
    with AnnotationStore(path, busy_seconds=0.05) as store:
        outside = sqlite3.connect(path, isolation_level=None)
        outside.execute("BEGIN IMMEDIATE")
        new = flag()
        with refused(path, "is locked by another program", "Try again in a moment"):
            store.apply(add(new))
        assert store.count(Query()) == 1
        outside.execute("ROLLBACK")
        outside.close()
        store.apply(add(new))
        assert store.count(Query()) == 2


def test_a_store_that_another_program_keeps_to_itself_is_told(path) -> None:
    outside = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = delete", "BEGIN EXCLUSIVE"):
        outside.execute(statement)
    with refused(path, "is locked by another program", "close what else has it open"):
        AnnotationStore(path, busy_seconds=0.05)
    outside.close()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are those of POSIX")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_store_can_be_read(path, folder_of_all, what: str) -> None:
    copy = shutil.copy(path, folder_of_all / "ä b?#.sqlite")
    copy.chmod(0o444 if what == "file" else 0o666)
    folder_of_all.chmod(0o777 if what == "file" else 0o555)
    become_nobody()
    with refused(copy, "is read-only", "Make the file and its folder writable, or work on a copy"):
        AnnotationStore(copy)
    with AnnotationStore(copy, read_only=True) as store:
        assert store.count(Query()) == 1
        with refused(copy, "was opened to be read only", "Open it to be written"):
            store.apply(add(flag()))
        with refused(copy, "was opened to be read only", "Open it to be written"):
            store.register(CASE.model_copy(update={"path": "/new"}))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are those of POSIX")
def test_what_lies_where_nobody_may_look_or_write_is_told(path, folder_of_all) -> None:
    copy = shutil.copy(path, folder_of_all / "store.sqlite")
    copy.chmod(0)
    folder_of_all.chmod(0o555)
    become_nobody()
    for place in (copy, folder_of_all / "new.sqlite"):
        with pytest.raises(
            AnnotationError, match=r"is read-only|cannot be opened\. Check the path, and the permissions"
        ):
            AnnotationStore(place)
    with refused(copy, "cannot be opened", "permissions"):
        AnnotationStore(copy, read_only=True)


def test_a_system_that_refuses_to_write_is_told(path) -> None:
    with AnnotationStore(path) as store:
        store._db.execute("PRAGMA query_only = ON")
        with refused(path, "is read-only", "Make the file and its folder writable"):
            store.apply(add(flag()))
        store._db.execute("PRAGMA query_only = OFF")
        store.apply(add(flag()))
        assert store.count(Query()) == 2


def test_reading_only_makes_nothing(path, tmp_path) -> None:
    with refused(tmp_path / "new.sqlite", "is not there", "Check the path"):
        AnnotationStore(tmp_path / "new.sqlite", read_only=True)
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    with refused(empty, "is empty", "Open it once to be written"):
        AnnotationStore(empty, read_only=True)
    assert empty.stat().st_size == 0
    with AnnotationStore(empty) as store:
        assert store.cases() == {}


def test_files_of_other_programs_are_left_as_they_are(tmp_path) -> None:
    text, foreign = tmp_path / "notes.sqlite", tmp_path / "foreign.sqlite"
    text.write_bytes(b"These are notes. " * 500)
    with sqlite3.connect(foreign) as outside:
        outside.execute("CREATE TABLE notes (text)")
    outside.close()
    for path in (text, foreign):
        content = path.read_bytes()
        with refused(path, "is not a store of annotations", "Choose a file that was made by this software"):
            AnnotationStore(path)
        assert path.read_bytes() == content
        assert not list(tmp_path.glob("*-wal"))


@pytest.mark.parametrize("kind", ["cut", "overwritten"])
def test_a_damaged_store_is_told(path, kind: str) -> None:
    with AnnotationStore(path) as store:
        store.apply(add(*(flag(comment="c" * 2000) for _ in range(50))))
    content = bytearray(path.read_bytes())
    if kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[4096:] = b"\xa5" * (len(content) - 4096)
        path.write_bytes(content)
    with refused(path, "is damaged", "Keep the file as it is, and put its last copy or export in its place"):
        read_all(path)


def read_all(path: Path) -> None:
    with AnnotationStore(path) as store:
        store.find(Query())


@pytest.mark.parametrize(
    ("body", "what"), [("'{}'", "cannot be read"), ("'no JSON'", "cannot be read"), ("x'ff'", "cannot be read")]
)
def test_a_record_that_cannot_be_read_is_named(path, body: str, what: str) -> None:
    with AnnotationStore(path) as store:
        name = store.find(Query())[0].id
        store._db.execute(f"UPDATE records SET body = {body}")
        for read in (
            lambda: store.of_case("file-1"),
            lambda: list(store.iterate(Query())),
            lambda: store.find(Query()),
        ):
            with refused(path, f"is damaged: the record {name} {what}", "Keep the file"):
                read()


def test_a_record_under_another_name_is_damage(path) -> None:
    with AnnotationStore(path) as store:
        store._db.execute("UPDATE records SET name = ?", ("0" * 32,))
        with refused(path, "is damaged: the record 0{32} is that of another", "Keep the file"):
            store.of_case("file-1")


def test_a_full_disk_loses_nothing_and_the_edit_can_be_made_later(path) -> None:
    with AnnotationStore(path) as store:
        known = store.of_case("file-1")
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        large = add(*(large_flag() for _ in range(5)))
        for _ in range(2):
            with refused(path, "cannot be written: there is no more space", "Make room and try again; nothing"):
                store.apply(large)
        assert store.of_case("file-1") == known
        with AnnotationStore(path) as other:
            assert other.of_case("file-1") == known
        store._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
        store.apply(large)
        assert len(store.of_case("file-1")) == 6
        assert store._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_folder_that_is_not_there_is_told(tmp_path) -> None:
    with refused(tmp_path / "gone" / "a.sqlite", "its folder is not there", "connect its drive"):
        AnnotationStore(tmp_path / "gone" / "a.sqlite")
    with refused(tmp_path, "is a folder", "Choose a file"):
        AnnotationStore(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="there, open files cannot be moved")
@pytest.mark.parametrize("what", ["gone", "replaced"])
def test_an_edit_is_not_written_into_a_file_that_was_taken_away(path, tmp_path, what: str) -> None:
    new = flag()
    with AnnotationStore(path) as store:
        kept = path.rename(tmp_path / "kept.sqlite")
        if what == "replaced":
            shutil.copy(kept, path)
        with refused(path, "was moved, deleted or replaced while it was open", "Put it back, or open it again"):
            store.apply(add(new))
        kept.replace(path)
        store.apply(add(new))
        assert store.count(Query()) == 2


@pytest.mark.parametrize("reason", ["network", "no shared memory"])
def test_without_a_log_it_works_and_says_so(path, monkeypatch, reason: str) -> None:
    if reason == "network":
        monkeypatch.setattr(store_connection, "is_on_network_drive", lambda path: True)
    else:
        monkeypatch.setattr(store_connection, "use_log", lambda *_: False)
        monkeypatch.setattr("softcam_core.annotations.store.use_log", lambda *_: False)
    with AnnotationStore(path) as store:
        assert "is used without a write-ahead log" in store.remark
        assert str(path) in store.remark
        seen = store.version
        store.apply(add(flag()))
        with AnnotationStore(path) as other:
            assert other.count(Query()) == 2
            other.apply(add(flag()))
        assert store.count(Query()) == 3
        assert store.version >= seen + 2
        if reason == "network":
            assert store._db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
