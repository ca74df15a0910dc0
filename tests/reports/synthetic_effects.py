"""Fixes, diffs and families of audits made up for tests: every state of a repair and of an effect."""

from dataclasses import replace

import numpy as np
import synthetic_audits as audits

from roadworthy.results import (
    EFFECTS_VERSION,
    Attempt,
    Audit,
    Candidate,
    Claim,
    Cost,
    Diff,
    Difference,
    Effect,
    Fix,
    Opening,
)

HOSTILE = audits.HOSTILE
CHECKS = (  # name, challenge, title, unit, before, larger is, margin, standard error of the difference
    ("label_errors", "data_quality", "Share of test labels that are wrong", "share of test rows", 0.031, "worse", 0.025, 0.004),
    ("duplicates_across_splits", "data_quality", "Test rows that stand in the training data", "share of test rows", 0.0002, "worse", 0.0005, 0.0001),
    ("inconsistent_values", "data_quality", "Values written in more than one way", "share of rows", 0.0002, "worse", 0.005, 0.0),
    ("missing_values", "data_quality", "Cells without a value", "share of cells", 0.011, "worse", 0.025, 0.0),
    ("rare_class_recall", "data_quality", "How many of the rarest class are found", "share of the rarest class", 0.81, "better", 0.05, 0.028),
    ("shortcut", "data_quality", "What one column alone gives away", "bits", 0.12, "worse", 0.1, 0.0),
    ("outliers", "data_quality", "Rows unlike all others", "rows", 12.0, "neither", None, 1.2),
    ("overfitting_gap", "generalization", "How much worse on new rows than on those learned from", "share of rows", 0.071, "worse", 0.025, 0.006),
    ("accuracy_below_simple_models", "generalization", "How much better the best simple model is", "share of test rows", 0.004, "worse", 0.01, 0.005),
    ("worst_class_error", "generalization", "Errors in the class with most errors", "share of the class", 0.092, "worse", 0.05, 0.013),
    ("seed_spread", "generalization", "Spread of the error over trainings", "share of test rows", 0.006, "worse", 0.005, 0.0014),
    ("test_error", "generalization", "Share of test rows that are wrong", "share of test rows", 0.047, "worse", 0.015, 0.0042),
    ("ranking_quality", "generalization", "How well scores put positive rows before negative ones", "probability of the right order", 0.964, "better", 0.01, 0.0031),
    ("calibration_error", "uncertainty", "How far stated confidence is from how often the model is right", "share of test rows", 0.087, "worse", 0.025, 0.0071),
    ("confidence_of_errors", "uncertainty", "How sure the model is where it is wrong", "share", 0.74, "worse", 0.05, 0.011),
    ("log_loss", "uncertainty", "Surprise at the true label", "nats per row", 0.262, "worse", 0.05, 0.0091),
    ("brier_score", "uncertainty", "Squared distance of the probabilities from the truth", "squared error per row", 0.0812, "worse", 0.02, 0.0026),
    ("selective_risk", "uncertainty", "Errors among the half that the model is surest of", "share of test rows", 0.009, "worse", 0.01, 0.0021),
    ("coverage_gap", "uncertainty", "Sets that miss the true label more often than promised", "share of test rows", 0.022, "worse", 0.02, 0.0056),
    ("group_calibration_gap", "uncertainty", "Largest difference of calibration between groups", "share of test rows", None, "worse", 0.025, 0.0),
)  # fmt: skip
SHIFTS = {  # what each repair does to each check, in its unit; checks not named are untouched
    "temperature_scaling": {
        "calibration_error": -0.066, "confidence_of_errors": -0.118, "log_loss": -0.081,
        "brier_score": -0.0094, "selective_risk": 0.0, "coverage_gap": -0.0031,
    },
    "label_smoothing": {
        "calibration_error": -0.031, "confidence_of_errors": -0.21, "log_loss": 0.034,
        "brier_score": -0.004, "selective_risk": 0.0046, "coverage_gap": 0.002, "test_error": 0.0024,
        "worst_class_error": 0.011, "ranking_quality": -0.0021, "overfitting_gap": -0.013,
        "seed_spread": 0.0004, "accuracy_below_simple_models": 0.001, "rare_class_recall": -0.015,
        "label_errors": -0.0013, "outliers": 1.0,
    },
    "dropout": {
        "calibration_error": -0.012, "confidence_of_errors": -0.03, "log_loss": 0.052,
        "brier_score": 0.013, "selective_risk": 0.001, "coverage_gap": 0.006, "test_error": 0.0162,
        "worst_class_error": 0.058, "ranking_quality": -0.016, "overfitting_gap": -0.041,
        "seed_spread": -0.0004, "accuracy_below_simple_models": 0.0141, "rare_class_recall": -0.11,
        "label_errors": 0.0018, "outliers": -2.0,
    },
    "temperature_scaling + early_stopping": {
        "calibration_error": -0.069, "confidence_of_errors": -0.125, "log_loss": -0.093,
        "brier_score": -0.011, "selective_risk": -0.0012, "coverage_gap": -0.0042, "test_error": -0.0014,
        "worst_class_error": -0.006, "ranking_quality": 0.0011, "overfitting_gap": -0.0282,
        "seed_spread": 0.0021, "accuracy_below_simple_models": -0.001, "rare_class_recall": 0.01,
        "label_errors": 0.0002, "outliers": 0.0,
    },
}  # fmt: skip


