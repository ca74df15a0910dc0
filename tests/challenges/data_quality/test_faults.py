"""Every fault of the room: nothing at severity 0, found when harmful, silent when clean."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from roadworthy.engine import FaultMark, Marked, Registry, Store
from roadworthy.procedures.selftest.bench import Bench, Computing
from roadworthy.procedures.selftest.ladder import Rung
from roadworthy.procedures.selftest.plan import Trial, planned
from roadworthy.procedures.selftest.repetition import planted_subject, repeated
from roadworthy.subject import Attribute, Column, Roles, Split, Subject, Task

ROOM = "roadworthy.challenges.data_quality"
REGISTRY = Registry.discover()
CLASSES = ("low", "mid", "high")


def split(n: int, rng: np.random.Generator, start: int) -> Split:
    labels = rng.integers(0, 3, n)
    numeric = rng.normal(size=(n, 6)) + 2.5 * np.eye(6)[labels]
    numeric[:, 0] = rng.normal(170, 8, n)
    inputs = np.concatenate([numeric, rng.integers(0, 3, (n, 1)).astype(float)], axis=1)
    sex = Attribute(rng.integers(0, 2, n), ("f", "m"))
    logits = rng.normal(size=(n, 3)) + 8 * np.eye(3)[labels]  # some are surer than others
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Split(
        inputs, labels, {"sex": sex}, np.arange(start, start + n), {"probabilities": probabilities}
    )


def table() -> Subject:
    rng = np.random.default_rng(0)
    columns = tuple(Column(f"x{j}", "numeric") for j in range(6))
    return Subject(
        "table",
        Task("multiclass", CLASSES),
        "table",
        {"train": split(1200, rng, 0), "validation": split(300, rng, 1200), "test": split(900, rng, 1500)},
        (*columns, Column("colour", "category", ("red", "green", "blue"))),
        Roles(target="y", sensitive=("sex",)),
    )  # fmt: skip


def pictures() -> Subject:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(1)
    noise = rng.normal(size=(800, 20, 20))
    smooth = gaussian_filter(noise, (0, 1.5, 1.5)).astype(np.float32)
    labels = rng.integers(0, 3, 800)
    rows = np.arange(800)
    whole = Split(smooth, labels, {}, rows)
    return Subject(
        "pictures",
        Task("multiclass", CLASSES),
        "array",
        {"train": whole.take(rows[:500]), "test": whole.take(rows[500:])},
    )


ON_PICTURES = ("corner_shortcut", "near_duplicates_across_splits")
HARMFUL = {
    "mixed_units": 0.05,
    "numbers_as_text": 3 / 7,
    "near_duplicates_across_splits": 0.05,
    "label_errors_in_train": 0.15,
    "label_errors_in_test": 0.15,
    "missing_by_label": 0.4,
    "missing_by_group": 0.4,
    "conflicting_labels": 0.03,
    "exact_duplicates_within_train": 0.2,
}
SHARES = ("single_column_leakage", "corner_shortcut", "label_from_origin", "rarest_class_missed")


def trials() -> Iterator[Trial]:
    mine = [n for n, c in REGISTRY.checks.items() if c.module.startswith(ROOM)]
    yield from planned(REGISTRY, mine)[0]


TRIALS = {trial.fault.name: trial for trial in trials()}


@pytest.fixture(scope="module")
def benches() -> dict[str, Bench]:
    computing = Computing(REGISTRY, Store(None), 0, {}, {})
    return {"table": Bench(table(), computing), "pictures": Bench(pictures(), computing)}


def bench_of(benches: dict[str, Bench], trial: Trial) -> Bench:
    return benches["pictures" if trial.check.name in ON_PICTURES else "table"]


@pytest.mark.parametrize("name", TRIALS)
def test_severity_zero_changes_nothing(name: str, benches: dict[str, Bench]) -> None:
    trial = TRIALS[name]
    clean, planted = planted_subject(bench_of(benches, trial), trial, 0.0, 1)
    assert set(clean.splits) == set(planted.splits)
    for split_name, one in clean.splits.items():
        other = planted.splits[split_name]
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.target, other.target)
        np.testing.assert_array_equal(one.source_rows, other.source_rows)
        for attribute, values in one.attributes.items():
            np.testing.assert_array_equal(values.values, other.attributes[attribute].values)
    assert clean.columns == planted.columns


@pytest.mark.parametrize("name", TRIALS)
def test_the_control_is_not_called_faulty_and_the_fault_is_found(
    name: str, benches: dict[str, Bench]
) -> None:
    trial = TRIALS[name]
    bench = bench_of(benches, trial)
    harmful = HARMFUL.get(trial.check.name, 1.0 if trial.check.name in SHARES else 0.02)
    if name == "alarms_that_are_wrong":
        harmful = 1.0
    clean = repeated(bench, trial, Rung("clean", 0.0), 0)
    found = repeated(bench, trial, Rung("harmful", harmful), 0)
    assert clean.verdict in ("pass", "inconclusive"), clean.reason
    assert found.verdict == "fail", found
    if found.is_fact and name != "training_rows_copied_nearly":  # a search can miss
        assert found.estimate == pytest.approx(found.truth, abs=1.5 / (found.n or 1))
    if found.localised is not None:
        assert found.localised >= 0.5


def test_every_check_with_a_bound_has_a_fault() -> None:
    judged = {
        n for n, c in REGISTRY.checks.items() if c.module.startswith(ROOM) and c.mark.requires
    }
    assert {trial.check.name for trial in TRIALS.values()} == judged


def of_room(marked: Marked) -> bool:
    return marked.module.startswith(ROOM)


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, m in REGISTRY.natural_faults.items()
        if of_room(m) and m.mark.breaks != "near_duplicates_across_splits"
    ],
)
def test_published_data_are_judged_as_their_ground_truth_says(name: str, data_dir: Path) -> None:
    from roadworthy.procedures.selftest.natural import observed

    marked = REGISTRY.natural_faults[name]
    if not (data_dir / marked.mark.data).exists():
        pytest.skip(f"{data_dir / marked.mark.data} is not there")
    computing = Computing(REGISTRY, Store(None), 0, {}, {})
    record = observed(marked, REGISTRY.checks, computing, data_dir, trains=False)
    assert record.verdict in record.expected


def test_counts_of_pima_and_wine_are_the_published_ones(data_dir: Path) -> None:
    from roadworthy.challenges.data_quality.codes import codes_in
    from roadworthy.challenges.data_quality.faults.natural import (
        hidden_zeros_of_pima,
        repeated_wines,
    )
    from roadworthy.challenges.data_quality.faults.rows import pooled_inputs

    if not (data_dir / "tab_pima").is_dir() or not (data_dir / "tab_wine").is_dir():
        pytest.skip("no Pima or Wine data")
    pima = hidden_zeros_of_pima(data_dir).subject
    inputs = pooled_inputs(pima)
    zeros = {
        column.name: code.rows
        for j, column in enumerate(pima.columns)
        for code in codes_in(inputs[:, j])
        if code.value == 0
    }
    assert zeros == {
        "glucose": 5,
        "blood_pressure": 35,
        "skin_thickness": 227,
        "insulin": 374,
        "bmi": 11,
    }
    wine = repeated_wines(data_dir).subject
    domain = np.concatenate([s.attributes["domain"].values for s in wine.splits.values()])
    rows = np.concatenate([s.inputs for s in wine.splits.values()])
    rows = np.column_stack([rows, np.concatenate([s.target for s in wine.splits.values()])])
    repeats = [int((domain == d).sum() - len(np.unique(rows[domain == d], axis=0))) for d in (0, 1)]
    assert sorted(repeats) == [240, 937]


def test_marks_name_severities_from_below_to_above_the_bound() -> None:
    for trial in TRIALS.values():
        assert isinstance(trial.fault.mark, FaultMark)
        severities = trial.fault.mark.severities
        assert min(severities) <= trial.requirement.bound <= max(severities)
