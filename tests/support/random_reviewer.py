"""A viewer without a window, whose user makes 1,000 random edits over several cases, and tells of each.

Called with the store, a model, a folder of images, the reviewer's name, a seed, and "one by one" for somebody who goes
on when all is saved, or "in bursts". Writes a line for each edit as it is handed over, ``saved N`` when the first N of
them are in the store, and ``told ...`` for each message to the user.
"""

import os
import random
import sys
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from softcam_core.annotations.annotation import VERDICTS
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle, Shape
from softcam_viewer.jobs.lanes import Lanes, ThreadLane
from softcam_viewer.model.session import Session

EDITS = 1000
MOST_AT_ONCE = 25
STATUSES = ("open", "in_review", "reviewed")

store, model, images, reviewer, seed, pace = sys.argv[1:]
rng = random.Random(int(seed))
app = QCoreApplication([])
lanes = Lanes(*(ThreadLane(name) for name in Lanes._fields))
session = Session(lanes, "cpu")
annotating = session.annotating
made = 0


def say(line: str) -> None:
    # By the system alone: what a buffer of ours held would be gone with the process.
    os.write(1, f"{line}\n".encode())


def put(edit, _put=annotating.book.put) -> None:
    global made
    say(edit.model_dump_json())
    made += 1
    _put(edit)


def wait(is_done) -> None:
    while not is_done():
        app.processEvents()
        time.sleep(0.0005)


def is_in_view() -> bool:
    image = session.film.image
    return (
        image is not None
        and image.source == session.cases[session.row].path
        and session.panes.active.overlay_map is not None
        and annotating.case != ""
    )


def shape() -> Shape:
    top, left = rng.uniform(0, 40), rng.uniform(0, 40)
    return rng.choice(
        (
            Rectangle(top=top, left=left, height=7, width=8),
            Ellipse(row=top, column=left, down=6, across=4),
            Polygon(points=tuple((rng.uniform(0, 48), rng.uniform(0, 48)) for _ in range(9)), is_freehand=True),
            Bitmap(top=top, left=left, bottom=top + 8, right=left + 8, size=(4, 4), counts=(1, 6, 3, 6)),
        )
    )


def act() -> None:
    """Something that a user does; the user may do it in vain."""
    own = [annotation.id for annotation in annotating.annotations if annotating.may_change(annotation)]
    match rng.choice(("draw", "draw", "flag", "change", "reshape", "remove", "undo", "undo", "redo", "review")):
        case "draw":
            annotating.draw(shape(), rng.choice(list(VERDICTS)))
        case "flag":
            session.panes.active.set_overlay(threshold=rng.uniform(0, 0.6))
            annotating.flag_at(rng.uniform(0, 64), rng.uniform(0, 64), rng.choice(list(VERDICTS)))
        case "change" if own:
            annotating.change(rng.choice(own), comment=f"said {rng.random()}")
        case "reshape" if own:
            annotating.change(rng.choice(own), shape=shape())
        case "remove" if own:
            annotating.remove(rng.choice(own))
        case "undo":
            annotating.undo()
        case "redo":
            annotating.redo()
        case "review":
            annotating.set_review(status=rng.choice(STATUSES), comment=f"said {rng.random()}")


annotating.book.put = put
annotating.saved_changed.connect(lambda: say(f"saved {made - annotating.unsaved}"))
for told in (annotating.failed, session.failed):
    told.connect(lambda message: say(f"told {message}"))
annotating.book.use_store(Path(store))
annotating.use_reviewer(reviewer)
session.open_model(Path(model))
session.open_paths([Path(images)])
wait(lambda: len(session.cases) > 0)
wait(is_in_view)
say("begins")
while made < EDITS:
    if rng.random() < 0.05:
        session.select(rng.randrange(len(session.cases)))
    if pace == "one by one":
        wait(is_in_view)
        act()
        wait(lambda: annotating.unsaved == 0)
    else:
        for _ in range(rng.randrange(1, MOST_AT_ONCE)):
            act()
        app.processEvents()
wait(lambda: annotating.unsaved == 0)
