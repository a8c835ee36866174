"""The notice that the window and every export carry."""

NOTICE = "Research use only. Not for diagnostic use."
