"""``python -m softcam_core`` is ``softcam``, for torchrun and schedulers."""

import sys

from softcam_core.cli import main

sys.exit(main())
