"""How long work takes: what a cost is told by."""

import time


class Stopwatch:
    """Seconds of work since it began: the least of the time on the clock and of the processor's.

    On a machine that does other things besides, the clock counts those too; where several threads work at once, or a device
    does, the processor's time counts more than anybody waits. Each is right where the other is too long.
    """

    def __init__(self) -> None:
        self._clock, self._processor = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return min(
            time.perf_counter() - self._clock,
            time.process_time() - self._processor,
        )
