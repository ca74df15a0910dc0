"""One attack after another on whoever still stands: the cheapest first, every success confirmed.

Each row is attacked by itself, whatever stands beside it, so that a set of rows may be cut anywhere. What depends on
the whole set (a doubt) is decided between two cascades, never within one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from roadworthy.errors import UserError
from roadworthy.perturbation.attack import Attack, Found, Points, is_wrong, margin, verified
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.threat import Threat

COLUMNS = (
    "correct",
    "broken",
    "attack",
    "distance",
    "clean_margin",
    "margin",
    "forward",
    "backward",
)
"""Of a table of outcomes, each float64, NaN where a row was not attacked.

`correct` and `broken`: 0 or 1; a row that was wrong to begin with is not broken. `attack`: position of the attack
that broke the row among those of the cascade, NaN where none did. `distance`: the least at which the answer was seen
wrong, 0 where it was wrong to begin with, NaN where it never was. `clean_margin`, `margin`: logit of the label minus
the largest other, at the row and at the worst point found. `forward`, `backward`: passes.
"""
HALVINGS = 8  # of the way back from a wrong answer, to see how near one begins


@dataclass(frozen=True)
class OnNearlyBroken:
    """An attack on those rows alone that the attacks before it have nearly broken.

    Patience pays there: on small networks what 40 steps miss and 100 break has lost all but a hundredth of its margin.

    Parameters
    ----------
    attack : Attack
    left : float
        Largest share of its margin that such a row has left.
    """

    attack: Attack
    left: float = 0.1

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"{self.attack.name}, where at most {self.left:.0%} of the margin is left".replace(
            "%", " %"
        )

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        return self.attack(model, points, threat)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """A table of outcomes by column.

    Parameters
    ----------
    table : (n, k) float64 ndarray
        Columns as in `COLUMNS`.
    """

    table: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> np.ndarray:
        """Return a column by its name: (n,) float64."""
        return self.table[:, COLUMNS.index(name)]

    @property
    def attacked(self) -> np.ndarray:
        """Rows that were attacked: (n,) bool."""
        return ~np.isnan(self.column("correct"))

    @property
    def correct(self) -> np.ndarray:
        """Rows answered right before the attack: (n,) bool."""
        return self.column("correct") == 1

    @property
    def broken(self) -> np.ndarray:
        """Rows answered right before, and wrong within the threat: (n,) bool."""
        return self.column("broken") == 1

    @property
    def standing(self) -> np.ndarray:
        """Rows answered right before, for which no wrong answer was found: (n,) bool."""
        return self.correct & ~self.broken

    @property
    def distance(self) -> np.ndarray:
        """Least distance of a wrong answer: (n,) float64, infinite where none was found."""
        found = self.column("distance")
        return np.where(np.isnan(found) & self.attacked, np.inf, found)

    def broken_by(self, attack: int) -> np.ndarray:
        """Rows that the attack at this position broke: (n,) bool."""
        return self.column("attack") == attack


def cascade(
    model: AttackedModel,
    points: Points,
    threat: Threat,
    attacks: Sequence[Attack],
    *,
    first: int = 0,
) -> np.ndarray:
    """Attack rows one attack after another, each only those that stand: (n, k) float64, columns as in `COLUMNS`.

    Parameters
    ----------
    model : AttackedModel
    points : Points
    threat : Threat
    attacks : sequence of Attack
        What one of them raises goes up.
    first : int
        Position of the first of them, where they continue another cascade.

    Raises
    ------
    UserError
        When an attack gives back what it should not: rows lost, or a point outside of the threat.
    """
    progress = _Progress(model, points, threat)
    for position, attack in enumerate(attacks, start=first):
        if threat.size == 0 or not progress.run(attack, position):
            break
    return progress.table()


def continued(
    before: np.ndarray,
    model: AttackedModel,
    points: Points,
    threat: Threat,
    attacks: Sequence[Attack],
    *,
    first: int,
) -> np.ndarray:
    """Attack the rows that stand after a first cascade by further attacks, and return the outcomes of both."""
    standing = np.flatnonzero(Outcomes(before).standing)
    after = before.copy()
    if len(standing) == 0 or not attacks:
        return after
    rows = torch.from_numpy(standing).to(points.inputs.device)
    more = cascade(model, points.take(rows), threat, attacks, first=first)
    for name in ("forward", "backward"):
        more[:, COLUMNS.index(name)] += before[standing, COLUMNS.index(name)]
    least = COLUMNS.index("margin")
    more[:, least] = np.minimum(more[:, least], before[standing, least])
    after[standing] = more
    return after


def remade(
    model: AttackedModel,
    points: Points,
    threat: Threat,
    attacks: Sequence[Attack],
    outcomes: np.ndarray,
) -> Tensor:
    """Make the inputs again that broke rows, by the attack and the seed that did; other rows as they are.

    The points need the seed of the outcomes; then the inputs are the same up to rounding.
    """
    inputs = points.inputs.clone()
    by = Outcomes(outcomes).column("attack")
    for position in np.unique(by[~np.isnan(by)]).astype(int):
        rows = torch.from_numpy(np.flatnonzero(by == position)).to(inputs.device)
        inputs[rows] = attacks[position](model, points.take(rows), threat).inputs
    return inputs


class _Progress:
    """Who stands, and what became of the others."""

    def __init__(self, model: AttackedModel, points: Points, threat: Threat) -> None:
        self._model, self._points, self._threat = model, points, threat
        n = len(points)
        logits = model.told().logits(points.inputs)
        wrong = is_wrong(logits, points.labels)
        self._columns = {name: np.full(n, np.nan) for name in COLUMNS}
        self._columns["correct"] = _array(~wrong)
        self._columns["broken"] = np.zeros(n)
        self._columns["distance"][wrong.cpu().numpy()] = 0.0
        self._columns["clean_margin"] = _finite(margin(logits, points.labels))
        self._columns["margin"] = self._columns["clean_margin"].copy()
        self._columns["forward"] = np.ones(n)
        self._columns["backward"] = np.zeros(n)
        self._standing = (~wrong).nonzero()[:, 0]

    def run(self, attack: Attack, position: int) -> bool:
        """Run an attack on the rows that stand; return whether some still do."""
        rows = self._standing
        if isinstance(attack, OnNearlyBroken):
            rows = rows[self._is_nearly_broken(rows, attack.left)]
        if len(rows) == 0:
            return len(self._standing) > 0
        points = self._points.take(rows)
        before = (self._model.passes.forward, self._model.passes.backward)
        found = attack(self._model, points, self._threat)
        self._refuse_invalid(attack, points, found)
        spent = (
            self._model.passes.forward - before[0],
            self._model.passes.backward - before[1],
        )
        broken = verified(self._model, points, self._threat, found)
        at = rows.cpu().numpy()
        for name, counted, whole in (
            ("forward", found.forward, spent[0]),
            ("backward", found.backward, spent[1]),
        ):
            per_row = whole / len(rows) if counted is None else _array(counted)
            self._columns[name][at] += per_row
        self._columns["forward"][at] += 1  # of the confirmation
        worst = _finite(found.margin)
        self._columns["margin"][at] = np.minimum(self._columns["margin"][at], worst)
        self._note_broken(rows[broken], points.take(broken), found.inputs[broken], position)
        fell = torch.isin(self._standing, rows[broken])
        self._standing = self._standing[~fell]
        return len(self._standing) > 0

    def _is_nearly_broken(self, rows: Tensor, left: float) -> Tensor:
        at = rows.cpu().numpy()
        near = self._columns["margin"][at] <= left * self._columns["clean_margin"][at]
        return torch.from_numpy(near).to(rows.device)

    def table(self) -> np.ndarray:
        """Return the outcomes: (n, k) float64."""
        return np.stack([self._columns[name] for name in COLUMNS], axis=1)

    def _note_broken(self, rows: Tensor, points: Points, inputs: Tensor, position: int) -> None:
        if len(rows) == 0:
            return
        at = rows.cpu().numpy()
        self._columns["broken"][at] = 1.0
        self._columns["attack"][at] = position
        self._columns["distance"][at] = _array(
            nearest_wrong(self._model, points, self._threat, inputs)
        )
        self._columns["forward"][at] += HALVINGS

    def _refuse_invalid(self, attack: Attack, points: Points, found: Found) -> None:
        if found.inputs.shape != points.inputs.shape or len(found.margin) != len(points):
            raise UserError(
                f"The attack {attack.name} was given inputs of shape {tuple(points.inputs.shape)} and gave back "
                f"{tuple(found.inputs.shape)} with {len(found.margin)} margins; one worst point for each row was "
                "expected."
            )
        allowed = self._threat.allows(points.inputs, found.inputs.detach().float())
        if not bool(allowed.all()):
            row = int((~allowed).nonzero()[0, 0])
            far = float(self._threat.distance(points.inputs, found.inputs)[row])
            raise UserError(
                f"The attack {attack.name} left the threat {self._threat.name} on {int((~allowed).sum())} of "
                f"{len(points)} rows (one at distance {far:.6g}); what it found there says nothing."
            )


def nearest_wrong(model: AttackedModel, points: Points, threat: Threat, inputs: Tensor) -> Tensor:
    """Return the least distance at which the answer is seen wrong on the way to a wrong one: (n,).

    By bisection, so an upper bound on where wrong answers begin.
    """
    model = model.exact()
    right = torch.zeros(len(inputs), device=inputs.device)
    wrong = torch.ones_like(right)
    nearest = threat.distance(points.inputs, inputs)
    wide = [-1, *([1] * (inputs.ndim - 1))]
    for _ in range(HALVINGS):
        middle = (right + wrong) / 2
        at = points.inputs + middle.view(wide) * (inputs - points.inputs)
        at = threat.project(points.inputs, at)
        is_off = is_wrong(model.logits(at), points.labels) & threat.allows(points.inputs, at)
        nearest = torch.where(is_off, threat.distance(points.inputs, at), nearest)
        wrong = torch.where(is_off, middle, wrong)
        right = torch.where(is_off, right, middle)
    return nearest


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().astype(np.float64)


def _finite(values: Tensor) -> np.ndarray:
    """Margins as numbers: one that is none is as bad as can be."""
    return _array(values.nan_to_num(nan=torch.finfo(values.dtype).min))
