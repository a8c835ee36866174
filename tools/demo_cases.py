"""Write the demo cases: phantoms that the demo model has never seen. Run by ``make demo-cases``."""

import shutil
from pathlib import Path

from softcam_core.data.phantom_files import write_phantoms

CASES = Path(__file__).parents[1] / "resources" / "demo" / "cases"
COUNT = 8
SIZE = 512
SEED = 42  # its first case has lesions to show


def main() -> None:
    """Replace resources/demo/cases."""
    work = CASES.with_name("cases.partial")
    shutil.rmtree(work, ignore_errors=True)
    write_phantoms(work, COUNT, seed=SEED, size=SIZE, vary_size=True, compress=True)
    shutil.rmtree(CASES, ignore_errors=True)
    (work / "images").rename(CASES)
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
