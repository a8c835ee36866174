"""What is to be seen in the panes of a window."""

from softcam_viewer.app import Viewer


def notices(viewer: Viewer) -> list[str]:
    """What the panes say in place of a map."""
    return [pane.notice.text for pane in viewer.window.grid.panes]


def has_maps(viewer: Viewer) -> list[bool]:
    """Which panes have one."""
    return [pane.overlay_map is not None for pane in viewer.session.panes.shown]
