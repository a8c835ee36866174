"""What the command line's exit status means, and which of several processes speaks."""

import os
from collections.abc import Mapping

EXIT_OK = 0
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130


def process_rank(environment: Mapping[str, str] = os.environ) -> int:
    """Number of this process in its run, as torchrun, Lightning or SLURM say; 0 where it is alone."""
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return int(next((environment[name] for name in names if name in environment), "0"))
