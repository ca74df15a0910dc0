"""Audits made up for tests: every verdict, reason code and kind of evidence; people; hostile names; too much."""

import base64
import io
from dataclasses import replace
from typing import get_args

import numpy as np

from roadworthy.results import (
    SCHEMA_VERSION,
    AtLeast,
    AtMost,
    Audit,
    Axis,
    Bars,
    Counts,
    Curve,
    Environment,
    Estimate,
    Evidence,
    Example,
    Examples,
    Fact,
    Finding,
    Histogram,
    HistogramSeries,
    Intervals,
    Matrix,
    Multiplicity,
    Quantiles,
    ReasonCode,
    Record,
    Scatter,
    Series,
    SplitSize,
    SubjectSummary,
    Table,
    TwoCounts,
)

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'
REASON_CODES = get_args(ReasonCode)


def picture(seed: int) -> str:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((96, 96), Image.Resampling.NEAREST).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def evidence_of_every_kind(name: str = "income") -> tuple[Evidence, ...]:
    grid = tuple(i / 10 for i in range(11))
    return (
        Curve(
            "Stated confidence against how often it is right",
            Axis("Confidence", "share"),
            Axis("Right", "share of test rows"),
            (
                Series(
                    "model",
                    grid,
                    tuple(round(x**1.4, 4) for x in grid),
                    tuple(round(max(0.0, x**1.4 - 0.05), 4) for x in grid),
                    tuple(round(min(1.0, x**1.4 + 0.05), 4) for x in grid),
                ),
                Series("after scaling", grid, (None, *(round(x**1.1, 4) for x in grid[1:]))),
            ),
            reference="diagonal",
        ),
        Bars(
            "Rows whose value also stands spelled otherwise",
            Axis("Column"),
            Axis("Rows", "rows"),
            (name, "education", "workclass, as the person described it", "sex"),
            (1836, 412, 97, 3),
        ),
        Intervals(
            "Recall by class",
            Axis("Class"),
            Axis("Recall", "share of the class"),
            tuple(str(i) for i in range(6)),
            (0.98, 0.95, 0.91, 0.97, 0.83, 0.96),
            (0.93, 0.88, 0.82, 0.91, 0.72, 0.90),
            (1.0, 0.98, 0.96, 0.99, 0.91, 0.99),
            reference=0.9,
        ),
        Matrix(
            "What is taken for what",
            Axis("Label"),
            Axis("Model says"),
            ("cat", "dog", "horse"),
            ("cat", "dog", "horse"),
            ((52, 4, 0), (6, 47, 1), (0, 2, None)),
            Axis("Rows", "rows"),
        ),
        Histogram(
            "Loss of each row",
            Axis("Loss", "nats"),
            tuple(i / 4 for i in range(13)),
            (
                HistogramSeries("train", (90, 40, 22, 12, 8, 5, 3, 2, 1, 1, 0, 0)),
                HistogramSeries("test", (60, 38, 26, 17, 12, 9, 6, 5, 3, 2, 1, 1)),
            ),
            reference=1.1,
        ),
        Scatter(
            "Distance to the nearest training row",
            Axis("Distance in train", "standard deviations"),
            Axis("Distance in test", "standard deviations"),
            tuple(float(x) for x in np.round(np.random.default_rng(1).gamma(2, 1, 80), 3)),
            tuple(float(x) for x in np.round(np.random.default_rng(2).gamma(2, 1, 80), 3)),
            tuple("duplicate" if i % 7 == 0 else "other" for i in range(80)),
        ),
        Examples(
            "Rows to look at first",
            tuple(
                Example(
                    "test",
                    17 * (i + 1),
                    f"labelled {i % 10}, taken for {(i + 3) % 10} at 0.9{9 - i}",
                    0.99 - i / 100,
                    picture(i),
                )
                for i in range(8)
            ),
        ),
        Table(
            "Spellings",
            ("column", "value", "also as", "rows", "share", "known"),
            (
                ("sex", "Male", "male ", 31, 0.0123, True),
                (name, "<=50K", "<=50K.", 16281, 0.333333333, False),
                ("education", "HS-grad", None, 0, 1e-07, None),
            ),
        ),
    )


RECORD = Record(
    "classification, array, n about 1,000", 2000, 0.021, 0.024, 0.0, 0.86, 0.97, True,
    "in 2,000 repetitions on digits it found 97 % of harmful cases and failed no healthy subject",
)  # fmt: skip
MISSED = replace(RECORD, detected_harmful=0.61, qualified=False, summary="it found 61 % of harmful cases, asked for are 95 %")  # fmt: skip


