"""What compiled code prints past Python, kept from the screen."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

STANDARD_OUTPUT = 1


@contextmanager
def silenced() -> Generator[None]:
    """Send what is written to the standard output of the process nowhere within the block.

    A trace of a network that fails prints the whole program from compiled code, whatever Python says of its streams.
    """
    sys.stdout.flush()
    try:
        kept = os.dup(STANDARD_OUTPUT)
    except OSError:  # there is no standard output
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STANDARD_OUTPUT)
        yield
    finally:
        os.dup2(kept, STANDARD_OUTPUT)
        os.close(kept)
        os.close(nowhere)
