"""Files of a case: regions that are left out, and the sign and threshold that are shown."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import segread

from softcam_core.export.case_files import FORMATS, CaseFiles
from softcam_core.ledger.regions import ledger_of


@pytest.fixture
def two_regions(explained, radiograph):
    """An image, and evidence with two regions for the class and one against it."""
    image = radiograph(np.arange(64 * 80, dtype=np.uint16).reshape(64, 80))
    explanation = explained(image)
    grid = np.zeros_like(explanation.grid)
    _, height, width = grid.shape
    grid[1, 0, 0], grid[1, height - 1, width - 1], grid[1, 0, width - 1] = 9, 6, -5
    return image, replace(explanation, grid=grid, offset=np.zeros(len(grid), np.float32))


def write(folder: Path, image, explanation, **options) -> str:
    files = CaseFiles(folder, **options)
    return files.write(image, explanation, (1, None), files.source(image, "case"), "case")


def strongest(two_regions) -> tuple[int, int]:
    """A pixel of R1."""
    row, column = np.argwhere(ledger_of(two_regions[1], 1, level=3.0).labels == 1)[0]
    return int(row), int(column)


def test_regions_that_are_left_out_are_not_in_the_segmentation(tmp_path, two_regions):
    row, column = strongest(two_regions)
    write(tmp_path, *two_regions, formats=("seg",), threshold=3.0, left_out=[(row, column, True)])
    segments = segread(tmp_path / "case_regions.dcm")
    assert [segments.get_segment_description(n).segment_label for n in segments.segment_numbers] == ["R2", "N1"]


def test_a_place_stands_for_a_region_of_its_own_sign_alone(tmp_path, two_regions):
    row, column = strongest(two_regions)
    write(tmp_path, *two_regions, formats=("seg",), threshold=3.0, left_out=[(row, column, False), (0, 0, False)])
    assert segread(tmp_path / "case_regions.dcm").number_of_segments == 3


def test_nothing_to_write_is_said(tmp_path, two_regions):
    labels = ledger_of(two_regions[1], 1, level=3.0).labels
    places = [(*np.argwhere(labels == number)[0], number < 3) for number in (1, 2, 3)]
    lack = write(tmp_path, *two_regions, formats=("seg",), threshold=3.0, left_out=places)
    assert "no regions are written" in lack
    assert not (tmp_path / "case_regions.dcm").exists()


def test_the_sign_that_is_shown_is_the_sign_that_is_written(tmp_path, two_regions):
    image, explanation = two_regions
    write(tmp_path, image, explanation, formats=("seg", "ledger"), threshold=3.0, sign="negative")
    assert [r.name for r in ledger_of(explanation, 1, level=3.0, sign="negative").regions] == ["N1"]
    segments = segread(tmp_path / "case_regions.dcm")
    assert segments.number_of_segments == 1
    lines = (tmp_path / "case_ledger.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["region", "N1", "Below threshold", "Offset", "Sum"]


def test_every_format_writes_a_file(tmp_path, two_regions):
    for name in FORMATS:
        folder = tmp_path / name
        folder.mkdir()
        assert write(folder, *two_regions, formats=(name,), threshold=3.0) == ""
        written = {path.name for path in folder.iterdir()} - {"case_image.dcm"}
        assert len(written) == 1
        assert all(path.stat().st_size > 100 for path in folder.iterdir())
