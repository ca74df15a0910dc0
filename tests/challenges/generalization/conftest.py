"""A trainer that fits in a millisecond, so that what is built on training is tested without torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from roadworthy.subject import Network, Recipe, Variant


@dataclass
class NearestMean:
    """Answers with the class whose mean is nearest (numbers: least squares), shaken by the recipe's seed.

    The source of a network says how much it is shaken.
    """

    inputs: np.ndarray
    target: np.ndarray
    network: Network = field(default_factory=lambda: Network(_no_module, "0"))
    recipe: Recipe = field(default_factory=Recipe)
    asked: list[Sequence[Variant]] = field(default_factory=list)

    def probabilities(
        self, variants: Sequence[Variant], inputs: np.ndarray | Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        self.asked.append(variants)
        each = [inputs] * len(variants) if isinstance(inputs, np.ndarray) else inputs
        return [self._answer(v, x) for v, x in zip(variants, each, strict=True)]

    def predictions(
        self, variants: Sequence[Variant], inputs: np.ndarray | Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        answers = self.probabilities(variants, inputs)
        return [a.argmax(axis=1) if a.ndim == 2 else a for a in answers]

    def _answer(self, variant: Variant, x: np.ndarray) -> np.ndarray:
        rows = np.arange(len(self.target)) if variant.rows is None else variant.rows
        train, y = self.inputs[rows], self.target[rows]
        seed = (variant.recipe or self.recipe).seed
        shake = float((variant.network or self.network).source)
        rng = np.random.default_rng(seed)
        if y.dtype.kind == "f":
            design = np.column_stack([train, np.ones(len(train))])
            weights = np.linalg.lstsq(design, y, rcond=None)[0]
            return np.column_stack([x, np.ones(len(x))]) @ weights + shake * rng.normal()
        c = int(self.target.max()) + 1
        means = np.stack([train[y == k].mean(axis=0) for k in range(c)])
        means += shake * rng.normal(size=means.shape)
        distance = ((x[:, None] - means) ** 2).sum(axis=2)
        odds = np.exp(-0.5 * (distance - distance.min(axis=1, keepdims=True)))
        return odds / odds.sum(axis=1, keepdims=True)


def _no_module() -> object:
    raise AssertionError("the fake trainer builds no module")


@dataclass(frozen=True)
class Data:
    """Training and test rows that are drawn alike."""

    train_inputs: np.ndarray
    train_target: np.ndarray
    test_inputs: np.ndarray
    test_target: np.ndarray

    def trainer(self, shake: str = "0") -> NearestMean:
        return NearestMean(self.train_inputs, self.train_target, Network(_no_module, shake))


def _data(kind: str, n: int = 300, n_test: int = 200) -> Data:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(n + n_test, 4))
    if kind == "regression":
        y = x @ [1.0, -0.5, 0.2, 0.0] + 0.5 * rng.normal(size=len(x))
    else:
        y = rng.integers(0, 3, len(x))
        x[:, :3] += 1.5 * np.eye(3)[y]
    return Data(x[:n], y[:n], x[n:], y[n:])


@pytest.fixture
def data() -> Callable[..., Data]:
    return _data
