"""Random numbers that depend on names and options alone, never on data, weights, code or versions.

Then two audits before and after a change compare the same noise, folds and subsamples.
"""

from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from roadworthy.engine.identity import Identifier


def generator(
    seed: int, name: str, options: Mapping[str, object] | None = None, first_row: int = 0
) -> np.random.Generator:
    """Return the generator that a node gets as `rng`.

    Parameters
    ----------
    seed : int
        Of the run.
    name : str
        Of the node.
    options : mapping of str to object, optional
    first_row : int
        Of the shard, where rows are computed in shards.
    """
    identity = Identifier().of((seed, name, dict(sorted((options or {}).items())), first_row))
    assert identity.unknown is None, f"options of {name} hold {identity.unknown}"
    entropy = int.from_bytes(sha256(identity.digest.encode()).digest()[:16], "little")
    return np.random.default_rng(np.random.SeedSequence(entropy))