def effect(mitigation: str, row: tuple, shift: float | None) -> Effect:
    """An effect as the procedure would call it, its interval twice the standard error to each side."""
    check, challenge, title, unit, before, larger_is, margin, error = row
    common = {
        "mitigation": mitigation, "check": check, "challenge": challenge, "title": title,
        "unit": unit, "larger_is": larger_is, "before": before, "required": margin is not None,
        "margin": margin,
    }  # fmt: skip
    bad = 1 if larger_is == "worse" else -1
    verdict = "note" if margin is None else "pass"
    if check in ("calibration_error", "overfitting_gap"):
        verdict = "fail"
    if before is None:
        return Effect(
            **common, after=None, verdict_before="not_run", verdict_after="not_run",
            difference=None, effect="not_measured", non_inferior=None,
            reason="no test rows have a group; give one with --sensitive COLUMN",
        )  # fmt: skip
    if shift is None:
        same = Difference(0.0, 0.0, 0.0, 360, "nothing it rests on was changed")
        return Effect(
            **common, after=before, verdict_before=verdict, verdict_after=verdict, difference=same,
            effect="untouched", non_inferior=margin and True,
        )  # fmt: skip
    low, high = shift - 2 * error, shift + 2 * error
    kind = "no_effect_shown"
    if larger_is != "neither" and (low > 0 or high < 0):
        kind = "harmed" if shift * bad > 0 else "helped"
    worst = high if bad > 0 else -low
    after, now = before + shift, verdict
    if check == "calibration_error":
        now = "pass" if after < 0.03 else "inconclusive" if after < 0.06 else "fail"
    if check == "overfitting_gap":
        now = "pass" if after < 0.035 else "fail" if after > 0.06 else "inconclusive"
    if check == "accuracy_below_simple_models" and after > 0.015:
        now = "fail"
    return Effect(
        **common, after=after, verdict_before=verdict, verdict_after=now,
        difference=Difference(shift, low, high, 360, "paired bootstrap", seeds=1, p_value=0.01),
        effect=kind, non_inferior=None if margin is None else worst < margin,
    )  # fmt: skip


def effects(mitigation: str, checks: tuple = CHECKS) -> tuple[Effect, ...]:
    return tuple(effect(mitigation, row, SHIFTS[mitigation].get(row[0])) for row in checks)


def difference(value: float, error: float, **changes: object) -> Difference:
    made = Difference(value, value - 2 * error, value + 2 * error, 360, "paired bootstrap")
    return replace(made, **changes)


def _points(value: float, error: float) -> str:
    low, high = (100 * (value + side * error) for side in (-2, 2))
    return f"{100 * value:.1f} points (95 % interval {low:.1f} to {high:.1f})"


def claims(shift: float, sham: float, holds: tuple[bool, ...]) -> tuple[Claim, ...]:
    weights, remedy, beyond, confirmed = holds
    made = (
        Claim(
            "these_weights", weights, f"The repaired model is better than the original: {_points(shift, 0.0071)}",
            "test", difference(shift, 0.0071),
        ),
        Claim(
            "this_remedy", remedy, f"Trained 5 times, the remedy is better than the original trained 5 times: {_points(0.95 * shift, 0.0052)}",
            "test", difference(0.95 * shift, 0.0052, seeds=5),
        ),
        Claim(
            "beyond_sham", beyond, f"The repaired model is better than its sham: {_points(shift - sham, 0.0078)}",
            "test", difference(shift - sham, 0.0078),
        ),
        Claim(
            "confirmed", confirmed, f"On the sealed rows the repaired model is better than the original: {_points(1.05 * shift, 0.012)}",
            "proof", difference(1.05 * shift, 0.012, n=118),
        ),
    )  # fmt: skip
    return made if weights else made[:3]


