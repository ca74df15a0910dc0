"""A subject's model and rows, handed to the cascade of attacks."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from roadworthy.challenges.evasion.doubts import (
    gradients_are_cut,
    gradients_mislead,
    outputs_never_moved,
)
from roadworthy.errors import NotApplicable, UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from roadworthy.perturbation.attack import Attack, Points
    from roadworthy.perturbation.budgets import AttackBudget, Budget
    from roadworthy.perturbation.model import AttackedModel, Precision
    from roadworthy.perturbation.threat import Ball
    from roadworthy.subject import Predictor, Task

    Run = torch.nn.Module | Callable[[Tensor], Tensor]

DRAWS = 8  # calls of a network that draws random numbers and did not say so, whose mean is attacked
SEARCHES, CONFIRMS, JUDGES = "search", "confirmation", "verdict"
"""Streams of random numbers of one that did: none of them are those of its answers."""
TIMES = 4  # as many draws as its answers: of what confirms a claim, and of what judges it
COMPARED = 16  # rows, whose gradients must be the same another way
LOOKED_AT = 128  # rows; whether their logits are too large for cross-entropy
MOST_ROWS = {"quick": 200}
MOST_OTHERWISE = 1000


def most_rows(budget: str) -> int:
    """Return how many rows a budget has time for."""
    return MOST_ROWS.get(budget, MOST_OTHERWISE)


def require_share(node: str, eps: float, usual: float) -> None:
    """Refuse a size of a threat that is no share of the range of the inputs."""
    if not 0 <= eps <= 1:
        raise UserError(
            f"{node}.eps is {eps:g}; it is a share of the range of the inputs, from 0 to 1 (usual: {usual:.3g}). "
            f"Divide a size in the unit of the inputs by their range, as in --set {node}.eps=8/255."
        )


def refuse_outside(inputs: np.ndarray, input_range: tuple[float, float]) -> None:
    """Refuse rows with values outside of the stated range: a threat within it would not hold them."""
    low, high = input_range
    flat = inputs.reshape(len(inputs), -1)
    inside = (flat >= low) & (flat <= high)  # NaN is not inside
    bad = ~inside.all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        value = flat[row][~inside[row]][0]
        raise UserError(
            f"{int(bad.sum())} of {len(inputs)} test rows hold values outside of the stated range {low:g} to "
            f"{high:g}; the first is row {row} (counted from 0) with {value:g}. State the range that the inputs "
            "really have (--input-range LOW,HIGH), or mend these rows."
        )


@dataclass(frozen=True, eq=False)
class Threatened:
    """Rows to attack.

    Parameters
    ----------
    inputs : (m, ...) ndarray
    labels : (m,) int64 ndarray
    ids : (m,) uint64 ndarray
    seed : int
        Of the run.
    """

    inputs: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    seed: int

    def points(self) -> "Points":
        """Return the rows as attacks take them."""
        import torch

        from roadworthy.perturbation.attack import Points
        from roadworthy.perturbation.noise import RowNoise

        return Points(
            torch.from_numpy(np.array(self.inputs, np.float32)),
            torch.from_numpy(np.array(self.labels, np.int64)),
            RowNoise(np.asarray(self.ids), self.seed),
        )


@dataclass(frozen=True, eq=False)
class Attacking:
    """A subject's model under attack.

    Parameters
    ----------
    predictor : Predictor
    task : Task
    output_kind : str
    conduct : mapping of str to object, optional
        As `conduct` of the model returns it.
    """

    predictor: "Predictor"
    task: "Task"
    output_kind: str
    conduct: Mapping[str, object] | None = None

    @contextmanager
    def model(self) -> "Generator[Attacked]":
        """Give the model, in evaluation mode and frozen inside the block."""
        from roadworthy.perturbation.model import AttackedModel, attacked
        from roadworthy.perturbation.straight_through import reverse_through

        if not self.task.is_classification:
            raise NotApplicable(
                "attacks look for another class, and the target of this task is a number"
            )
        module, conduct = self.predictor.module, self.conduct or {}
        chunk = cast(int, conduct.get("chunk", 128))
        precision = cast("Precision", conduct.get("precision", "float32"))
        steps = bool(conduct.get("steps", False))

        def built(
            run: "Run",
            answers: "Run | None" = None,
            judge: "Run | None" = None,
            search: "torch.nn.Module | None" = None,
        ) -> "Attacked":
            model = AttackedModel(
                run,
                len(self.task.classes),
                gives_probabilities=self.output_kind == "probabilities",
                chunk=chunk,
                precision=precision,
                straight_through=steps,
                reverse=search and reverse_through(search, straight_through=steps),
                scale=cast(float, conduct.get("scale", 1.0)),
                answers=answers,
                judge=judge,
            )
            hastens = answers is None
            return Attacked(model, reverse=bool(conduct.get("reverse", False)), hastens=hastens)

        if module is None:
            yield built(*_blind(self.predictor))
            return
        _refuse_codes(module)
        with attacked(module, channels_last=True):
            yield built(*_seen_through(module, conduct))

    def first(
        self, rows: Threatened, threat: Mapping[str, object], budget: "AttackBudget"
    ) -> np.ndarray:
        """Attack every row: (m, k) float64."""
        from roadworthy.perturbation.cascade import cascade

        attacks, points = budget_of(budget, threat, self.conduct or {}).first, rows.points()
        with self.model() as attacked:
            model = attacked.hastened(points, attacks)
            return cascade(model, points, ball_of(threat), attacks)

    def second(
        self,
        before: np.ndarray,
        rows: Threatened,
        threat: Mapping[str, object],
        budget: "AttackBudget",
    ) -> np.ndarray:
        """Attack the rows that stand harder: (m, k) float64."""
        from roadworthy.perturbation.cascade import continued

        chosen, points = budget_of(budget, threat, self.conduct or {}), rows.points()
        with self.model() as attacked:
            model = attacked.hastened(points, chosen.escalated)
            ball, first = ball_of(threat), len(chosen.first)
            return continued(before, model, points, ball, chosen.escalated, first=first)


@dataclass(frozen=True, eq=False)
class Attacked:
    """The model inside the block of `Attacking.model`.

    Parameters
    ----------
    model : AttackedModel
    reverse : bool
        Its gradients come through onnxruntime where that gives the same.
    hastens : bool
        Its passes may run elsewhere; those of a network that draws random numbers may not.
    """

    model: "AttackedModel"
    reverse: bool = False
    hastens: bool = True

    def hastened(self, points: "Points", attacks: "tuple[Attack, ...]") -> "AttackedModel":
        """Return the model with faster passes: backward as was found out, forward where so many come that it pays."""
        from roadworthy.perturbation.budgets import queries
        from roadworthy.perturbation.forward import fastest_runner, reverse_of, trace_of

        if not self.hastens:
            return self.model
        passes = len(points) * queries(attacks)
        trace = trace_of(self.model, points.inputs) if self.reverse else None
        found = fastest_runner(self.model, points.inputs, passes, trace).of(self.model)
        if self.reverse:
            reverse = reverse_of(self.model, points.inputs[:COMPARED], trace)
            found.reverse = None if isinstance(reverse, str) else reverse
        return found

    def conduct(
        self, inputs: np.ndarray, labels: np.ndarray, *, is_timed: bool
    ) -> dict[str, object]:
        """Return how it is run: whether it has gradients, rows at a time, precision of the search."""
        import torch

        from roadworthy.perturbation.conduct import scale_of, timed, usual

        some = torch.from_numpy(np.array(inputs[:8], np.float32))
        has_gradients = self.model.has_gradients(some)
        is_cut = isinstance(self.model.module, torch.nn.Module) and not has_gradients
        seen = _seen_in(self.model.module, some[: self.model.chunk]) if has_gradients else {}
        found = usual(some)
        if is_timed and has_gradients and self.hastens:
            of = torch.from_numpy(np.array(labels[:8], np.int64))
            tried = copy(self.model)
            tried.straight_through = bool(seen.get("steps", False))
            found = timed(tried, some, of)
        if has_gradients:
            of = torch.from_numpy(np.array(labels[:LOOKED_AT], np.int64))
            many = torch.from_numpy(np.array(inputs[:LOOKED_AT], np.float32))
            scale = scale_of(self.model.told(), many, of)
            seen |= {} if scale == 1.0 else {"scale": scale}
        return {
            "gradients": has_gradients,
            "chunk": found.chunk,
            "precision": found.precision,
            **({"reverse": True} if found.reverse else {}),
            **({} if self.hastens else {"redrawn": True}),
            **({"cut": True} if is_cut else {}),
            **seen,
        }


def _blind(predictor: "Predictor") -> "tuple[Run, Run | None, Run | None]":
    """Return what a search of a black box asks, what its user is told and what judges, where these draw other numbers."""
    import torch

    from roadworthy.subject.random_answers import MeanOfCalls

    def through(call: "Callable[[np.ndarray], np.ndarray]") -> "Run":
        def run(inputs: "Tensor") -> "Tensor":
            return torch.from_numpy(np.asarray(call(inputs.cpu().numpy()), np.float32))

        return run

    call = predictor.call
    if isinstance(call, MeanOfCalls):
        asked, judge = call.redrawn(CONFIRMS, TIMES), call.redrawn(JUDGES, TIMES)
        return through(asked), through(call), through(judge)
    return through(predictor), None, None


def _seen_through(
    module: "torch.nn.Module", conduct: Mapping[str, object]
) -> "tuple[Run, Run | None, Run | None, torch.nn.Module | None]":
    """Return what confirms, what the user is told, what judges and what gives gradients, where these draw other numbers.

    Expectation over transformations (Athalye, Engstrom, Ilyas & Kwok 2018): the search follows the gradient of the mean
    over draws, what it claims is confirmed by other and more draws, and the verdict is of the mean over fresh ones.
    """
    from roadworthy.perturbation.straight_through import Averaged
    from roadworthy.subject.random_answers_module import Redrawn, draws_in

    if draws_in(module):
        confirms, judge = (Redrawn(module, stream, TIMES).eval() for stream in (CONFIRMS, JUDGES))
        return confirms, module, judge, Redrawn(module, SEARCHES).eval()
    run = Averaged(module, DRAWS).eval() if conduct.get("random", False) else module
    return run, None, None, None


def _seen_in(module: object, some: "Tensor") -> dict[str, object]:
    """Say where a network draws random numbers, or takes steps that gradients do not pass; nothing where neither."""
    import torch

    from roadworthy.perturbation.straight_through import has_steps, is_random

    assert isinstance(module, torch.nn.Module)
    seen = {"random": is_random(module, some), "steps": has_steps(module, some)}
    return {name: True for name, is_so in seen.items() if is_so}


def ball_of(threat: Mapping[str, object]) -> "Ball":
    """Return the threat that an artifact states."""
    from roadworthy.perturbation.threat import Ball

    return Ball(**threat)  # pyright: ignore[reportArgumentType] - its own fields, by name


def budget_of(
    name: "AttackBudget", threat: Mapping[str, object], conduct: Mapping[str, object]
) -> "Budget":
    """Return the attacks of a budget that this model can be attacked by."""
    from roadworthy.perturbation.budgets import budget

    return budget(
        name,
        ball_of(threat),
        has_gradients=bool(conduct.get("gradients", True)),
        is_undone=is_undone(conduct),
    )


def is_undone(conduct: Mapping[str, object]) -> bool:
    """Whether attacks undo something in the model that can hide its gradients."""
    return conduct.get("scale", 1.0) != 1.0 or bool(conduct.get("steps", False))


def surprises(
    outcomes: np.ndarray,
    threat: Mapping[str, object],
    budget: "AttackBudget",
    conduct: Mapping[str, object],
) -> tuple[str, ...]:
    """Say where an attack saw nothing: a network lets no gradients pass, they mislead, or outputs never moved."""
    from roadworthy.perturbation.cascade import Outcomes

    if cut := gradients_are_cut(conduct):
        return cut
    found = Outcomes(outcomes)
    gradient = len(budget_of(budget, threat, conduct).gradient)
    if gradient == 0:
        return () if ball_of(threat).size == 0 else outputs_never_moved(found)
    blind = int((found.column("attack") >= gradient).sum())
    return gradients_mislead(blind, int(found.standing.sum()) + blind)


def _refuse_codes(module: "Tensor | object") -> None:
    import torch

    assert isinstance(module, torch.nn.Module)
    if any(isinstance(m, torch.nn.Embedding | torch.nn.EmbeddingBag) for m in module.modules()):
        raise NotApplicable(
            "the model looks codes up in a table, and codes cannot be changed a little; attacks on arrays need "
            "inputs that are numbers"
        )