def findings() -> tuple[Finding, ...]:
    every = evidence_of_every_kind()
    return (
        Finding(
            "label_errors", "data_quality",
            "Share of test labels that are wrong", "fail",
            "The whole interval, 6.0 % to 11.0 %, lies above the bound of 5 %",
            value=0.0812, low=0.0601, high=0.1098, level=0.95, n=1797, unit="share of test rows",
            method="Clopper-Pearson", seeds=1, distribution=Counts(146, 1797),
            requirement=AtMost(0.05, "house default; Northcutt et al. (2021) find 3.4 % on average"),
            p_value=0.000013, survives_correction=True,
            details="146 of 1,797 rows look wrong; most are 8 labelled as 1 and 9 labelled as 3",
            evidence=(every[6], every[3]), record=RECORD,
            next="Look through the rows listed, correct those that are wrong, and audit again",
            from_store=False, seconds=3.21,
        ),
        Finding(
            "duplicates_across_splits", "data_quality",
            "Test rows that stand in the training data as well", "fail",
            "26 rows, more than the 0.1 % that is tolerated",
            value=26 / 9769, low=26 / 9769, high=26 / 9769, level=0.95, n=9769,
            unit="share of test rows", method="fact", seeds=1, distribution=Fact(26 / 9769),
            requirement=AtMost(0.001, "house default"), survives_correction=True,
            details="26 test rows are exact copies of training rows; 3 have another label there",
            evidence=(every[5],), record=None,
            next="Drop the copies from the test split", seconds=0.02,
        ),
        Finding(
            "overfitting_gap", "generalization",
            "How much worse the model is on new rows than on those it learned from", "fail",
            "The whole interval lies above the bound",
            value=0.071, low=0.052, high=0.091, level=0.95, n=1797, unit="share of rows",
            method="Newcombe", distribution=TwoCounts(71, 1797, 5, 3000), seeds=5,
            requirement=AtMost(0.05, "house default"), p_value=0.019, survives_correction=False,
            details="right on 99.8 % of training rows and on 92.7 % of test rows",
            evidence=(every[4],), record=MISSED,
            next="Train for fewer epochs or with stronger weight decay, then audit again",
        ),
        Finding(
            "calibration_error", "uncertainty",
            "How far stated confidence is from how often the model is right", "inconclusive",
            "The interval reaches over the bound", "straddles",
            value=0.046, low=0.031, high=0.062, level=0.95, n=360, unit="share of rows",
            method="inverted bootstrap", seeds=1,
            distribution=Quantiles((0.025, 0.5, 0.975), (0.031, 0.046, 0.062)),
            requirement=AtMost(0.05, "house default: 5 points of excess"), p_value=0.31,
            examples_needed=2140, evidence=(every[0],), record=RECORD,
            next="Collect more test rows, or set temperature on validation data",
        ),
        Finding(
            "rare_class_recall", "data_quality",
            "How many of the rarest class are found", "inconclusive",
            "Only 9 rows of the rarest class; 30 are needed", "insufficient_n",
            value=0.667, low=0.299, high=0.925, level=0.95, n=9, unit="share of the rarest class",
            method="Clopper-Pearson", distribution=Counts(6, 9), seeds=1,
            requirement=AtLeast(0.8, "asked for in roadworthy.toml, line 12"), p_value=0.4,
            evidence=(every[2],), examples_needed=210,
        ),
        *(
            Finding(
                f"undecided_{code}", "uncertainty", f"A quantity left undecided as {code}",
                "inconclusive", "", code, value=1.25, low=0.9, high=1.6, level=0.95, n=40,
                unit="nats per row", method="Student's t", distribution=Estimate(1.25, 0.17, 39),
                requirement=AtMost(1.5, "house default"), seeds=2, required=False,
            )
            for code in ("too_few_seeds", "unreliable", "not_qualified")
        ),
        Finding(
            "inconsistent_values", "data_quality",
            "Rows whose values are written in more than one way", "pass",
            "The whole interval lies below the bound",
            value=0.0002, low=0.00001, high=0.0011, level=0.95, n=9769, unit="share of rows",
            method="Clopper-Pearson", distribution=Counts(2, 9769), seeds=1,
            requirement=AtMost(0.01, "house default"), p_value=0.99,
            evidence=(every[1], every[7]), record=replace(RECORD, qualified=None),
        ),
        Finding(
            "ranking_quality", "generalization",
            "How well scores put positive rows before negative ones", "pass",
            "The whole interval lies above the bound",
            value=0.914, low=0.902, high=0.925, level=0.95, n=9769,
            unit="probability of the right order", method="DeLong", seeds=1,
            distribution=Estimate(0.914, 0.006), requirement=AtLeast(0.8, "house default"),
            p_value=1.0, record=RECORD,
        ),
        Finding(
            "outliers", "data_quality", "Rows unlike all others", "note",
            "A description; nothing is required.", required=False,
            value=12, low=12, high=12, level=0.95, n=1797, unit="rows", method="fact",
            distribution=Fact(12), details="12 rows are further from their neighbours than chance allows",
        ),
        Finding(
            "selective_risk", "uncertainty", "Errors among the half that the model is surest of",
            "error", "It raised ZeroDivisionError: division by zero", None,
            traceback='Traceback (most recent call last):\n  File "checks.py", line 31, in selective_risk\n'
            "ZeroDivisionError: division by zero",
        ),
        *(
            Finding(
                f"unmeasured_{code}", "generalization", f"A quantity not measured as {code}",
                "not_run", "No test rows have a group; give one with --sensitive COLUMN"
                if code == "missing_input" else "", code,
            )
            for code in REASON_CODES[5:]
        ),
    )  # fmt: skip


