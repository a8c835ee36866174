"""The SoftCAM viewer: a desktop application on top of `softcam_core`."""
