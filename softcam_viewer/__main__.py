"""``python -m softcam_viewer`` is ``softcam-viewer``."""

import sys

from softcam_viewer.app import main

sys.exit(main())