def audit_of(found: tuple[Finding, ...], **changes: object) -> Audit:
    made = Audit(
        schema_version=SCHEMA_VERSION,
        roadworthy_version="0.1.0",
        subject=SubjectSummary(
            name="digits",
            key="3f8a91c07be2d5a4",
            task="classification",
            modality="array",
            classes=tuple("0123456789"),
            splits=(SplitSize("train", 1078), SplitSize("validation", 359), SplitSize("test", 360)),
            roles={"entity": ("writer",), "dropped": ("income", "fnlwgt")},
            model="SmallConvolutions, 12,810 parameters, trained here by the recipe",
            people=False,
            notes=("1,797 images of 8 x 8 pixels from scikit-learn", "no missing values"),
        ),
        purpose={"decides": "which digit a clerk sees first", "law": "none named"},
        purpose_key="0d1cbb2f99aa7e10",
        profile="quick",
        seed=0,
        exit_code=1,
        complete=True,
        findings=found,
        multiplicity=Multiplicity(
            decided=5,
            expected_false_fails=0.125,
            surviving=("label_errors", "duplicates_across_splits"),
            method="Holm after discarding p > .5 and doubling the rest (Zhao, Small & Su 2019), 5 %",
        ),
        environment=Environment(
            python="3.11.7",
            platform="Linux-6.1-x86_64",
            versions={"torch": "2.13.0", "numpy": "2.4.0", "scipy": "1.17.0"},
            device="cpu",
            threads=1,
        ),
        started="2026-01-02T12:00:00+00:00",
        seconds=41.3,
        computed=32,
        reused=5,
    )
    return replace(made, **changes)


def full() -> Audit:
    return audit_of(findings(), complete=False)


def passing() -> Audit:
    found = tuple(f for f in findings() if f.verdict == "pass")
    return audit_of(found, exit_code=0, multiplicity=Multiplicity(2, 0.05, (), "Holm"))


def empty() -> Audit:
    return audit_of((), exit_code=2, multiplicity=Multiplicity(0, 0.0, (), "Holm"))


def people() -> Audit:
    made = audit_of(findings())
    return replace(made, subject=replace(made.subject, name="diabetes", people=True))


def hostile() -> Audit:
    """Every text that a user or a stranger's check can set is an attack."""
    first = replace(
        findings()[0], title=HOSTILE, reason=HOSTILE, details=HOSTILE, next=HOSTILE, unit=HOSTILE,
        method=HOSTILE, requirement=AtMost(0.05, HOSTILE),
        evidence=tuple(_attacked(e) for e in evidence_of_every_kind(HOSTILE)),
        record=replace(RECORD, summary=HOSTILE, subject_kind=HOSTILE),
    )  # fmt: skip
    broke = replace(findings()[-7], verdict="error", traceback=HOSTILE, reason=HOSTILE)
    made = audit_of((first, replace(broke, check="broken", reason_code=None)))
    subject = replace(
        made.subject,
        name=HOSTILE, key=HOSTILE, task=HOSTILE, modality=HOSTILE, classes=(HOSTILE, "b"),
        splits=(SplitSize(HOSTILE, 3),), roles={HOSTILE: (HOSTILE,)}, model=HOSTILE, notes=(HOSTILE,),
    )  # fmt: skip
    return replace(made, subject=subject, purpose={HOSTILE: HOSTILE}, profile=HOSTILE)


def _attacked(evidence: Evidence) -> Evidence:
    changes: dict[str, object] = {"title": HOSTILE}
    if isinstance(evidence, Curve):
        changes["series"] = tuple(replace(s, name=HOSTILE + s.name) for s in evidence.series)
    if isinstance(evidence, (Curve, Scatter, Histogram)):
        changes["x"] = Axis(HOSTILE, HOSTILE)
    if isinstance(evidence, Matrix):
        changes["rows"] = changes["columns"] = (HOSTILE, "a", "b")
    if isinstance(evidence, Examples):
        changes["examples"] = tuple(
            replace(e, note=HOSTILE, picture="javascript:alert(1)") for e in evidence.examples
        )
    return replace(evidence, **changes)


def large() -> Audit:
    """Far more evidence than a page of 2 MB can hold."""
    rng = np.random.default_rng(0)
    cloud = Scatter(
        "A large cloud", Axis("x"), Axis("y"),
        tuple(float(x) for x in rng.normal(size=20_000)),
        tuple(float(y) for y in rng.normal(size=20_000)),
    )  # fmt: skip
    rows = Table("A long table", ("row", "text"), tuple((i, "word " * 40) for i in range(5_000)))
    made = tuple(
        replace(
            findings()[i % 5], check=f"check_{i}", evidence=(cloud, rows, *evidence_of_every_kind())
        )
        for i in range(60)
    )
    return audit_of(made)
