"""How long the training of a model took: kept beside its weights, which later runs find trained already."""

from hashlib import sha256

from roadworthy.engine import Finished, Outcome, Store

WEIGHTS = "weights"


def keep_training_time(event: object, store: Store) -> None:
    """Keep the seconds of an event that says that a model has been trained."""
    if isinstance(event, Finished) and event.name == WEIGHTS and event.key and not event.from_store:
        store.put(_key(event.key), float(event.seconds))


def training_time(weights: Outcome, store: Store) -> float | None:
    """Return the seconds of the run that trained a model; None where no run is known to have."""
    if weights.state != "done":
        return None
    kept = store.get(_key(weights.key)) if weights.key else None
    if kept is not None and isinstance(kept.value, float):
        return kept.value
    return None if weights.from_store else weights.seconds


def _key(of_weights: str) -> str:
    return sha256(f"seconds of training\n{of_weights}".encode()).hexdigest()
