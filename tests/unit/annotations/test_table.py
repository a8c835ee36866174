import csv
import tempfile
from pathlib import Path

import pytest
from annotation_samples import annotation, case, collections
from hypothesis import HealthCheck, given, settings

from softcam_core.annotations.collection import Collection
from softcam_core.annotations.shapes import Bitmap
from softcam_core.annotations.table import read_table, write_table
from softcam_core.errors import AnnotationError
from softcam_core.notice import NOTICE


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(collections())
def test_any_annotations_come_back_as_they_were(collection: Collection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        write_table(path, collection, identifiers=True)
        found = read_table(path)
    assert found.annotations == collection.annotations
    used = {each.case for each in collection.annotations}
    assert set(found.cases) == {each for each in collection.cases if each.key in used}


def test_long_shapes_come_back_and_the_limit_of_others_stays(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    cells = 400 * 400
    shape = Bitmap(top=0, left=0, bottom=40, right=60, size=(400, 400), counts=(1,) * cells)
    write_table(tmp_path / "a.csv", Collection(tmp_path, (case(),), (annotation(shape),)))
    assert read_table(tmp_path / "a.csv").annotations[0].shape == shape
    assert csv.field_size_limit() == limit


def test_rows_say_where_and_how_large_it_is(tmp_path: Path) -> None:
    known = case(sop_instance_uid="1.2.3.4", path="/patients/Doe.dcm")
    collection = Collection(tmp_path, (known,), (annotation(created=0.0),))
    write_table(tmp_path / "a.csv", collection)
    text = (tmp_path / "a.csv").read_text()
    assert "1.2.3.4" not in text
    assert "Doe" not in text
    (row,) = csv.DictReader(text.splitlines())
    bounds = [float(row[side]) for side in ("top", "left", "bottom", "right")]
    assert (bounds, row["kind"], float(row["area_px"])) == ([2, 3, 12, 23], "rectangle", 200)
    assert (row["notice"], row["created_utc"]) == (NOTICE, "1970-01-01T00:00:00+00:00")
    assert read_table(tmp_path / "a.csv").cases == (case(),)


def _table(tmp_path: Path, change) -> Path:
    path = tmp_path / "a.csv"
    write_table(path, Collection(tmp_path, (case(),), (annotation(), annotation())))
    rows = list(csv.reader(path.read_text().splitlines()))
    change(rows)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def _put(name: str, value: str):
    def change(rows: list[list[str]]) -> None:
        rows[2][rows[0].index(name)] = value

    return change


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("verdict", "bad", "line 3: verdict: Input should be 'wrong', 'correct'"),
        ("shape", "{", "line 3: its shape is not JSON"),
        ("shape", '{"kind": "polygon", "points": [[1, 2]]}', r"line 3: shape\.polygon\.points: Tuple should"),
        ("confidence", "2", "line 3: confidence: Input should be less than or equal to 1"),
        ("threshold", "nan", "line 3: threshold: Input should be a finite number"),
        ("height", "41", "line 3: its image has another size than in a row above"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_used_are_refused_or_left_out(tmp_path: Path, name: str, value: str, message: str) -> None:
    path = _table(tmp_path, _put(name, value))
    with pytest.raises(AnnotationError, match=rf"1 annotation cannot be used:\n  {message}"):
        read_table(path)
    found = read_table(path, skip_bad=True)
    assert len(found.annotations) == 1
    assert found.remarks[0].startswith("Left out: 1 annotation")


def test_an_id_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = _table(tmp_path, lambda rows: rows.append(rows[1]))
    with pytest.raises(AnnotationError, match="line 4: its id is in the table twice"):
        read_table(path)


def test_other_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="it has unknown columns, or one twice"):
        read_table(_table(tmp_path, lambda rows: [row.append(row[0]) for row in rows]))
    path = tmp_path / "b.csv"
    path.write_text("image,label\na,b\n")
    with pytest.raises(AnnotationError, match="it lacks the columns id, case, frame"):
        read_table(path)
    with pytest.raises(AnnotationError, match="line 3 has 1 fields where the header has"):
        read_table(_table(tmp_path, lambda rows: rows.__setitem__(2, ["x"])))
    path.write_text(_table(tmp_path, lambda rows: None).read_text() + '"')
    with pytest.raises(AnnotationError, match=r"is damaged in line \d+"):
        read_table(path)


def test_empty_tables_are_read(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", Collection(tmp_path, (case(),), ()))
    assert not read_table(tmp_path / "a.csv").annotations