COST = Cost(11.83, 0.0412, 12_810, 53_902)


def candidates() -> tuple[Candidate, ...]:
    return (
        Candidate(
            "temperature_scaling", ("temperature_scaling",),
            "Divide the logits by one temperature, fitted on validation rows", "calibration_error",
            1.0, tuple(Attempt(s, v) for s, v in ((0.25, 0.071), (0.5, 0.049), (1.0, 0.024))),
            "a random temperature of the same size", 0.5,
            tuple(Attempt(s, v) for s, v in ((0.25, 0.086), (0.5, 0.084), (1.0, 0.093))),
            claims(-0.066, -0.002, (True, True, True, True)), COST,
            Cost(11.83, 0.0415, 12_811, 53_906), "accepted",
            "Better than its sham, confirmed on proof rows, and no required check's harm can exceed its margin",
            ("wraps the model: logits divided by 2.31",),
        ),
        Candidate(
            "label_smoothing", ("label_smoothing",),
            "Train towards labels that leave a little room for the other classes", "calibration_error",
            0.1, (Attempt(0.05, 0.07), Attempt(0.1, 0.055), Attempt(0.2, 0.062), Attempt(0.4, None, "training diverged")),
            "smoothing of none", None, (Attempt(0.05, 0.088), Attempt(0.1, 0.086), Attempt(0.2, 0.089)),
            claims(-0.031, -0.001, (True, True, True, False)), COST,
            Cost(12.1, 0.0411, 12_810, 53_902), "rejected",
            "It helps, but it can not be ruled out that selective_risk and rare_class_recall get worse by more than their margins",
            ("recipe.label_smoothing: 0 → 0.1",),
        ),
        Candidate(
            "dropout", ("dropout",), "Switch off random units while training", "overfitting_gap",
            0.5, (Attempt(0.1, 0.066), Attempt(0.3, 0.049), Attempt(0.5, 0.034)),
            "dropout of no unit", 0.1, (Attempt(0.1, 0.07), Attempt(0.3, 0.071), Attempt(0.5, 0.069)),
            claims(-0.041, 0.0, (True, True, True, True))[:3], COST,
            Cost(30.4, 0.0409, 12_810, 53_902), "rejected",
            "It narrows the gap by making the model worse: 6 required checks are harmed by more than their margin",
            ("recipe.dropout: 0 → 0.5", "recipe.epochs: 30 → 60"),
        ),
        Candidate(
            "temperature_scaling + early_stopping", ("temperature_scaling", "early_stopping"),
            "Both together", "calibration_error", 1.0, (), "both shams together", None, (),
            claims(-0.069, -0.002, (True, True, True, True)), COST,
            Cost(6.2, 0.0415, 12_811, 53_906), "accepted",
            "Each was accepted alone; together they harm nothing beyond its margin",
            ("wraps the model: logits divided by 2.12", "recipe.early_stopping: none → patience 5"),
        ),
        Candidate(
            "mixup", ("mixup",), "Train on mixtures of two rows", "calibration_error", None, (), "mixup of a row with itself",
            None, (), (), COST, Cost(), "error", "It raised ValueError: rows of unequal length",
            (), 'Traceback (most recent call last):\n  File "mitigations.py", line 31, in mixup\nValueError: rows of unequal length',
        ),
        Candidate(
            "rotation", ("rotation",), "Train on rotated copies", "overfitting_gap", None, (), "rotation by nothing",
            None, (), (), COST, Cost(), "not_applicable",
            "Rows of a table can not be rotated; give images, or leave it out",
        ),
    )  # fmt: skip


def fix_of(found: tuple[Candidate, ...], did: tuple[Effect, ...], **changes: object) -> Fix:
    audit = audits.audit_of(())
    made = Fix(
        EFFECTS_VERSION, audit.roadworthy_version, audit.subject, "standard", 0, 5, 0, True,
        ("calibration_error", "overfitting_gap"), found, did,
        (
            Opening("temperature_scaling", "calibration_error", "2026-01-02T12:04:00+00:00", 118, 1),
            Opening("temperature_scaling + early_stopping", "calibration_error", "2026-01-02T12:09:00+00:00", 118, 2),
        ),
        audits.findings(), audit.environment, ("118 of 478 test rows were set aside as proof rows",),
        audit.started, 341.0, 214, 37,
    )  # fmt: skip
    return replace(made, **changes)


def full() -> Fix:
    return fix_of(candidates(), tuple(e for name in SHIFTS for e in effects(name)))


