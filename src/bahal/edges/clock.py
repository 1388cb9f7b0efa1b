"""The clock of this process, read at the edge and handed to the journey."""

import functools

from bahal.shared.clock import Clock, clock_of


@functools.cache
def clock() -> Clock:
    """The instance's clock."""
    return clock_of()
