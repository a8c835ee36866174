"""What the command line's exit status means."""

EXIT_OK = 0
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130
