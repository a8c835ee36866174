"""Builds the application and hands its parts to each other."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from softcam_core import __version__
from softcam_viewer.jobs.garbage import Garbage
from softcam_viewer.jobs.lanes import Lanes, ThreadLane
from softcam_viewer.model.desk import Desk
from softcam_viewer.model.session import Session
from softcam_viewer.model.user_folders import UserFolders
from softcam_viewer.ui.appearance import Appearance
from softcam_viewer.ui.main_window import MainWindow

POLL_MS = 40
QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class Viewer:
    """The application's parts, and their end.

    Parameters
    ----------
    app : QApplication
    device : str
        Where networks run.
    theme : str
        "system", "dark" or "light"; "" for what the settings say.
    folders : UserFolders or None
        Where settings and sessions are kept; None to read and keep nothing, for tests, measurements and pictures.
    """

    def __init__(
        self, app: QApplication, device: str = "auto", theme: str = "", folders: UserFolders | None = None
    ) -> None:
        self.garbage = Garbage()
        self.lanes = tuple(ThreadLane(name) for name in (*Lanes._fields, "files"))
        *of_session, files = self.lanes
        lanes = Lanes(*of_session)
        self.session = Session(lanes, device)
        self.session.model_changed.connect(self.garbage.freeze)
        self.desk = Desk(self.session, lanes, files, folders)
        self.appearance = Appearance(app, self.desk.settings, theme)
        self.window = MainWindow(self.session, self.desk, self.appearance)

    @property
    def is_idle(self) -> bool:
        """True when nothing is being read or computed."""
        return all(lane.is_idle for lane in self.lanes)

    def close(self) -> None:
        """End the background threads, and write what is not written yet."""
        self.window.close()
        self.session.stop()
        for lane in self.lanes:
            lane.shut_down()
        self.desk.close()
        self.garbage.stop()


def log_qt_message(kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
    """Pass Qt's messages on to logging."""
    # The offscreen platform says this at each start; it has no window manager to tell sizes to.
    level = logging.DEBUG if text and "propagateSizeHints" in text else QT_LEVELS[kind]
    logging.getLogger("qt").log(level, "%s", text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``softcam-viewer``; returns its exit code."""
    arguments = _parser().parse_args(argv)
    qInstallMessageHandler(log_qt_message)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("softcam-viewer")
    # Pictures are the same for everybody, whatever they have set.
    folders = None if arguments.screenshot else UserFolders.of_user()
    viewer = Viewer(app, arguments.device, arguments.theme, folders)
    sys.excepthook = partial(_show_defect, viewer)
    messages: list[str] = []
    viewer.session.failed.connect(messages.append)
    viewer.desk.failed.connect(messages.append)

    def start() -> None:
        viewer.desk.jobs.start()
        # Only now: what is opened imports torch, and the window must not wait for it.
        if arguments.demo:
            viewer.window.open_demo()
        if arguments.model:
            viewer.desk.open_model(arguments.model)
        if arguments.paths:
            viewer.window.opening.open_all(arguments.paths)
        if arguments.screenshot:
            poll.start(POLL_MS)

    def take_screenshot() -> None:
        if not viewer.is_idle:
            return
        poll.stop()
        arguments.screenshot.parent.mkdir(parents=True, exist_ok=True)
        if viewer.window.grab().save(str(arguments.screenshot)):
            sys.stdout.write(f"Wrote {arguments.screenshot}\n")
        else:
            messages.append(f"{arguments.screenshot}: cannot be written.")
        app.quit()

    poll = QTimer()
    poll.timeout.connect(take_screenshot)
    viewer.window.painted.connect(start)
    viewer.window.show()
    viewer.window.grid.active.view.setFocus()
    code = app.exec()
    viewer.close()
    viewer.garbage.thaw()
    if arguments.screenshot and messages:
        sys.stderr.write("".join(f"softcam-viewer: {message}\n" for message in messages))
        return 2
    return int(code)


def _show_defect(viewer: Viewer, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log a defect and tell the user; the window stays up."""
    logging.getLogger(__name__).error("Unexpected error", exc_info=(kind, error, trace))
    viewer.session.failed.emit(f"Internal error: {kind.__name__}: {error}. Please report it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="softcam-viewer",
        description="Look inside medical image classifiers. Research use only. Not for diagnostic use.",
    )
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="images, folders of images, or a session (.softcam)"
    )
    parser.add_argument("--model", type=Path, help="a SoftCAM model (.safetensors)")
    parser.add_argument("--demo", action="store_true", help="open the bundled demo cases and model")
    parser.add_argument("--device", default="auto", help="auto (CUDA when present), cpu, cuda or cuda:N")
    parser.add_argument("--theme", choices=("system", "dark", "light"), default="", help="for this run alone")
    parser.add_argument("--screenshot", type=Path, metavar="PNG", help="write a picture of the window and quit")
    parser.add_argument("--version", action="version", version=f"softcam-viewer {__version__}")
    return parser
