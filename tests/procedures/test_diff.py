"""Two subjects or two audits: what got worse stands first, paired where rows are shared."""

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.engine import Registry, Store
from roadworthy.procedures.audit import Request, audit
from roadworthy.procedures.diff import diff_audits, diff_subjects
from roadworthy.results import AtMost, Diff, Effect
from roadworthy.results.schema import diff_from_json, to_json
from roadworthy.subject import Split, Subject, Task

REGISTRY = Registry.discover()
CHECKS = ("error_rate", "calibration_error", "overfitting_gap", "exact_duplicates_across_splits")


def model(error: float, *, n: int = 3_000, seed: int = 0, rows: int = 0) -> Subject:
    """Recorded answers of a model on the same rows as every other one made with the same `rows`."""
    labels = np.random.default_rng(rows).integers(0, 2, n)
    rng = np.random.default_rng(seed + 1)
    luck = rng.random(n)  # shared by models of one seed: a worse one errs on more of the same rows
    predicted = np.where(luck < error, 1 - labels, labels)
    sure = np.clip(1 - error + 0.02 * rng.normal(size=n), 0.55, 0.99)
    p = np.where(predicted == 1, sure, 1 - sure)
    recorded = {"probabilities": np.stack([1 - p, p], axis=1)}
    places = np.arange(n) + 1_000_000 * rows
    split = Split(None, labels, source_rows=places, recorded=recorded)
    train = replace(split, source_rows=places + 500_000)
    return Subject(
        f"model {error:g}",
        Task("binary", ("no", "yes"), 1),
        "predictions",
        {"train": train, "test": split},
    )


def request(**changes: object) -> Request:
    own = {"error_rate": AtMost(0.2, "a test")}
    return replace(Request(only=CHECKS, requirements=own, fail_on=("fail", "error")), **changes)  # type: ignore[arg-type]


def between(one: Subject, other: Subject, **changes: object) -> Diff:
    return diff_subjects(one, other, REGISTRY, store=Store(), request=request(**changes))


def effect(found: Diff, check: str) -> Effect:
    return next(e for e in found.effects if e.check == check)


def test_a_worse_model_stands_first_and_fails() -> None:
    found = between(model(0.08), model(0.22))
    assert found.exit_code == 1
    assert found.paired == 3_000
    assert found.effects[0].check == "error_rate"
    worse = effect(found, "error_rate")
    assert worse.effect == "harmed"
    assert worse.difference is not None
    assert worse.difference.low <= 0.14 <= worse.difference.high
    assert (
        worse.difference.high - worse.difference.low < 0.04
    )  # paired: half of what it is unpaired
    assert diff_from_json(to_json(found)) == found


def test_a_better_model_passes_and_the_same_one_is_untouched() -> None:
    better = between(model(0.22), model(0.08))
    assert better.exit_code == 0
    assert effect(better, "error_rate").effect == "helped"
    same = between(model(0.1), model(0.1))
    assert {e.effect for e in same.effects} <= {"untouched", "not_measured"}
    assert same.exit_code == 0


def test_a_harm_within_the_margin_is_shown_and_tolerated() -> None:
    found = between(model(0.05, n=20_000), model(0.07, n=20_000), only=("error_rate",))
    assert effect(found, "error_rate").effect == "harmed"
    assert effect(found, "error_rate").non_inferior
    assert found.exit_code == 0


def test_few_rows_leave_it_open() -> None:
    found = between(model(0.1, n=60), model(0.15, n=60), fail_on=("fail", "error", "undecided"))
    assert found.exit_code == 2


def test_two_audits_are_paired_by_their_rows() -> None:
    runs = [
        audit(model(error), REGISTRY, store=Store(), request=request()) for error in (0.08, 0.22)
    ]
    tables = runs[0].rows, runs[1].rows
    # Recorded predictions have no inputs to hash; the rows are named by hand as an audit of inputs does.
    for table in tables:
        table.columns["row_id"][:] = np.arange(len(table.columns["row_id"]), dtype=np.uint64)  # type: ignore[index]
    found = diff_audits(runs[0].audit, runs[1].audit, tables, REGISTRY, request=request())
    assert found.paired == 3_000
    by_subject = effect(between(model(0.08), model(0.22)), "error_rate").difference
    by_audit = effect(found, "error_rate").difference
    assert by_subject is not None
    assert by_audit is not None
    assert (by_audit.low, by_audit.high) == pytest.approx((by_subject.low, by_subject.high))
    calibration = effect(found, "calibration_error")
    assert "independent" in calibration.reason
    alone = diff_audits(runs[0].audit, runs[1].audit, (None, None), REGISTRY, request=request())
    wider = effect(alone, "error_rate").difference
    assert alone.paired == 0
    assert wider is not None
    assert wider.high - wider.low > 1.2 * (by_audit.high - by_audit.low)
    assert any("independent samples" in note for note in alone.notes)


def test_other_rows_are_independent_samples() -> None:
    found = between(model(0.1), replace(model(0.2, seed=5, rows=3), name="elsewhere"))
    assert found.paired == 0
    assert effect(found, "error_rate").difference is not None


def test_audits_of_other_roles_are_said_to_measure_something_else() -> None:
    one = audit(model(0.1), REGISTRY, store=Store(), request=request()).audit
    two = replace(one, subject=replace(one.subject, roles={"sensitive": ("sex", "race")}))
    said = " ".join(diff_audits(one, two, (None, None), REGISTRY, request=request()).notes)
    assert "sensitive: none → sex, race" in said
    same = diff_audits(one, one, (None, None), REGISTRY, request=request())
    assert not any("roles" in note for note in same.notes)


def test_another_model_changes_no_labels() -> None:
    labels = request(only=("label_errors_in_test", "error_rate"))
    found = diff_subjects(model(0.08), model(0.22), REGISTRY, store=Store(), request=labels)
    of_labels = effect(found, "label_errors_in_test")
    assert of_labels.effect == "untouched"
    assert of_labels.difference is not None
    assert of_labels.difference.value == 0.0
    assert "not changed" in of_labels.reason
    other = model(0.08)
    flipped = other.with_target("test", 1 - other.splits["test"].target)  # type: ignore[operator]
    changed = diff_subjects(model(0.08), flipped, REGISTRY, store=Store(), request=labels)
    assert effect(changed, "label_errors_in_test").effect != "untouched"
