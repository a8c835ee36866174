"""Does the elastic net keep accuracy, make evidence sparse, and point better than Grad-CAM on a black box?

Trains dense, lasso, ridge and elastic SoftCAMs and a black box, three seeds each, on phantoms with small lesions (eyes)
and with large ones (chests); the coefficients are chosen on validation images. Writes build/studies/elastic.json and
docs/study-elastic.md. Runs stay in build/studies/elastic and are used again, so that what was interrupted goes on. Run
by ``make study-elastic``; most of an hour on two cores.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from elastic_report import figures_of, write_report
from elastic_trials import BLACK_BOX_SEEDS, DATA, DENSE, SEEDS, Trial, candidates, measured, run_trial, variants
from measuring import machine, write_study
from tqdm import tqdm

from softcam_core.data.phantom_files import write_phantoms

WEIGHTS = Path("../shared/data/weights_squeezenet1_1/squeezenet1_1_imagenet.pth")
ROOT = Path("build/studies/elastic")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--init", type=Path, default=WEIGHTS, help="SqueezeNet 1.1's ImageNet weights")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time, one thread each")
    parser.add_argument("--fresh", action="store_true", help="train everything again")
    arguments = parser.parse_args()
    if not arguments.init.is_file():
        print(f"skipped: {arguments.init} is not there")
        return 0
    if arguments.fresh and ROOT.exists():
        shutil.rmtree(ROOT)
    for data in DATA.values():
        if not (ROOT / data.kind / "manifest.csv").exists():
            make_phantoms(data.kind)
    tried = [v.trial(kind, SEEDS[0]) for kind in DATA for v in candidates(kind)]
    run_all(tried, "val", arguments.init, arguments.jobs)
    trials = [DENSE.trial(kind, seed) for kind in DATA for seed in BLACK_BOX_SEEDS]
    trials += [v.trial(kind, seed) for kind in DATA for v in variants(kind, ROOT) for seed in SEEDS]
    run_all(trials, "test", arguments.init, arguments.jobs)
    seconds = sum(float(measured(trial, "val", ROOT)["seconds"]) for trial in tried)
    # The first seed's were trained for the choice.
    seconds += sum(float(measured(t, "test", ROOT)["seconds"]) for t in trials if t not in tried)
    report = {
        "machine": machine(),
        "jobs": arguments.jobs,
        "minutes_of_training_and_judging": round(seconds / 60, 1),
        "seeds": list(SEEDS),
        "data": {kind: figures_of(kind, ROOT) for kind in DATA},
    }
    write_study("elastic", report)
    write_report(report, Path("docs/study-elastic.md"))
    print(Path("docs/study-elastic.md").read_text())
    return int(not all(target["met"] for data in report["data"].values() for target in data["targets"].values()))


def make_phantoms(kind: str) -> None:
    """Write a data set beside its place and then move it there, so that a half one is never taken for a whole."""
    data = DATA[kind]
    part = ROOT / f"{kind}.part"
    shutil.rmtree(part, ignore_errors=True)
    with tqdm(total=data.count, unit="phantom", desc=kind, disable=None) as bar:
        write_phantoms(
            part,
            data.count,
            kind=data.kind,
            seed=data.seed,
            size=data.size,
            splits=data.splits,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    shutil.rmtree(ROOT / kind, ignore_errors=True)
    part.rename(ROOT / kind)


def run_all(trials: Sequence[Trial], split: str, init: Path, jobs: int) -> None:
    """Run the trials that have not been, several at a time."""
    # Several processes share the cores: threads of each would wait for each other.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        start = time.monotonic()
        new = [trial for trial in trials if not trial.table(split, ROOT).exists()]
        waiting = [pool.submit(run_trial, trial, split, ROOT, init) for trial in new]
        for number, done in enumerate(as_completed(waiting), start=1):
            minutes = (time.monotonic() - start) / 60
            print(f"{number} of {len(waiting)} runs, {minutes:.1f} min: {done.result()}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
