"""How many answers turn when a row of a table is changed a little: numbers by a tenth of their spread, one category."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.challenges.evasion.attacking import Threatened, most_rows
from roadworthy.challenges.evasion.doubts import gradients_mislead, outputs_never_moved
from roadworthy.challenges.evasion.table_evidence import bars_of, curve_of, examples_of, words_of
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable, UserError
from roadworthy.results import AtMost, Measurement, doubted
from roadworthy.statistics import rate

if TYPE_CHECKING:
    from torch import Tensor

    from roadworthy.perturbation.model import AttackedModel
    from roadworthy.subject import Column, Predictor, Roles, Task

Threat = Mapping[
    str, Any
]  # Any: arrays, numbers and tuples by name, see `perturbation.cells.as_facts`

SPREADS = 0.1
"""Of a column: about what rounding, a slip of the pen or another day changes (a year of age, some hours of work)."""
SWAPS = 1
TOLERATED = AtMost(
    0.3, "house default: as for small changes of every value of an array; no law names a number"
)
FEWEST_SIZES = 3  # of margins of outputs that tell how sure a model is


@artifact()
def table_constraints(
    columns: "tuple[Column, ...]",
    roles: "Roles",
    *,
    fixed: str = "",
    rising: str = "",
    falling: str = "",
) -> Mapping[str, tuple[str, ...]]:
    """Names of columns that no one can change, that may only grow, and that may only shrink.

    Fixed are sensitive attributes, the entity, the time, identifiers and the source of a row, and what `fixed` names,
    with commas between.
    """
    names = [column.name for column in columns]
    asked = {"fixed": _listed(fixed), "rising": _listed(rising), "falling": _listed(falling)}
    unknown = sorted({name for of in asked.values() for name in of} - set(names))
    if unknown:
        raise UserError(
            f"The options of table_constraints name {', '.join(unknown)}; the columns are {', '.join(names)}."
        )
    both = set(asked["rising"]) & set(asked["falling"])
    if both:
        raise UserError(
            f"{', '.join(sorted(both))} may neither rise nor fall; name it in fixed instead."
        )
    by_role = (
        *roles.sensitive,
        *(r for r in (roles.entity, roles.time, roles.id, roles.domain, roles.source) if r),
    )
    kept = [name for name in names if name in by_role or name in asked["fixed"]]
    return {**asked, "fixed": tuple(kept)}


@artifact()
def table_threat(
    train_inputs: np.ndarray,
    columns: "tuple[Column, ...]",
    table_constraints: Mapping[str, tuple[str, ...]],
    *,
    spreads: float = SPREADS,
    swaps: int = SWAPS,
    budgets: str = "",
) -> Threat:
    """State what the adversary may do to a row, see `perturbation.cells.Cells`.

    Every number may move by `spreads` times its spread (interquartile range / 1.349), within the range of the training
    rows; whole numbers stay whole, so that a column whose spread is below ten units stays as it is. At most `swaps`
    categories, 0/1 columns or groups of 0/1 columns of which one is 1 may change to another that was seen in training.
    What is missing stays missing. `budgets` sets single columns, as in "age=0.2,debt=0": in spreads, 0 fixes one.
    """
    from roadworthy.perturbation.cell_budgets import cells_within
    from roadworthy.perturbation.cells import as_facts

    names = [column.name for column in columns]
    of = np.full(len(names), float(spreads))
    of[[c.kind != "numeric" for c in columns]] = 1.0
    for name, budget in _budgets(budgets, names).items():
        of[names.index(name)] = budget
    of[[name in table_constraints["fixed"] for name in names]] = 0.0
    threat = cells_within(
        np.asarray(train_inputs),
        np.array([c.kind == "numeric" for c in columns]),
        of,
        swaps=swaps,
        rising=[names.index(name) for name in table_constraints["rising"]],
        falling=[names.index(name) for name in table_constraints["falling"]],
        names=names,
    )
    return as_facts(threat)


@artifact(per="split")
def table_attacked_rows(
    row_ids: np.ndarray, columns: "tuple[Column, ...]", attack_budget: str
) -> np.ndarray:
    """Positions of the rows that are attacked: (m,) int64, ascending; chosen by their names, as `attacked_rows`."""
    del columns  # there for tables alone
    wanted = most_rows(attack_budget)
    if len(row_ids) <= wanted:
        return np.arange(len(row_ids))
    return np.sort(np.argsort(row_ids, kind="stable")[:wanted])


@artifact(per="split", stored=False)
def table_attacked_inputs(inputs: np.ndarray, table_attacked_rows: np.ndarray) -> np.ndarray:
    """Return the attacked rows as the model sees them: (m, d) float32."""
    return np.asarray(inputs)[table_attacked_rows].astype(np.float32)


@artifact(per="split", stored=False)
def table_attacked_labels(labels: np.ndarray, table_attacked_rows: np.ndarray) -> np.ndarray:
    """Labels of the attacked rows: (m,) int64."""
    return labels[table_attacked_rows]


@artifact(per="split", stored=False)
def table_attacked_ids(row_ids: np.ndarray, table_attacked_rows: np.ndarray) -> np.ndarray:
    """Names of the attacked rows: (m,) uint64."""
    return row_ids[table_attacked_rows]


@artifact(rows=True, cost="attack")
def test_table_attack(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_table_attacked_inputs: np.ndarray,
    test_table_attacked_labels: np.ndarray,
    test_table_attacked_ids: np.ndarray,
    table_threat: Threat,
    attack_budget: str,
    attack_seed: int,
) -> np.ndarray:
    """Outcome of changing cells, then the change that is needed of each column: (m, k + d) float64.

    First the columns of `perturbation.cascade.COLUMNS`; then of each column of the table, in rows that were broken,
    the share of its budget that was used (1 for a category that was swapped), after changes that were not needed were
    taken back one by one. NaN in rows that were not broken.
    """
    from roadworthy.perturbation.cascade import Outcomes, cascade, remade
    from roadworthy.perturbation.cell_attacks import attacks_on_cells, needed
    from roadworthy.perturbation.cells import from_facts

    cells = from_facts(table_threat)
    points = Threatened(
        test_table_attacked_inputs, test_table_attacked_labels, test_table_attacked_ids, attack_seed
    ).points()
    with _model(predictor, task, output_kind) as model:
        has_gradients = len(points) > 0 and model.has_gradients(points.inputs[:8])
        attacks = attacks_on_cells(attack_budget, has_gradients=has_gradients)
        table = cascade(model, points, cells, attacks)
        used = np.full(test_table_attacked_inputs.shape, np.nan)
        broken = np.flatnonzero(Outcomes(table).broken)
        if len(broken):
            import torch

            rows = torch.from_numpy(broken)
            moved = remade(model, points, cells, attacks, table)[rows]
            spared = needed(model, points.take(rows), cells, moved)
            used[broken] = cells.used(points.inputs[rows], spared).numpy()
    return np.concatenate([table, used], axis=1)


@check(challenge="evasion", requires=TOLERATED, least=100)
def adversarial_table_error(
    test_table_attack: np.ndarray,
    test_table_attacked_rows: np.ndarray,
    columns: "tuple[Column, ...]",
    table_threat: Threat,
    table_constraints: Mapping[str, tuple[str, ...]],
    attack_budget: str,
) -> Measurement:
    """Share of rows answered wrongly once numbers may move by a tenth of their spread and one category may change.

    One minus robust accuracy against an adversary who knows the model and edits rows of a table within the budget of
    every column (constraints as in Simonetto et al. 2022, "A unified framework for adversarial attack and defense in
    constrained feature space"): whole numbers stay whole, sensitive attributes stay, nothing leaves the range of the
    training rows. Gradients on numbers, a beam search over categories, and a random search by outputs alone; every
    success is confirmed by a fresh pass in float32 on a row that keeps all constraints. Rows that were wrong without any
    change count. Attacks can miss: the value is a lower bound on the harm.

    Unit: share of test rows.
    Qualified at: severity 0.6 of `table_rows_within_reach`, n = 200.
    Next: look at the columns that turn answers, have them verified at the source, or train on attacked rows.
    """
    from roadworthy.perturbation.cascade import COLUMNS, Outcomes
    from roadworthy.perturbation.cell_attacks import attacks_on_cells
    from roadworthy.perturbation.cells import from_facts

    outcomes = Outcomes(test_table_attack[:, : len(COLUMNS)])
    n, cells = len(outcomes), from_facts(table_threat)
    if n == 0:
        raise NotApplicable("there are no test rows to attack")
    if cells.size == 0:
        raise NotApplicable(
            "no column may change, so there is nothing to attack; see the options of table_threat"
        )
    wrong = int((~outcomes.standing).sum())
    attacks = attacks_on_cells(attack_budget, has_gradients=_followed_gradients(outcomes))
    names = [column.name for column in columns]
    measured = rate(
        wrong,
        n,
        unit="share of test rows",
        details=words_of(outcomes, cells, table_constraints["fixed"], attack_budget),
        evidence=(
            *bars_of(test_table_attack[:, len(COLUMNS) :], names),
            curve_of(outcomes),
            *examples_of(
                outcomes, test_table_attack[:, len(COLUMNS) :], test_table_attacked_rows, names
            ),
        ),
    )
    method = f"{measured.method}; {attack_budget} budget of attacks, which can miss"
    return doubted(replace(measured, method=method), _doubts(outcomes, len(attacks) - 1))


def _followed_gradients(outcomes: Any) -> bool:  # Any: Outcomes, which imports torch
    return bool((outcomes.column("backward") > 0).any())


def _doubts(outcomes: Any, blind: int) -> tuple[str, ...]:  # Any: see above
    """Say where the last attack, a blind search, speaks against the gradients, or had nothing to go by."""
    if not _followed_gradients(outcomes):
        return outputs_never_moved(outcomes) if _are_classes_alone(outcomes) else ()
    late = int(outcomes.broken_by(blind).sum())
    return gradients_mislead(late, int(outcomes.standing.sum()) + late)


def _are_classes_alone(outcomes: Any) -> bool:  # Any: see above
    """Whether outputs tell the class and not how sure it is; of a tree, whose steps are many, they tell more."""
    sizes = np.unique(np.abs(outcomes.column("clean_margin")))
    return len(sizes) < FEWEST_SIZES


@contextmanager
def _model(predictor: "Predictor", task: "Task", output_kind: str) -> "Generator[AttackedModel]":
    """Give the model as attacks on tables see it; a network that looks codes up is welcome here."""
    import torch

    from roadworthy.perturbation.model import AttackedModel, attacked

    if not task.is_classification:
        raise NotApplicable(
            "attacks look for another class, and the target of this task is a number"
        )

    def blind(inputs: "Tensor") -> "Tensor":
        return torch.from_numpy(np.asarray(predictor(inputs.cpu().numpy()), np.float32))

    def built(run: Any) -> "AttackedModel":  # Any: a module or a function
        is_probability = output_kind == "probabilities"
        return AttackedModel(run, len(task.classes), gives_probabilities=is_probability, chunk=512)

    if predictor.module is None:
        yield built(blind)
        return
    with attacked(predictor.module):
        yield built(predictor.module)


def _listed(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())


def _budgets(stated: str, names: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in _listed(stated):
        name, _, number = (text.strip() for text in part.partition("="))
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if name not in names or not found[name] >= 0:
            raise UserError(
                f'The option budgets of table_threat holds "{part}"; expected COLUMN=SPREADS with a number of at least '
                f"0 and a column of {', '.join(names)}."
            )
    return found
