"""What a model costs: to train, to ask, to keep."""

import time
from collections.abc import Mapping

import numpy as np

from roadworthy.engine import artifact, exists
from roadworthy.procedures.paired import Side
from roadworthy.results import Cost
from roadworthy.subject import Predictor

WEIGHTS = "weights"
MOST_ROWS = 1000
TIMES = 3
MOST_TIMES = 1000
LEAST_SECONDS = (
    0.1  # of timing: what takes microseconds is timed often, for its best is then steady
)
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@artifact()
def milliseconds_per_row(predictor: Predictor, test_inputs: np.ndarray) -> float:
    """CPU time of the model per row, over at most a thousand test rows, the best of three or more."""
    rows = test_inputs[:MOST_ROWS]
    spent: list[float] = []
    while len(spent) < TIMES or (sum(spent) < LEAST_SECONDS and len(spent) < MOST_TIMES):
        clock = time.process_time()
        predictor(rows)
        spent.append(time.process_time() - clock)
    return 1000.0 * min(spent) / max(len(rows), 1)


TIMING = milliseconds_per_row


def cost_of(side: Side) -> Cost:
    """Return what the model of a subject costs; None for what cannot be known of it.

    Seconds of training are those of the run that trained it. They are not known of a model that was trained
    together with others: alone it would have taken longer than its share.
    """
    names = [n for n in (WEIGHTS, TIMING.__name__) if exists(side.how.registry, side.fields, n)]
    known = side.values(names)
    weights, spent = known.get(WEIGHTS), known.get(TIMING.__name__)
    trained = WEIGHTS in names and WEIGHTS not in side.fields
    seconds = side.outcomes([WEIGHTS])[WEIGHTS].took if trained else None
    parameters, size = _size(weights)
    return Cost(
        training_seconds=None if seconds is None else round(seconds, 3),
        milliseconds_per_row=None if spent is None else float(spent),
        parameters=parameters,
        bytes=size,
    )


def _size(weights: object) -> tuple[int | None, int | None]:
    if not isinstance(weights, Mapping):
        return None, None
    arrays = {str(name): np.asarray(value) for name, value in weights.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of weights
    count = sum(a.size for name, a in arrays.items() if not name.endswith(BUFFERS))
    return count, sum(a.nbytes for a in arrays.values())