def one() -> Fix:
    """A single repair that is rejected; the proof rows stay sealed."""
    return fix_of(candidates()[2:3], effects("dropout"), openings=(), complete=False, exit_code=1)


def empty() -> Fix:
    return fix_of((), (), openings=(), findings=(), targets=(), notes=())


def people() -> Fix:
    made = full()
    return replace(made, subject=replace(made.subject, name="diabetes", people=True))


def many() -> Fix:
    """Sixty checks, most of them without any effect, and twelve repairs with long names."""
    rng = np.random.default_rng(0)
    checks = tuple((f"{row[0]}_{i}" if i else row[0], *row[1:]) for i in range(3) for row in CHECKS)
    names = [
        f"{name.replace(' ', '')}_{'very_' * (i % 3)}long_{i}" for i in range(3) for name in SHIFTS
    ]
    did = []
    for name in names:
        for row in checks:
            strong = rng.random() < 0.06
            shift = float(rng.normal(0, 5 if strong else 0.4)) * row[-1]
            did.append(effect(name, row, shift if row[-1] else None))
    base = candidates()
    found = tuple(
        replace(base[i % 4], mitigation=name, parts=(name,)) for i, name in enumerate(names)
    )
    return fix_of(found, tuple(did))


def hostile() -> Fix:
    """Every text that a user or a stranger's repair can set is an attack."""
    first = replace(
        candidates()[0], mitigation=HOSTILE, parts=(HOSTILE,), title=HOSTILE, target=HOSTILE + "t",
        sham=HOSTILE, reason=HOSTILE, changes=(HOSTILE,), traceback=HOSTILE,
        attempts=(Attempt(0.5, 0.1, HOSTILE), Attempt(1.0, 0.1)),
        claims=tuple(replace(c, statement=HOSTILE) for c in candidates()[0].claims),
    )  # fmt: skip
    did = tuple(
        replace(e, mitigation=HOSTILE, check=HOSTILE + e.check[0], title=HOSTILE, unit=HOSTILE,
                challenge=HOSTILE, reason=HOSTILE)
        for e in effects("label_smoothing")[-3:]
    )  # fmt: skip
    subject = audits.hostile().subject
    openings = (Opening(HOSTILE, HOSTILE, HOSTILE, 1, 1),)
    return fix_of(
        (first,), did, subject=subject, openings=openings, notes=(HOSTILE,), profile=HOSTILE,
        targets=(HOSTILE,), roadworthy_version=HOSTILE, started=HOSTILE,
    )  # fmt: skip


def diff_of(did: tuple[Effect, ...], **changes: object) -> Diff:
    audit = audits.audit_of(())
    made = Diff(
        EFFECTS_VERSION, audit.roadworthy_version, replace(audit.subject, name="digits, main"),
        replace(audit.subject, name="digits, wider network", key="8d11a9b0c4e2f377"), "standard", 1,
        360, did, ("both were audited with the same profile and seed",), audit.started, 12.4,
    )  # fmt: skip
    return replace(made, **changes)


def diff() -> Diff:
    did = tuple(replace(e, mitigation="digits, wider network") for e in effects("dropout"))
    return diff_of(did)


def unpaired() -> Diff:
    """Two audits on other rows, without harm."""
    did = tuple(replace(e, mitigation="b") for e in effects("temperature_scaling"))
    return diff_of(did, paired=0, exit_code=0)


def family() -> tuple[Audit, ...]:
    """Four audits of like subjects: one clearly best, one that lacks checks, two named alike."""
    rng = np.random.default_rng(3)
    made = []
    for i, name in enumerate(("linear_model", "small & quick", "wide_network", "wide_network")):
        found = []
        for finding in audits.findings()[: 14 if i != 1 else 9]:
            if finding.value is None or finding.low is None or finding.high is None:
                found.append(finding)
                continue
            shift = (
                0.0
                if finding.verdict == "note"
                else float(rng.normal(0, 1)) * (finding.high - finding.low)
            )
            shift = (
                -0.06
                if (i, finding.check) == (2, "label_errors")
                else max(shift, -0.9 * finding.low)
            )
            found.append(
                replace(
                    finding,
                    value=finding.value + shift,
                    low=finding.low + shift,
                    high=finding.high + shift,
                )
            )
        audit = audits.audit_of(tuple(found))
        subject = replace(audit.subject, name=name, key=f"{i:016x}")
        made.append(replace(audit, subject=subject, seconds=10.0 * (i + 1)))
    return tuple(made)
