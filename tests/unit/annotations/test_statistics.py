from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit, Review
from softcam_core.annotations.shapes import Rectangle
from softcam_core.annotations.statistics import Statistics, statistics
from softcam_core.annotations.store import AnnotationStore


def test_what_is_in_a_store_is_counted(tmp_path) -> None:
    box = Rectangle(top=1, left=2, height=3, width=4)
    with AnnotationStore(tmp_path / "annotations.sqlite") as store:
        assert statistics(store) == Statistics(0, 0, 0, {}, {}, {}, {}, {}, {})
        store.register(*(CaseRecord(key=f"file-{i}", height=9, width=9) for i in range(4)))
        said = [
            ("file-0", "wrong", "opacity", "Ann", "A"),
            ("file-0", "wrong", "nodule", "Bob", ""),
            ("file-1", "missed", "opacity", "Ann", "A"),
            ("file-1", "correct", "opacity", "", "B"),
        ]
        records = [
            *(
                Annotation(case=case, verdict=verdict, class_name=name, reviewer=reviewer, model_name=model, shape=box)
                for case, verdict, name, reviewer, model in said
            ),
            Review(case="file-0", reviewer="Ann", status="reviewed"),
            Review(case="file-2", reviewer="Ann", status="reviewed"),
            Review(case="file-2", reviewer="Bob"),
        ]
        store.apply(Edit(title="Add", changes=tuple(Change(before=None, after=record) for record in records)))
        found = statistics(store)
    assert found == Statistics(
        cases=3,
        annotations=4,
        reviews=3,
        by_verdict={"wrong": 2, "correct": 1, "missed": 1},
        by_class={"opacity": 3, "nodule": 1},
        by_reviewer={"Ann": 2, "": 1, "Bob": 1},
        by_model={"A": 2, "": 1, "B": 1},
        by_status={"reviewed": 2, "open": 1},
        reviewed={"Ann": 2},
    )
    assert list(found.by_class) == ["opacity", "nodule"]
    assert list(found.by_reviewer) == ["Ann", "", "Bob"]
