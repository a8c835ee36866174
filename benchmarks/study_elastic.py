"""Does the elastic net keep accuracy, make evidence sparse, and point better than Grad-CAM on a black box?

Trains dense, lasso, ridge and elastic SoftCAMs and a black box, three seeds each, on phantoms with small lesions (eyes)
and with large ones (chests). Writes build/studies/elastic.json and docs/study-elastic.md. Runs stay in
build/studies/elastic and are used again, so that what was interrupted goes on. Run by ``make study-elastic``; most of
an hour on two cores. With --search it trains one seed of each candidate coefficient, judges it on the validation
images, and prints what the choice in `elastic_trials` was made from.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from elastic_report import figures_of, write_report
from elastic_trials import CANDIDATES, DATA, SEEDS, Trial, measured, run_trial, trials_of
from measuring import machine, write_study
from tqdm import tqdm

from softcam_core.data.phantom_files import write_phantoms

WEIGHTS = Path("../shared/data/weights_squeezenet1_1/squeezenet1_1_imagenet.pth")
ROOT = Path("build/studies/elastic")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--init", type=Path, default=WEIGHTS, help="SqueezeNet 1.1's ImageNet weights")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time, one thread each")
    parser.add_argument("--search", action="store_true", help="judge candidate coefficients on validation images")
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
    if arguments.search:
        return search(arguments.init, arguments.jobs)
    seconds = run_all([t for kind in DATA for t in trials_of(kind)], "test", arguments.init, arguments.jobs)
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
    return int(not all(data["targets"][name]["met"] for data in report["data"].values() for name in data["targets"]))


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


def run_all(trials: Sequence[Trial], split: str, init: Path, jobs: int) -> float:
    """Run the trials that have not been, several at a time; seconds that all of them took, whenever they ran."""
    # Several processes share the cores: threads of each would wait for each other.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        start = time.monotonic()
        waiting = [pool.submit(run_trial, trial, split, ROOT, init) for trial in trials]
        for number, done in enumerate(as_completed(waiting), start=1):
            minutes = (time.monotonic() - start) / 60
            print(f"{number} of {len(waiting)} trials, {minutes:.1f} min: {done.result()}", flush=True)
    return sum(float(measured(trial, split, ROOT)["seconds"]) for trial in trials)


def search(init: Path, jobs: int) -> int:
    """Judge the candidates with the first seed on validation images."""
    trials = [Trial(kind, l1, l2, SEEDS[0]) for kind in DATA for l1, l2 in CANDIDATES[kind]]
    run_all(trials, "val", init, jobs)
    rows = []
    for trial in trials:
        found = measured(trial, "val", ROOT)
        figures = {name: round(float(np.mean(found[name])), 4) for name in ("gini", "near_zero", "mass", "hit")}
        rows.append(
            {"data": trial.kind, "l1": trial.l1, "l2": trial.l2, "auc": round(float(found["auc"]), 4), **figures}
        )
        print("  ".join(f"{name} {value}" for name, value in rows[-1].items()))
    (ROOT / "search.json").write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
